package panel

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

// recentEvents is how much of the audit log a site's page shows.
const recentEvents = 6

func (p *Panel) sitePage(c echo.Context, who visitor) error {
	view, err := p.siteView(c.Request().Context(), who, siteParam(c))
	if err != nil {
		return err
	}
	view.Shell = p.shell(c, view.Name, view.Section)
	view.Unsettled = unsettled(view)
	return p.render(c, http.StatusOK, templates.Site(view))
}

// unsettled reports whether an upload of just now is on its way. What takes longer than usual does not count: a page that is
// loaded again and again lets nobody choose a file.
func unsettled(v templates.SiteView) bool {
	const usual = time.Minute
	return v.Unpacking || len(v.Releases) > 0 && v.Releases[0].State == string(sites.ReleasePreparing) && time.Since(v.Releases[0].CreatedAt) < usual
}

func (p *Panel) siteView(ctx context.Context, who visitor, name string) (templates.SiteView, error) {
	site, err := p.service.Site(ctx, who.actor, name)
	if err != nil {
		return templates.SiteView{}, err
	}
	releases, err := p.service.Releases(ctx, who.actor, name)
	if err != nil {
		return templates.SiteView{}, err
	}
	events, err := p.service.SiteEvents(ctx, who.actor, site.Name, recentEvents)
	if err != nil {
		return templates.SiteView{}, err
	}
	view := templates.SiteView{
		Name:        site.Name,
		URL:         p.siteURL(p.ownHost(site)),
		State:       string(site.State),
		Reason:      site.Reason,
		Unpacking:   site.Unpacking,
		Lost:        site.Lost,
		Lapsed:      lapsed(site),
		Maintenance: site.Options.Maintenance,
		Protected:   site.Options.Login.Required(),
		Restricted:  len(site.Options.Allow) > 0,
		Owner:       site.OwnerName,
		Release:     site.Active,
		Releases:    releaseRows(releases, site.Active),
		Instances:   p.instanceRows(site),
		Wanted:      p.wanted(site.Site),
		CreatedAt:   site.CreatedAt,
		Activity:    activityRows(events),
		MaxBytes:    p.cfg.MaxUpload,
		MaxUnpacked: p.cfg.MaxUnpacked,
		MaxFiles:    p.cfg.MaxFiles,
	}
	view.Section = siteSection(who, site)
	if !p.service.InProcess() { // which has no bounds for one site
		view.MemoryMB, view.CPUs = site.Limits.MemoryMB, site.Limits.CPUs
	}
	for _, h := range site.Hosts {
		view.Certificates = append(view.Certificates, certificate(p.cfg.Certificates.Certificate(h.Name)))
	}
	return view, nil
}

// siteAction is a use case that changes what a site does, and whose work goes on after it has returned.
type siteAction func(ctx context.Context, actor sites.Actor, name string) (sites.SiteStatus, error)

func (p *Panel) startSite(c echo.Context, who visitor) error {
	return p.act(c, who, p.service.StartSite, " is starting.")
}

func (p *Panel) stopSite(c echo.Context, who visitor) error {
	return p.act(c, who, p.service.StopSite, " is stopped. Visitors see a page that says so.")
}

func (p *Panel) restartSite(c echo.Context, who visitor) error {
	return p.act(c, who, p.service.RestartSite, " is restarting. Visitors notice nothing.")
}

func (p *Panel) act(c echo.Context, who visitor, action siteAction, what string) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	name := siteParam(c)
	back := localPath(field("next"), templates.SitePath(name))
	site, err := action(c.Request().Context(), who.actor, name)
	if err != nil {
		return p.declined(c, back, err)
	}
	return p.done(c, back, site.Name+what)
}

// number reads a whole number of the path; another one is as if the page did not exist.
func number(c echo.Context, param string) (int, error) {
	n, err := strconv.Atoi(c.Param(param))
	if err != nil || n < 1 {
		return 0, echo.ErrNotFound
	}
	return n, nil
}

func (p *Panel) activate(c echo.Context, who visitor) error {
	n, err := number(c, "number")
	if err != nil {
		return err
	}
	name := siteParam(c)
	release, err := p.service.Activate(c.Request().Context(), who.actor, name, n)
	if err != nil {
		return p.declined(c, templates.SitePath(name), err)
	}
	return p.done(c, templates.SitePath(name), "Release "+strconv.Itoa(release.Number)+" goes live by itself.")
}
