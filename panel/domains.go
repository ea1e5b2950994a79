package panel

import (
	"context"
	"net/http"
	"strings"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

func (p *Panel) domainsPage(c echo.Context, who visitor) error {
	return p.renderDomains(c, who, http.StatusOK, func(*templates.DomainsView) {})
}

// renderDomains shows the list; complete says what was typed into a form, and what is wrong with it.
func (p *Panel) renderDomains(c echo.Context, who visitor, status int, complete func(*templates.DomainsView)) error {
	view, err := p.domainsView(c.Request().Context(), who, siteParam(c))
	if err != nil {
		return err
	}
	complete(&view)
	view.Shell = p.shell(c, "Domains of "+view.Site, view.Section)
	return p.render(c, status, templates.Domains(view))
}

func (p *Panel) domainsLive(c echo.Context, who visitor) error {
	view, err := p.domainsView(c.Request().Context(), who, siteParam(c))
	if err != nil {
		return err
	}
	view.Shell = p.frame(c, "Domains of "+view.Site, view.Section)
	return p.render(c, http.StatusOK, templates.DomainsLive(view))
}

func (p *Panel) domainsView(ctx context.Context, who visitor, name string) (templates.DomainsView, error) {
	site, err := p.service.Site(ctx, who.actor, name)
	if err != nil {
		return templates.DomainsView{}, err
	}
	list, err := p.service.Domains(ctx, who.actor, name)
	if err != nil {
		return templates.DomainsView{}, err
	}
	host := p.ownHost(site)
	view := templates.DomainsView{Site: site.Name, Host: host, URL: p.siteURL(host), Main: site.Options.Canonical}
	view.Section = siteSection(who, site)
	for _, d := range list {
		view.Domains = append(view.Domains, p.domainRow(d))
	}
	for _, h := range site.Hosts {
		if !h.Lapsed {
			view.Mains = append(view.Mains, h.Name)
		}
	}
	return view, nil
}

func (p *Panel) domainRow(d sites.DomainStatus) templates.DomainRow {
	row := templates.DomainRow{
		Name: d.Name, Unicode: d.Unicode, URL: p.siteURL(d.Name), State: string(d.State), Hosted: d.Hosted, Registered: d.Registered,
		Sentence: d.Last.Sentence, Warning: d.Last.Warning, LookedAt: d.Last.At, StrayedAt: d.StrayedAt, Expires: d.Expires,
		Records: domainRecords(d.Records), Instead: domainRecords(d.Instead),
	}
	if d.State != sites.DomainWaiting {
		row.Certificate = certificate(p.cfg.Certificates.Certificate(d.Name))
	}
	return row
}

func domainRecords(list []sites.DomainRecord) []templates.DomainRecord {
	out := make([]templates.DomainRecord, len(list))
	for i, r := range list {
		out[i] = templates.DomainRecord{Type: r.Type, Label: r.Label, Name: r.Name, Data: r.Data}
		if r.Type == "CNAME" {
			out[i].Data += "." // forms that complete names leave absolute ones alone
		}
	}
	return out
}

func (p *Panel) addDomain(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	site, typed := siteParam(c), strings.TrimSpace(field("name"))
	d, err := p.service.AddDomain(c.Request().Context(), who.actor, site, typed)
	if err != nil {
		wrong, err := faults(err, "name")
		if err != nil {
			return err
		}
		return p.renderDomains(c, who, http.StatusUnprocessableEntity, func(v *templates.DomainsView) { v.Name, v.Faults = typed, wrong })
	}
	if d.State == sites.DomainActive {
		return p.done(c, templates.DomainsPath(site), d.Unicode+" is in use.")
	}
	return p.done(c, templates.DomainsPath(site), d.Unicode+" is added. Now set its record, as it says below.")
}

func (p *Panel) checkDomain(c echo.Context, who visitor) error {
	site := siteParam(c)
	d, err := p.service.CheckDomain(c.Request().Context(), who.actor, site, c.Param("domain"))
	switch {
	case err != nil:
		return p.declined(c, templates.DomainsPath(site), err)
	case d.State == sites.DomainActive && d.Last.Sentence == "":
		return p.done(c, templates.DomainsPath(site), d.Unicode+" leads here.")
	}
	p.notify(c, templates.NoticeInfo, sentenceOr(d.Last.Sentence, d.Unicode+" is not there yet."))
	return c.Redirect(http.StatusSeeOther, templates.DomainsPath(site))
}

func sentenceOr(sentence, fallback string) string {
	if sentence == "" {
		return fallback
	}
	return sentence
}

// chooseMain sets the address that the site's others lead to.
func (p *Panel) chooseMain(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	site, chosen := siteParam(c), field("canonical")
	after, err := p.service.UpdateOptions(c.Request().Context(), who.actor, site, sites.OptionsUpdate{Canonical: &chosen})
	if err != nil {
		return p.declined(c, templates.DomainsPath(site), err)
	}
	if after.Options.Canonical == "" {
		return p.done(c, templates.DomainsPath(site), "Every address shows the site.")
	}
	return p.done(c, templates.DomainsPath(site), "The others lead to "+after.Options.Canonical+" now.")
}

func (p *Panel) removeDomainPage(c echo.Context, who visitor) error {
	ctx := c.Request().Context()
	site, err := p.service.Site(ctx, who.actor, siteParam(c))
	if err != nil {
		return err
	}
	d, err := p.service.Domain(ctx, who.actor, site.Name, c.Param("domain"))
	if err != nil {
		return err
	}
	return p.render(c, http.StatusOK, templates.RemoveDomain(templates.RemoveDomainView{
		Shell: p.shell(c, "Remove "+d.Unicode, siteSection(who, site)),
		Site:  site.Name, Host: p.ownHost(site), Name: d.Name, Unicode: d.Unicode, Waiting: d.State == sites.DomainWaiting,
	}))
}

func (p *Panel) removeDomain(c echo.Context, who visitor) error {
	site, ctx := siteParam(c), c.Request().Context()
	d, err := p.service.Domain(ctx, who.actor, site, c.Param("domain"))
	if err == nil {
		err = p.service.RemoveDomain(ctx, who.actor, site, d.Name)
	}
	if err != nil {
		return p.declined(c, templates.DomainsPath(site), err)
	}
	return p.done(c, templates.DomainsPath(site), d.Unicode+" is removed.")
}
