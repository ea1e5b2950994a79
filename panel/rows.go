package panel

import (
	"context"
	"time"

	"berth/sites"
	"berth/templates"
)

// This file turns the nouns of package sites into views.

func (p *Panel) siteRows(list []sites.SiteStatus) []templates.SiteRow {
	rows := make([]templates.SiteRow, len(list))
	for i, s := range list {
		rows[i] = p.siteRow(s)
	}
	return rows
}

func (p *Panel) siteRow(s sites.SiteStatus) templates.SiteRow {
	host := p.ownHost(s)
	row := templates.SiteRow{
		Name:        s.Name,
		URL:         p.siteURL(host),
		State:       string(s.State),
		Reason:      s.Reason,
		Owner:       s.OwnerName,
		Release:     s.Active,
		Certificate: certificate(p.cfg.Certificates.Certificate(host)),
		Instances:   p.instanceRows(s),
		Lapsed:      lapsed(s),
		Maintenance: s.Options.Maintenance,
	}
	if s.Release != nil {
		row.ReleaseAt, row.Bytes = s.Release.CreatedAt, s.Release.Bytes
	}
	return row
}

// lapsed are the site's domains that lead elsewhere.
func lapsed(s sites.SiteStatus) (names []string) {
	for _, h := range s.Hosts {
		if h.Lapsed {
			names = append(names, h.Name)
		}
	}
	return names
}

// ownHost is the site's own name in DNS.
func (p *Panel) ownHost(s sites.SiteStatus) string {
	if len(s.Hosts) > 0 {
		return s.Hosts[0].Name
	}
	return s.Name + "." + p.cfg.Zone
}

func certificate(c sites.Certificate) templates.Certificate {
	return templates.Certificate{
		Host: c.Host, State: string(c.State), Issuer: c.Issuer, Serial: c.Serial,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, Renewal: c.Renewal, LastError: c.LastError,
		Authority: c.Authority, Names: c.Names, Expiring: c.Expiring(time.Now()), Expired: c.Expired(time.Now()), Sentence: c.Sentence(time.Now()),
	}
}

func certificates(list []sites.Certificate) []templates.Certificate {
	out := make([]templates.Certificate, len(list))
	for i, c := range list {
		out[i] = certificate(c)
	}
	return out
}

func releaseRows(list []sites.Release, active int) []templates.ReleaseRow {
	rows := make([]templates.ReleaseRow, len(list))
	for i, r := range list {
		rows[i] = templates.ReleaseRow{
			Number: r.Number, State: string(r.State), Active: r.Number == active, Reason: r.Reason, Warning: r.Warning,
			Files: r.Files, Bytes: r.Bytes, CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt, ActivatedAt: r.ActivatedAt,
		}
		for _, remark := range r.Remarks {
			rows[i].Remarks = append(rows[i].Remarks, templates.Remark(remark))
		}
	}
	return rows
}

func tokenRows(list []sites.Token) []templates.TokenRow {
	rows := make([]templates.TokenRow, len(list))
	for i, t := range list {
		rows[i] = templates.TokenRow{ID: t.ID, Label: t.Label, CreatedAt: t.CreatedAt, UsedAt: t.UsedAt}
	}
	return rows
}

func activityRows(events []sites.Event) []templates.ActivityRow {
	rows := make([]templates.ActivityRow, len(events))
	for i, e := range events {
		rows[i] = templates.ActivityRow{
			At: e.At, Actor: e.Actor, Origin: e.Origin, Action: e.Action, Subject: e.Subject, Detail: e.Detail,
		}
	}
	return rows
}

func quotaUse(a sites.Account, u sites.Usage) templates.QuotaUse {
	return templates.QuotaUse{Sites: u.Sites, MaxSites: a.Quota.Sites, Bytes: u.Bytes, MaxBytes: a.Quota.Bytes}
}

// quotaOf reads what the account owns.
func (p *Panel) quotaOf(ctx context.Context, a sites.Account) (templates.QuotaUse, error) {
	usage, err := p.service.Usage(ctx, a.ID)
	return quotaUse(a, usage), err
}
