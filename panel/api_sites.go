package panel

import (
	"net/http"
	"net/url"

	"berth/sites"

	"github.com/labstack/echo/v4"
)

// apiSites lists an owner's own sites, and to an admin everybody's.
func (p *Panel) apiSites(c echo.Context, actor sites.Actor, account sites.Account) error {
	owner := account.ID
	if actor.Admin() {
		owner = 0
	}
	list, err := p.service.Sites(c.Request().Context(), actor, owner)
	if err != nil {
		return err
	}
	out := make([]siteJSON, len(list))
	for i, s := range list {
		out[i] = p.siteJSON(s)
	}
	return c.JSON(http.StatusOK, out)
}

func (p *Panel) apiSite(c echo.Context, actor sites.Actor, _ sites.Account) error {
	site, err := p.service.Site(c.Request().Context(), actor, siteParam(c))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, p.siteJSON(site))
}

func (p *Panel) apiCreateSite(c echo.Context, actor sites.Actor, _ sites.Account) error {
	var in struct {
		Name     string `json:"name"`
		Template string `json:"template"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	site, err := p.service.CreateSite(c.Request().Context(), actor, sites.NewSite{Name: in.Name, Template: in.Template})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", apiSitePath(site.Name))
	return c.JSON(http.StatusCreated, p.siteJSON(site))
}

func apiSitePath(name string) string { return pathAPI + "/sites/" + url.PathEscape(name) }

// apiUpdateSite changes options, instances, health path and, for admins, limits and owner: all that is named, or nothing. What
// is left out of options and limits stays as it is.
func (p *Panel) apiUpdateSite(c echo.Context, actor sites.Actor, _ sites.Account) error {
	var in struct {
		Owner      *string       `json:"owner"`
		Limits     *limitsPatch  `json:"limits"`
		Instances  *int          `json:"instances"`
		HealthPath *string       `json:"health_path"`
		Options    *optionsPatch `json:"options"`
	}
	site, err := p.service.Site(c.Request().Context(), actor, siteParam(c))
	if err != nil {
		return err
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	update := sites.SiteUpdate{Owner: in.Owner, Instances: in.Instances, HealthPath: in.HealthPath}
	if in.Limits != nil {
		if update.Limits, err = in.Limits.update(); err != nil {
			return err
		}
	}
	if in.Options != nil {
		if update.Options, err = in.Options.update(); err != nil {
			return err
		}
	}
	if update == (sites.SiteUpdate{}) {
		return sites.Refuse(sites.ErrInvalid, "Name what to change: options, instances, health_path, limits or owner.")
	}
	owner := site.Owner
	if site, err = p.service.UpdateSite(c.Request().Context(), actor, site.Name, update); err != nil {
		return err
	}
	if site.Owner != owner {
		p.streams.endAccount(owner) // among which may be the site's logs
	}
	return c.JSON(http.StatusOK, p.siteJSON(site))
}

// limitsPatch is what the API takes of a site's limits.
type limitsPatch struct {
	MemoryMB *int     `json:"memory_mb"`
	CPUs     *float64 `json:"cpus"`
	Pids     *int     `json:"pids"`
}

// update refuses a patch that names no limit.
func (in limitsPatch) update() (*sites.LimitsUpdate, error) {
	if in == (limitsPatch{}) {
		return nil, sites.RefuseField(sites.ErrInvalid, "limits", "Name a limit to change: memory_mb, cpus or pids.")
	}
	u := sites.LimitsUpdate(in)
	return &u, nil
}

func (p *Panel) apiDeleteSite(c echo.Context, actor sites.Actor, _ sites.Account) error {
	if err := p.service.DeleteSite(c.Request().Context(), actor, siteParam(c)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (p *Panel) apiStart(c echo.Context, actor sites.Actor, _ sites.Account) error {
	return p.apiAct(c, actor, p.service.StartSite)
}

func (p *Panel) apiStop(c echo.Context, actor sites.Actor, _ sites.Account) error {
	return p.apiAct(c, actor, p.service.StopSite)
}

func (p *Panel) apiRestart(c echo.Context, actor sites.Actor, _ sites.Account) error {
	return p.apiAct(c, actor, p.service.RestartSite)
}

// apiAct answers 202 while work goes on behind it, or with ?wait=live 200 when it is over.
func (p *Panel) apiAct(c echo.Context, actor sites.Actor, action siteAction) error {
	wait, err := p.patience(c, actor)
	if err != nil {
		return err
	}
	defer wait.end()
	name := siteParam(c)
	site, err := action(c.Request().Context(), actor, name)
	if err != nil {
		return err
	}
	if !wait.waits() {
		return c.JSON(http.StatusAccepted, p.siteJSON(site))
	}
	if site, err = p.await(c, wait, actor, name); err != nil {
		return err
	}
	if site.State == sites.StateFailed {
		return didNotWork(site.Reason, map[string]any{"site": p.siteJSON(site)})
	}
	return c.JSON(http.StatusOK, p.siteJSON(site))
}

// didNotWork is the end of something that was waited for. It is no success, so that scripts stop here.
func didNotWork(reason string, extra map[string]any) error {
	if reason == "" {
		reason = "It did not start."
	}
	return &outcome{status: http.StatusUnprocessableEntity, sentence: reason, extra: extra}
}
