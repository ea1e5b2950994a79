package acme

import (
	"slices"

	"berth/sites"
)

// Apply takes up which hosts there are now. It only notes what is to be done; Run does it.
func (m *Manager) Apply(c sites.Change) {
	m.mu.Lock()
	if c.Full {
		m.full++
	}
	for _, name := range c.Gone {
		if h := m.table[sites.CanonicalHost(name)]; h != nil && !h.zone {
			m.retireLater(h)
		}
	}
	for _, site := range c.Sites {
		for _, name := range site.Hosts {
			m.name(sites.CanonicalHost(name), site.Owner, slices.Contains(site.Lapsed, name))
		}
	}
	if c.Full {
		for _, h := range m.table {
			if !h.zone && h.seen != m.full {
				m.retireLater(h)
			}
		}
	}
	m.mu.Unlock()
	m.rouse()
}

// name notes that a host exists, whose it is, and whether it still leads here. The caller holds m.mu.
func (m *Manager) name(name string, owner sites.AccountID, lapsed bool) {
	h := m.table[name]
	if h == nil {
		h = m.newHost(name)
		if !m.wants(h) && m.covered(name) {
			return
		}
		m.table[name] = h
	}
	h.seen = m.full
	news := !h.named || h.lapsed.Load() && !lapsed
	m.own(h, owner, true)
	h.named = true
	h.lapsed.Store(lapsed)
	if !m.covered(name) {
		m.index.Store(name, h)
	}
	if news {
		m.settle(h, true)
	}
}

// own notes whose a host is from now on, if it is named. The caller holds m.mu.
func (m *Manager) own(h *host, owner sites.AccountID, named bool) {
	if h.zone {
		return
	}
	domain := registered(h.name)
	if h.named {
		m.holders.add(domain, h.owner, -1)
	}
	if named {
		m.holders.add(domain, owner, 1)
	}
	h.owner = owner
}

// retireLater notes that a host is gone: its certificate is no longer served from now on, and revoked and removed
// as soon as can be. The caller holds m.mu.
func (m *Manager) retireLater(h *host) {
	if h.retired && !h.named {
		return
	}
	if f := h.facts.Load(); f != nil {
		h.last = f.from.ca
	}
	m.index.Delete(h.name)
	m.keyring.drop(h)
	h.facts.Store(nil)
	m.own(h, 0, false)
	h.named, h.retired = false, true
	h.attempts, h.failure, h.forced = 0, "", false
	m.settle(h, true)
}

// settle queues what is left to do for a host, or forgets the host when there is nothing left of it. The caller holds m.mu.
func (m *Manager) settle(h *host, news bool) {
	switch {
	case h.retired:
		m.queue.add(h, classRevoke, news)
	case !h.named:
		delete(m.table, h.name)
	case m.wants(h) && !h.lapsed.Load() && !h.settled():
		m.queue.add(h, classOrder, news)
	}
}

// rouse makes Run look at the queue.
func (m *Manager) rouse() {
	select {
	case m.wake <- struct{}{}:
	default: // it is going to
	}
}
