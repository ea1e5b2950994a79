package panel

import (
	"net/http"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

func (p *Panel) newSitePage(c echo.Context, who visitor) error {
	return p.renderNewSite(c, who, http.StatusOK, templates.NewSiteView{})
}

func (p *Panel) renderNewSite(c echo.Context, who visitor, status int, v templates.NewSiteView) (err error) {
	if v.Quota, err = p.quotaOf(c.Request().Context(), who.account); err != nil {
		return err
	}
	v.Shell, v.Port = p.shell(c, "New site", templates.SectionSites), p.port()
	return p.render(c, status, templates.NewSite(v))
}

func (p *Panel) createSite(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	site, err := p.service.CreateSite(c.Request().Context(), who.actor, sites.NewSite{Name: field("name")})
	if err != nil {
		wrong, err := faults(err, "name")
		if err != nil {
			return err
		}
		return p.renderNewSite(c, who, http.StatusUnprocessableEntity, templates.NewSiteView{Name: field("name"), Faults: wrong})
	}
	return p.done(c, templates.SitePath(site.Name), p.ownHost(site)+" is up. Upload a zip to fill it.")
}
