package panel

import (
	"net/http"

	"berth/templates"

	"github.com/labstack/echo/v4"
)

// The parts of pages that change by themselves; the script fetches them when an event says so.

func (p *Panel) sitesLive(c echo.Context, who visitor) error {
	view, err := p.sitesView(c, who)
	if err != nil {
		return err
	}
	view.Shell = p.frame(c, "My sites", templates.SectionSites)
	return p.render(c, http.StatusOK, templates.SitesLive(view))
}

func (p *Panel) siteLive(c echo.Context, who visitor) error {
	view, err := p.siteView(c.Request().Context(), who, siteParam(c))
	if err != nil {
		return err
	}
	view.Shell = p.frame(c, view.Name, view.Section)
	return p.render(c, http.StatusOK, templates.SiteLive(view))
}

func (p *Panel) allSitesLive(c echo.Context, who visitor) error {
	view, err := p.allSitesView(c, who)
	if err != nil {
		return err
	}
	view.Shell = p.frame(c, "All sites", templates.SectionAllSites)
	return p.render(c, http.StatusOK, templates.AllSitesLive(view))
}

func (p *Panel) statusLive(c echo.Context, who visitor) error {
	view, err := p.statusView(c.Request().Context(), who.actor)
	if err != nil {
		return err
	}
	view.Shell = p.frame(c, "Status", templates.SectionStatus)
	return p.render(c, http.StatusOK, templates.StatusLive(view))
}
