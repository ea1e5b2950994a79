package panel

import (
	"context"
	"io"
	"net/http"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

// Visits reads the access logs.
type Visits interface {
	// Kept reports whether there are lines of earlier at all.
	Kept() bool
	// Read writes the last lines of a site's log and, with q.Follow, those that come until ctx is done.
	Read(ctx context.Context, site sites.SiteID, q sites.LogQuery, w io.Writer) error
}

// visitsPage shows a site's access log.
func (p *Panel) visitsPage(c echo.Context, who visitor) error {
	lines, err := tail(c)
	if err != nil {
		return err
	}
	site, err := p.service.Site(c.Request().Context(), who.actor, siteParam(c))
	if err != nil {
		return err
	}
	text := &lastBytes{keep: maxLogPage}
	if err := p.cfg.Visits.Read(c.Request().Context(), site.ID, sites.LogQuery{Tail: lines}, text); err != nil {
		return err
	}
	view := templates.LogsView{Name: site.Name, Visits: true, Tail: lines, Text: text.String()}
	if !p.cfg.Visits.Kept() {
		view.Reason = "This server keeps no access logs. Follow shows what is asked for meanwhile."
	}
	view.Shell = p.shell(c, "Visitors of "+site.Name, siteSection(who, site))
	return p.render(c, http.StatusOK, templates.Logs(view))
}

// visits reads the access log of a site that the actor may see.
func (p *Panel) visits(actor sites.Actor, name string) logReader {
	return func(ctx context.Context, q sites.LogQuery, w io.Writer) error {
		site, err := p.service.Site(ctx, actor, name)
		if err != nil {
			return err
		}
		return p.cfg.Visits.Read(ctx, site.ID, q, w)
	}
}

func (p *Panel) followVisits(c echo.Context, who visitor) error {
	return p.follow(c, who, p.visits(who.actor, siteParam(c)))
}

// apiVisits sends a site's access log as text; ?follow=1 goes on while it grows.
func (p *Panel) apiVisits(c echo.Context, actor sites.Actor, account sites.Account) error {
	return p.apiLines(c, account, p.visits(actor, siteParam(c)))
}
