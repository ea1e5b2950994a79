package acme

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"berth/sites"
)

// Certificate says what is known of the certificate of a host now.
func (m *Manager) Certificate(host string) sites.Certificate {
	name := sites.CanonicalHost(host)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status(name, m.table[name], time.Now())
}

// Certificates lists the certificates that exist or are to exist: the zone's own, and those of sites that have or
// are to have their own. They are sorted by host.
func (m *Manager) Certificates() []sites.Certificate {
	now := time.Now()
	m.mu.Lock()
	list := make([]sites.Certificate, 0, len(m.table))
	for _, h := range m.table {
		if h.named && (m.wants(h) || h.facts.Load().current(now)) {
			list = append(list, m.status(h.name, h, now))
		}
	}
	m.mu.Unlock()
	slices.SortFunc(list, func(a, b sites.Certificate) int { return strings.Compare(a.Host, b.Host) })
	return list
}

// status describes a name; h is nil for one that is to have no certificate of its own. The caller holds m.mu.
func (m *Manager) status(name string, h *host, now time.Time) sites.Certificate {
	c := sites.Certificate{Host: name, State: sites.CertificateNone}
	if wildcard := m.wildcard.facts.Load(); m.covered(name) && wildcard.current(now) {
		c.State = sites.CertificateWildcard
		fill(&c, wildcard)
	}
	if h == nil || !h.named {
		return c
	}
	own := h.facts.Load()
	if m.outdone(h, now) {
		own = nil
	}
	if own.current(now) {
		c.State = sites.CertificateValid
		fill(&c, own)
	}
	if c.LastError = h.failure; h.failure != "" {
		c.Retry = later(m.queue.retryAt(h, now), now)
	}
	switch {
	case !m.wants(h):
		if !m.covered(name) {
			c.LastError = fmt.Sprintf("The internal certificate authority issues for names of %s only.", m.cfg.Zone)
		}
	case h.lapsed.Load():
		c.LastError = fmt.Sprintf("%s does not lead to this server any more, so no certificate is ordered for it.", name)
		c.Renewal = time.Time{}
	case own.current(now):
		if h.failure == "" {
			c.LastError = remark(h, own)
		}
	case h.failure != "":
		c.State = sites.CertificateFailed
	default:
		c.State = sites.CertificatePending
		if at := m.queue.orderAt(h, now); at.After(now) {
			c.LastError = fmt.Sprintf("To keep within the certificate authority's limits, no certificate of its own is ordered for %s before %s.",
				name, at.UTC().Format("2 January, 15:04 UTC"))
		}
	}
	return c
}

// Waits lists the CAs that are not asked now. The internal one always is.
func (m *Manager) Waits() (list []sites.CertificateWait) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, a := range m.authorities {
		line := m.queue.lines[i]
		for _, g := range []struct {
			gate
			orders bool
		}{{line.gate, false}, {line.orders, true}} {
			if g.until.After(now) {
				list = append(list, sites.CertificateWait{Authority: a.name, Until: g.until, Orders: g.orders, Told: g.told})
			}
		}
	}
	return list
}

// fill describes the certificate that serves.
func fill(c *sites.Certificate, f *facts) {
	c.Authority, c.Names = f.authority, f.names
	c.Issuer, c.Serial = f.issuer, f.serial
	c.NotBefore, c.NotAfter = f.notBefore, f.notAfter
	if !f.from.former() {
		c.Renewal = f.renewal()
	}
}

// remark says why the certificate of a host is to be replaced before its time, if it is.
func remark(h *host, f *facts) string {
	s := h.staple.Load()
	switch {
	case f.from.former():
		return fmt.Sprintf("%s is not asked for certificates any more. This one serves until there is another.", f.authority)
	case s != nil && s.revoked && s.serial.Text(16) == f.serial:
		return fmt.Sprintf("The certificate authority has revoked the certificate of %s; another one is ordered.", h.name)
	}
	return ""
}

// Budget says how many first certificates CAs have issued in the last week for the registered domains of our hosts: for
// the zone's by each CA, and for others that have had any. The internal CA has no limits, so nothing is said of it.
func (m *Manager) Budget() []sites.CertificateBudget {
	if m.internal() != nil {
		return nil
	}
	now, own := time.Now(), registered(m.cfg.Zone)
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []sites.CertificateBudget
	for i, a := range m.authorities {
		weekly := m.queue.lines[i].weekly
		say := func(domain string) {
			list = append(list, sites.CertificateBudget{
				Authority: a.name, Domain: domain, Issued: weekly.used(domain, now), Limit: weekly.limit,
			})
		}
		say(own)
		for _, domain := range slices.Sorted(maps.Keys(weekly.issued)) {
			if domain != own && weekly.used(domain, now) > 0 {
				say(domain)
			}
		}
	}
	return list
}
