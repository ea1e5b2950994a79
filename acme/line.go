package acme

import "time"

// line is the way to one CA, with all that keeps us from it. It is a plain structure, guarded by Manager.mu.
type line struct {
	gate    gate   // to the CA
	orders  gate   // to orders of new names in the zone
	budget  budget // for the same
	weekly  tally  // of first certificates
	running int    // hosts that the CA is asked for now
}

// limit is how many hosts the CA is asked for at a time; one in trouble is asked one thing at a time.
func (l *line) limit(most int) int {
	if l.gate.failures > 0 {
		return 1
	}
	return most
}

// opens is when the CA may be asked for a host, as far as the CA is concerned, for whatever host.
func (l *line) opens(h *host, now time.Time) time.Time {
	switch {
	case h.task.class == classZone:
		return now.Add(l.gate.holds(h, now))
	case h.task.class == classRevoke && h.last == notConfigured:
		return time.Time{} // nobody is asked
	case h.task.class == classOrder:
		return later(l.gate.until, l.budget.at())
	default:
		return l.gate.until
	}
}

// frees is when the CA may be asked for a host, as far as the host and its domain are concerned.
func (l *line) frees(h *host, now time.Time) time.Time {
	switch h.task.class {
	case classRevoke:
		return time.Time{}
	case classOrder:
		return later(l.nameAt(h, now), l.domainAt(h))
	default:
		return l.budget.names[h.name].held
	}
}

// refuses reports whether the CA will not serve a host for some time, so that another one may be asked: it has said so,
// or has failed more than once.
func (l *line) refuses(h *host, now time.Time) bool {
	if l.gate.refuses(now) {
		return true
	}
	if h.task.class == classOrder && (!h.outside && l.orders.until.After(now) || l.weekly.at(registered(h.name), h.owner, now).After(now)) {
		return true
	}
	n := l.budget.names[h.name]
	return n.held.After(now) && (n.limited || n.failures > 1)
}

// orderAt is when any host like that may be ordered.
func (l *line) orderAt(h *host) time.Time { return later(l.domainAt(h), l.budget.at()) }

// domainAt is when hosts of the same domain may be ordered. What closes the gate to orders is a limit on the zone's.
func (l *line) domainAt(h *host) time.Time {
	if h.outside {
		return time.Time{}
	}
	return l.orders.until
}

// nameAt is when a host may be ordered, as far as its name and its account are concerned.
func (l *line) nameAt(h *host, now time.Time) time.Time {
	return later(l.budget.nameAt(h.name), l.weekly.at(registered(h.name), h.owner, now))
}
