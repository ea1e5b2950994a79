package panel

import (
	"net/http"
	"strings"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

func (p *Panel) deleteSitePage(c echo.Context, who visitor) error {
	site, err := p.service.Site(c.Request().Context(), who.actor, siteParam(c))
	if err != nil {
		return err
	}
	return p.renderDeleteSite(c, who, http.StatusOK, site, "")
}

func (p *Panel) renderDeleteSite(c echo.Context, who visitor, status int, site sites.SiteStatus, fault string) error {
	releases, err := p.service.Releases(c.Request().Context(), who.actor, site.Name)
	if err != nil {
		return err
	}
	return p.render(c, status, templates.DeleteSite(templates.DeleteSiteView{
		Shell:    p.shell(c, "Delete "+site.Name, siteSection(who, site)),
		Name:     site.Name,
		Host:     p.ownHost(site),
		Releases: len(releases),
		Fault:    fault,
	}))
}

func (p *Panel) deleteSite(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	site, err := p.service.Site(c.Request().Context(), who.actor, siteParam(c))
	if err != nil {
		return err
	}
	if !typed(field("confirm"), site.Name) {
		return p.renderDeleteSite(c, who, http.StatusUnprocessableEntity, site, "Type "+site.Name+" to confirm. Nothing was deleted.")
	}
	if err := p.service.DeleteSite(c.Request().Context(), who.actor, site.Name); err != nil {
		return p.declined(c, templates.SitePath(site.Name), err)
	}
	to := templates.PathSites
	if site.Owner != who.account.ID {
		to = templates.PathAllSites
	}
	return p.done(c, to, site.Name+" is deleted.")
}

// typed reports whether a confirmation names what is to go.
func typed(confirmation, name string) bool { return strings.TrimSpace(confirmation) == name }
