package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"berth/sites"
)

// errNotOurs answers handshakes for names that are not ours.
var errNotOurs = errors.New("acme: no certificate for this name")

// GetCertificate is for tls.Config. It answers with the certificate of the name itself, else with the zone's wildcard;
// an empty name means the apex. As long as the CA has given neither, names of ours get a self-signed certificate, so
// that the panel can be reached and says what is wrong; other names are refused. A CA that validates by TLS-ALPN-01 gets what it
// looks for. It never waits for a CA and never orders anything.
func (m *Manager) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := sites.CanonicalHost(hello.ServerName)
	if name == "" {
		name = m.cfg.Zone
	}
	if asksProof(hello) {
		return m.answers.proof(name)
	}
	now := time.Now()
	var own *host
	if v, ok := m.index.Load(name); ok {
		own = v.(*host)
		if !m.outdone(own, now) {
			if pair := m.pair(own, now); pair != nil {
				return own.staple.Load().onto(pair, now), nil
			}
		}
	}
	covered := m.covered(name)
	if covered {
		if pair := m.pair(m.wildcard, now); pair != nil {
			return m.wildcard.staple.Load().onto(pair, now), nil
		}
	}
	if covered || own != nil && !own.lapsed.Load() || name == m.cfg.Zone || name == m.cfg.PanelHost {
		return m.stopgap.get(m.cfg, now)
	}
	return nil, errNotOurs
}

// outdone reports whether the zone's wildcard serves a host although there is a certificate of its own: that is of a CA which is not
// configured any more, and the wildcard is not.
func (m *Manager) outdone(h *host, now time.Time) bool {
	f, wildcard := h.facts.Load(), m.wildcard.facts.Load()
	return f != nil && f.from.former() && m.covered(h.name) && wildcard.current(now) && !wildcard.from.former()
}

// pair is the key pair of a host, or nil if there is none that is valid now. Only a site's that has not been
// used for long is read from storage.
func (m *Manager) pair(h *host, now time.Time) *tls.Certificate {
	if pair := h.pair.Load(); pair != nil {
		if now.After(pair.Leaf.NotAfter) {
			return nil
		}
		if !h.used.Load() {
			h.used.Store(true)
		}
		return pair
	}
	f := h.facts.Load()
	if !f.current(now) {
		return nil
	}
	// Fails while a renewal is being written; the wildcard covers that instant.
	pair, _, err := f.from.load(context.Background(), h.name)
	if err != nil {
		m.log.Debug("certificate not read for a handshake", "host", h.name, "err", err)
		return nil
	}
	m.keyring.put(h, pair)
	return pair
}

// serve makes a certificate the one that handshakes get. The caller holds m.mu.
func (m *Manager) serve(h *host, pair *tls.Certificate, facts *facts) {
	if before := h.facts.Swap(facts); before == nil || before.serial != facts.serial {
		m.staple(h, pair, time.Now())
	}
	m.keyring.put(h, pair)
	m.index.Store(h.name, h)
	if m.shortest == 0 || facts.lifetime() < m.shortest {
		m.shortest = facts.lifetime()
		if at := time.Now().Add(m.interval()); at.Before(m.lookAt) {
			m.lookAt = at
		}
	}
}
