package acme

import "time"

// remember brings the lines to the CAs to where an earlier run has left them. CAs that are not configured any more
// are passed over.
func (m *Manager) remember(entries []entry) {
	lines := make(map[string]*line)
	for i, a := range m.authorities {
		lines[a.vault.issuer] = m.queue.lines[i]
	}
	for _, e := range entries {
		if l := lines[e.CA]; l != nil {
			l.remember(e)
		}
	}
}

// remember does what an entry says has been done before.
func (l *line) remember(e entry) {
	switch e.Event {
	case eventOrdered:
		l.budget.take(e.Host, e.Account, e.At)
	case eventIssued:
		l.weekly.add(e.Domain, e.Account, e.At)
		l.budget.release(e.Host)
	case eventRenewed:
		l.budget.release(e.Host)
	case eventFailed:
		switch {
		case e.Budgeted:
			l.budget.giveBack(e.Host, e.Account, e.Counted)
		case e.Counted:
			l.budget.spend(e.Account, e.At)
		}
		l.budget.hold(e.Host, e.Until, e.Failures, e.Limited)
	case eventShut:
		g := &l.gate
		if e.Orders {
			g = &l.orders
		}
		g.until, g.since, g.closed, g.failures, g.told = e.Until, e.At, e.At, e.Failures, e.Limited
	}
}

// shutEntry says until when a gate is closed.
func (g *gate) shutEntry(ca string, orders bool, now time.Time) entry {
	return entry{At: now, Event: eventShut, CA: ca, Until: g.until, Failures: g.failures, Limited: g.told, Orders: orders}
}

// entries collects what is to be recorded once Manager.mu is free, for the disk may be slow.
type entries []entry

// gates notes which gates of a line have moved since they were at those times.
func (es *entries) gates(l *line, ca string, gate, orders time.Time, now time.Time) {
	if !l.gate.until.Equal(gate) {
		*es = append(*es, l.gate.shutEntry(ca, false, now))
	}
	if !l.orders.until.Equal(orders) {
		*es = append(*es, l.orders.shutEntry(ca, true, now))
	}
}

// failed notes that what was asked for a host has failed.
func (es *entries) failed(l *line, h *host, ca string, o outcome, why failure, now time.Time) {
	if h.task.class == classRevoke {
		return
	}
	n := l.budget.names[h.name]
	*es = append(*es, entry{
		At: now, Event: eventFailed, CA: ca, Host: h.name, Account: h.task.by, Until: n.held, Failures: n.failures, Limited: n.limited,
		Budgeted: o.budgeted, Counted: o.budgeted && why.counted,
	})
}

// succeeded notes what a CA has issued for a host.
func (es *entries) succeeded(l *line, h *host, ca *authority, o outcome, now time.Time) {
	if h.task.class == classRevoke {
		return
	}
	l.budget.release(h.name)
	if !o.ordered {
		return
	}
	e := entry{At: now, Event: eventRenewed, CA: ca.vault.issuer, Host: h.name, Domain: registered(h.name), Account: h.task.by}
	if h.task.first {
		e.Event = eventIssued
		l.weekly.add(e.Domain, e.Account, now)
	}
	*es = append(*es, e)
}

// record enters what happened. Without a disk there is no memory, but the work has been done.
func (m *Manager) record(es entries) {
	if m.ledger == nil {
		return // the internal CA has no limits
	}
	for _, e := range es {
		if err := m.ledger.record(e); err != nil {
			m.log.Warn("the ledger of certificate orders could not be written", "err", err)
			return
		}
	}
}
