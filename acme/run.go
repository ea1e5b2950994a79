package acme

import (
	"context"
	"sync"
	"time"
)

// Run orders, renews and revokes until ctx is done, and returns when all it has started has ended. It is called once.
func (m *Manager) Run(ctx context.Context) error {
	defer m.close()
	var steps sync.WaitGroup
	defer steps.Wait()
	if m.cfg.Restrict != nil && m.ledger != nil {
		steps.Go(func() { m.restrict(ctx) })
	}
	steps.Go(func() { m.keepStapled(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		h, wait := m.next(time.Now())
		if h != nil {
			steps.Go(func() { m.work(ctx, h) })
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-m.wake:
		case <-timer.C:
		}
	}
	return nil
}

// close lets go of what New took.
func (m *Manager) close() {
	for _, a := range m.authorities {
		a.cache.Stop()
	}
	if m.ledger != nil {
		if err := m.ledger.close(); err != nil {
			m.log.Warn("the ledger of certificate orders was not closed", "err", err)
		}
	}
}

// next takes a host that needs work now, or says how long there is none.
func (m *Manager) next(now time.Time) (*host, time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !now.Before(m.lookAt) {
		m.look(now)
	}
	h, wait := m.queue.next(now)
	return h, min(wait, m.lookAt.Sub(now))
}

// look looks for certificates to renew, and for whatever has been left undone. The caller holds m.mu.
func (m *Manager) look(now time.Time) {
	for _, l := range m.queue.lines {
		l.budget.forget(now)
		l.weekly.forget(now)
	}
	interval := m.interval()
	m.shortest = 0
	for _, h := range m.table {
		f := h.facts.Load()
		if !h.settled() || !h.named || h.retired {
			if h.named || h.retired {
				m.settle(h, false)
			}
			continue
		}
		if m.shortest == 0 || f.lifetime() < m.shortest {
			m.shortest = f.lifetime()
		}
		switch {
		case h.lapsed.Load():
		case f.ripe(now, interval):
			m.queue.add(h, classRenew, false)
		case f.stale(now):
			m.queue.add(h, classAdvice, false)
		}
	}
	m.lookAt = now.Add(m.interval())
}

// interval is the time between two looks for renewals. Renewal begins with the last third of a lifetime, so a sixth leaves
// time for a second look, however short-lived the certificates are. The caller holds m.mu.
func (m *Manager) interval() time.Duration {
	if m.shortest == 0 {
		return m.cfg.RenewInterval
	}
	return min(m.cfg.RenewInterval, max(m.shortest/6, time.Second))
}
