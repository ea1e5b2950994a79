package acme

import (
	"time"

	"berth/sites"
)

// Renew has the certificate of a host renewed now, or ordered if there is none, ahead of its time and of pauses after failures
// of its own. It returns once that is queued, or a sites.Refusal: of a host that is to have no certificate, and where that
// would break a limit of the CA.
func (m *Manager) Renew(name string) error {
	name = sites.CanonicalHost(name)
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.table[name]
	switch {
	case h == nil || !h.named || !m.wants(h):
		return sites.Refuse(sites.ErrNotFound, "%s has no certificate of its own that could be renewed.", name)
	case h.lapsed.Load():
		return sites.Refuse(sites.ErrConflict, "%s does not lead to this server any more. Mend its DNS first; a certificate is ordered then.", name)
	case h.retired || h.task.state == taskRunning || h.task.state == taskReady && h.forced:
		return sites.Refuse(sites.ErrConflict, "The certificate of %s is being ordered already.", name)
	}
	l := m.queue.lines[h.home()]
	if err := l.allows(name, now); err != nil {
		return err
	}
	if !h.settled() {
		if at := l.weekly.at(registered(name), h.owner, now); at.After(now) && !h.zone {
			return sites.Refuse(sites.ErrConflict, "Of the certificate authority's weekly limit for %s nothing is left for this account. The next certificate can be had from %s.",
				registered(name), at.UTC().Format(clock))
		}
	}
	l.budget.demand(name, now)
	h.forced = true
	class := classRenew
	if !h.settled() {
		class = classOrder
	}
	m.queue.add(h, class, true)
	m.rouse()
	return nil
}

// clock is how times are told to people.
const clock = "2 January, 15:04 UTC"

// allows refuses what the limits of the CA, and ours that keep to them, forbid for a name.
func (l *line) allows(name string, now time.Time) error {
	n := l.budget.names[name]
	switch {
	case l.gate.told && l.gate.until.After(now):
		return sites.Refuse(sites.ErrConflict, "The certificate authority does not want to be asked before %s.", l.gate.until.UTC().Format(clock))
	case n.limited && n.held.After(now):
		return sites.Refuse(sites.ErrConflict, "The certificate authority does not want to be asked for %s before %s.", name, n.held.UTC().Format(clock))
	case l.budget.demandAt(name).After(now):
		return sites.Refuse(sites.ErrConflict, "The certificate authority was asked for %s a moment ago, in vain. It can be asked again from %s.",
			name, l.budget.demandAt(name).UTC().Format(clock))
	case l.budget.perName.next(n.full).After(now):
		return sites.Refuse(sites.ErrConflict, "%s has had several certificates in the last days already. To keep within the certificate authority's limits, the next one can be ordered from %s.",
			name, l.budget.perName.next(n.full).UTC().Format(clock))
	case l.budget.at().After(now):
		return sites.Refuse(sites.ErrConflict, "Many certificates have been ordered just now. To keep within the certificate authority's limits, the next one can be ordered from %s.",
			l.budget.at().UTC().Format(clock))
	}
	return nil
}
