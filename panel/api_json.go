package panel

import (
	"cmp"
	"time"

	"berth/sites"
)

// The shapes of the API's answers. A time that is not known is left out.

type siteJSON struct {
	Name          string          `json:"name"`
	URL           string          `json:"url"`
	Hosts         []string        `json:"hosts"`
	Owner         string          `json:"owner"`
	Template      string          `json:"template"`
	Desired       string          `json:"desired"`
	State         string          `json:"state"`
	Reason        string          `json:"reason,omitempty"`
	ActiveRelease *releaseJSON    `json:"active_release"`
	LatestRelease *releaseJSON    `json:"latest_release,omitempty"`
	Certificate   certificateJSON `json:"certificate"`
	Limits        limitsJSON      `json:"limits"`
	Instances     int             `json:"instances"` // that the site is to have while it runs
	Answering     int             `json:"answering"` // how many of them answer
	HealthPath    string          `json:"health_path"`
	Options       optionsJSON     `json:"options"`
	Warnings      []warningJSON   `json:"warnings,omitempty"` // of options that have no effect
	CreatedAt     time.Time       `json:"created_at"`
}

type warningJSON struct {
	Field    string `json:"field"`
	Sentence string `json:"detail"`
}

type releaseJSON struct {
	ID          int          `json:"id"`
	State       string       `json:"state"`
	Active      bool         `json:"active"`
	Reason      string       `json:"reason,omitempty"`
	Warning     string       `json:"warning,omitempty"`
	Remarks     []remarkJSON `json:"remarks,omitempty"` // lines of _redirects and _headers without effect
	Files       int          `json:"files"`
	Bytes       int64        `json:"bytes"`
	CreatedBy   string       `json:"created_by"`
	CreatedAt   time.Time    `json:"created_at"`
	ActivatedAt time.Time    `json:"activated_at,omitzero"`
}

type remarkJSON struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"` // left out where the whole file is meant
	Sentence string `json:"sentence"`
}

type certificateJSON struct {
	Host      string    `json:"host"`
	State     string    `json:"state"`
	Names     []string  `json:"names,omitempty"`     // that the certificate is for
	Authority string    `json:"authority,omitempty"` // whom berth has it from
	Issuer    string    `json:"issuer,omitempty"`
	Serial    string    `json:"serial,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	Renewal   time.Time `json:"renewal,omitzero"`
	LastError string    `json:"last_error,omitempty"`
}

type limitsJSON struct {
	MemoryMB int     `json:"memory_mb"`
	CPUs     float64 `json:"cpus"`
	Pids     int     `json:"pids"`
}

func (p *Panel) siteJSON(s sites.SiteStatus) siteJSON {
	host := p.ownHost(s)
	out := siteJSON{
		Name: s.Name, URL: p.siteURL(host), Hosts: []string{}, Owner: s.OwnerName, Template: s.Template,
		Desired: string(s.Desired), State: string(s.State), Reason: s.Reason,
		Certificate: certificateOut(p.cfg.Certificates.Certificate(host)),
		Limits:      limitsJSON{MemoryMB: s.Limits.MemoryMB, CPUs: s.Limits.CPUs, Pids: s.Limits.Pids},
		Instances:   s.Instances, Answering: p.answering(s), HealthPath: cmp.Or(s.HealthPath, "/"),
		Options: optionsOut(s.Options), CreatedAt: s.CreatedAt.UTC(),
	}
	for _, w := range p.service.OptionWarnings(s) {
		out.Warnings = append(out.Warnings, warningJSON{Field: sites.OptionField(w.Option), Sentence: w.Sentence})
	}
	for _, h := range s.Hosts {
		out.Hosts = append(out.Hosts, h.Name)
	}
	if s.Release != nil {
		active := releaseOut(*s.Release, s.Active)
		out.ActiveRelease = &active
	}
	if s.Latest != nil {
		latest := releaseOut(*s.Latest, s.Active)
		out.LatestRelease = &latest
	}
	return out
}

func releaseOut(r sites.Release, active int) releaseJSON {
	var remarks []remarkJSON
	for _, remark := range r.Remarks {
		remarks = append(remarks, remarkJSON(remark))
	}
	return releaseJSON{
		ID: r.Number, State: string(r.State), Active: r.Number == active, Reason: r.Reason, Warning: r.Warning, Remarks: remarks,
		Files: r.Files, Bytes: r.Bytes, CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt.UTC(), ActivatedAt: utc(r.ActivatedAt),
	}
}

func certificateOut(c sites.Certificate) certificateJSON {
	return certificateJSON{
		Host: c.Host, State: string(c.State), Names: c.Names, Authority: c.Authority, Issuer: c.Issuer, Serial: c.Serial, NotBefore: utc(c.NotBefore),
		NotAfter: utc(c.NotAfter), Renewal: utc(c.Renewal), LastError: c.LastError,
	}
}

// utc leaves the zero time as it is, so that it is left out.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

type quotaJSON struct {
	Sites int   `json:"sites"`
	Bytes int64 `json:"bytes"`
}

type accountJSON struct {
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	Quota     quotaJSON `json:"quota"`
	Usage     quotaJSON `json:"usage"`
	TwoStep   bool      `json:"two_step"` // a login needs a code, too
	CreatedAt time.Time `json:"created_at"`
	Password  string    `json:"password,omitempty"` // one that berth made up, this once
}

func accountOut(a sites.Account, u sites.Usage) accountJSON {
	return accountJSON{
		Name: a.Name, Role: string(a.Role), TwoStep: !a.TwoStepSince.IsZero(), CreatedAt: a.CreatedAt.UTC(),
		Quota: quotaJSON{Sites: a.Quota.Sites, Bytes: a.Quota.Bytes},
		Usage: quotaJSON{Sites: u.Sites, Bytes: u.Bytes},
	}
}
