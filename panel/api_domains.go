package panel

import (
	"net/http"
	"net/url"
	"time"

	"berth/sites"

	"github.com/labstack/echo/v4"
)

type domainJSON struct {
	Name        string             `json:"name"`
	Unicode     string             `json:"unicode"`
	State       string             `json:"state"` // waiting, active, lapsed
	Seen        string             `json:"seen,omitempty"`
	Warning     string             `json:"warning,omitempty"`
	LookedAt    time.Time          `json:"looked_at,omitzero"`
	StrayedAt   time.Time          `json:"strayed_at,omitzero"`
	ProvenAt    time.Time          `json:"proven_at,omitzero"`
	ExpiresAt   time.Time          `json:"expires_at,omitzero"`
	CreatedAt   time.Time          `json:"created_at"`
	Records     []domainRecordJSON `json:"records"`
	Instead     []domainRecordJSON `json:"instead,omitempty"` // what does as well
	Certificate *certificateJSON   `json:"certificate,omitempty"`
}

type domainRecordJSON struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Data string `json:"data"`
}

type heldNameJSON struct {
	Name    string    `json:"name"`
	Account string    `json:"account,omitempty"` // left out when the account is gone
	Until   time.Time `json:"until"`
}

func (p *Panel) domainJSON(d sites.DomainStatus) domainJSON {
	out := domainJSON{
		Name: d.Name, Unicode: d.Unicode, State: string(d.State), Seen: d.Last.Sentence, Warning: d.Last.Warning,
		LookedAt: utc(d.Last.At), StrayedAt: utc(d.StrayedAt), ProvenAt: utc(d.ProvenAt), ExpiresAt: utc(d.Expires), CreatedAt: utc(d.CreatedAt),
		Records: domainRecordsOut(d.Records), Instead: domainRecordsOut(d.Instead),
	}
	if d.State != sites.DomainWaiting {
		certificate := certificateOut(p.cfg.Certificates.Certificate(d.Name))
		out.Certificate = &certificate
	}
	return out
}

func domainRecordsOut(list []sites.DomainRecord) []domainRecordJSON {
	out := make([]domainRecordJSON, len(list))
	for i, r := range list {
		out[i] = domainRecordJSON{Name: r.Name, Type: r.Type, Data: r.Data}
	}
	return out
}

func (p *Panel) apiDomains(c echo.Context, actor sites.Actor, _ sites.Account) error {
	list, err := p.service.Domains(c.Request().Context(), actor, siteParam(c))
	if err != nil {
		return err
	}
	out := make([]domainJSON, len(list))
	for i, d := range list {
		out[i] = p.domainJSON(d)
	}
	return c.JSON(http.StatusOK, out)
}

func (p *Panel) apiAddDomain(c echo.Context, actor sites.Actor, _ sites.Account) error {
	var in struct {
		Name string `json:"name"`
	}
	site, err := p.service.Site(c.Request().Context(), actor, siteParam(c))
	if err != nil {
		return err
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	d, err := p.service.AddDomain(c.Request().Context(), actor, site.Name, in.Name)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", apiSitePath(site.Name)+"/domains/"+url.PathEscape(d.Name))
	return c.JSON(http.StatusCreated, p.domainJSON(d))
}

func (p *Panel) apiDomain(c echo.Context, actor sites.Actor, _ sites.Account) error {
	d, err := p.service.Domain(c.Request().Context(), actor, siteParam(c), c.Param("domain"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, p.domainJSON(d))
}

// apiCheckDomain looks at the domain before it answers, which takes seconds.
func (p *Panel) apiCheckDomain(c echo.Context, actor sites.Actor, _ sites.Account) error {
	d, err := p.service.CheckDomain(c.Request().Context(), actor, siteParam(c), c.Param("domain"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, p.domainJSON(d))
}

func (p *Panel) apiRemoveDomain(c echo.Context, actor sites.Actor, _ sites.Account) error {
	if err := p.service.RemoveDomain(c.Request().Context(), actor, siteParam(c), c.Param("domain")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// apiHeldNames lists the names that are kept for accounts which gave them up.
func (p *Panel) apiHeldNames(c echo.Context, actor sites.Actor, _ sites.Account) error {
	list, err := p.service.HeldNames(c.Request().Context(), actor)
	if err != nil {
		return err
	}
	out := make([]heldNameJSON, len(list))
	for i, h := range list {
		out[i] = heldNameJSON{Name: h.Name, Account: h.AccountName, Until: h.Until.UTC()}
	}
	return c.JSON(http.StatusOK, out)
}

func (p *Panel) apiReleaseName(c echo.Context, actor sites.Actor, _ sites.Account) error {
	if err := p.service.ReleaseName(c.Request().Context(), actor, c.Param("domain")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
