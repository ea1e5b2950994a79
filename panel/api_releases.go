package panel

import (
	"net/http"
	"strconv"

	"berth/sites"

	"github.com/labstack/echo/v4"
)

func (p *Panel) apiReleases(c echo.Context, actor sites.Actor, _ sites.Account) error {
	ctx := c.Request().Context()
	site, err := p.service.Site(ctx, actor, siteParam(c))
	if err != nil {
		return err
	}
	list, err := p.service.Releases(ctx, actor, site.Name)
	if err != nil {
		return err
	}
	out := make([]releaseJSON, len(list))
	for i, r := range list {
		out[i] = releaseOut(r, site.Active)
	}
	return c.JSON(http.StatusOK, out)
}

func (p *Panel) apiRelease(c echo.Context, actor sites.Actor, _ sites.Account) error {
	id, err := number(c, "id")
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	site, err := p.service.Site(ctx, actor, siteParam(c))
	if err != nil {
		return err
	}
	release, err := p.service.Release(ctx, actor, site.Name, id)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, releaseOut(release, site.Active))
}

// apiUpload answers 201 once the release is unpacked and recorded, or with ?wait=live once it serves or has failed.
func (p *Panel) apiUpload(c echo.Context, actor sites.Actor, _ sites.Account) error {
	wait, err := p.patience(c, actor)
	if err != nil {
		return err
	}
	defer wait.end()
	name := siteParam(c)
	arrival, err := p.receive(c, actor, name)
	if err != nil {
		return err
	}
	release, err := arrival.Wait(c.Request().Context())
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", apiSitePath(name)+"/releases/"+strconv.Itoa(release.Number))
	return p.answerRelease(c, actor, name, release, wait, http.StatusCreated)
}

// apiActivate answers 202, or with ?wait=live 200 once the release serves or has failed.
func (p *Panel) apiActivate(c echo.Context, actor sites.Actor, _ sites.Account) error {
	id, err := number(c, "id")
	if err != nil {
		return err
	}
	wait, err := p.patience(c, actor)
	if err != nil {
		return err
	}
	defer wait.end()
	name := siteParam(c)
	release, err := p.service.Activate(c.Request().Context(), actor, name, id)
	if err != nil {
		return err
	}
	status := http.StatusAccepted
	if wait.waits() {
		status = http.StatusOK
	}
	return p.answerRelease(c, actor, name, release, wait, status)
}

// stillTrying is told of a release that could not be started because the runtime does not answer.
const stillTrying = "The release does not serve yet, because what runs it does not answer. berth goes on trying."

// answerRelease waits for the release if that is asked for. A release that did not come up is told as a problem.
func (p *Panel) answerRelease(c echo.Context, actor sites.Actor, name string, r sites.Release, wait *patience, status int) error {
	if !wait.waits() {
		return c.JSON(status, releaseOut(r, 0))
	}
	site, err := p.await(c, wait, actor, name)
	if err != nil {
		return err
	}
	if r, err = p.service.Release(c.Request().Context(), actor, name, r.Number); err != nil {
		return err
	}
	out := releaseOut(r, site.Active)
	switch {
	case r.State == sites.ReleaseFailed, !out.Active && r.Reason != "":
		return didNotWork(r.Reason, map[string]any{"release": out})
	case !out.Active:
		return didNotWork(stillTrying, map[string]any{"release": out})
	}
	return c.JSON(status, out)
}

// apiLogs sends the output of a site's instance as plain text; ?follow=1 goes on while it grows.
func (p *Panel) apiLogs(c echo.Context, actor sites.Actor, account sites.Account) error {
	return p.apiLines(c, account, p.output(actor, siteParam(c)))
}

// apiLines sends a log as the query asks for it.
func (p *Panel) apiLines(c echo.Context, account sites.Account, read logReader) error {
	lines, err := tail(c)
	if err != nil {
		return err
	}
	follow := c.QueryParam("follow")
	if follow != "" && follow != "0" && follow != "1" {
		return sites.RefuseField(sites.ErrInvalid, "follow", "The parameter follow can only be 0 or 1.")
	}
	ctx, end, err := p.streams.open(c.Request().Context(), account.ID, "")
	if err != nil {
		return err
	}
	defer end()
	return p.streamLog(ctx, c, read, sites.LogQuery{Tail: lines, Follow: follow == "1"})
}
