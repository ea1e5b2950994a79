package acme

import (
	"context"
	"net/http"
	"time"
)

// outcome is how the work on a host went.
type outcome struct {
	started  time.Time
	before   *facts
	budgeted bool    // it was entered as ordered
	asked    bool    // the CA has done something
	ordered  bool    // that is, it has issued a certificate
	err      error   // why not
	said     refusal // what the CA has refused meanwhile, if anything
}

// work does the next step for a host.
func (m *Manager) work(ctx context.Context, h *host) {
	o := outcome{started: time.Now(), before: h.facts.Load()}
	m.mu.Lock()
	named, retired := h.named, h.retired
	ca := m.authorities[h.task.ca]
	errand := &step{attempts: h.attempts, forced: h.forced}
	o.budgeted = h.budgeted()
	by := h.task.by
	m.mu.Unlock()

	working, cancel := context.WithTimeout(errand.in(ctx), stepTimeout)
	defer cancel()
	switch {
	case retired:
		o.asked, o.err = m.retire(working, h)
	case named && !h.lapsed.Load():
		if o.budgeted && m.ledger != nil {
			o.err = m.ledger.record(entry{At: o.started, Event: eventOrdered, CA: ca.vault.issuer, Host: h.name, Account: by})
		}
		if o.err == nil {
			o.ordered, o.err = m.obtain(working, h, ca)
			o.asked = o.ordered
		}
		if ctx.Err() == nil {
			m.orders.count(o.ordered, o.err)
		}
	}
	if ctx.Err() != nil {
		return // we are stopping: nothing has failed, and the next start does what is left
	}
	o.said = errand.refusal()
	m.finish(h, o)
}

// refused keeps to what a CA says in place of an answer, and that concerns whatever is asked of it.
func (m *Manager) refused(ca int, r refusal) {
	var es entries
	m.mu.Lock()
	l := m.queue.lines[ca]
	gate := l.gate.until
	if r.status == http.StatusTooManyRequests {
		l.gate.fail(failure{pace: paceRefusal, until: r.until}, r.at, r.at)
	} else {
		l.gate.shut(r.until, r.at, true)
	}
	es.gates(l, m.authorities[ca].vault.issuer, gate, l.orders.until, r.at)
	m.mu.Unlock()
	m.record(es)
	m.rouse()
}

// finish notes how the work on a host went.
func (m *Manager) finish(h *host, o outcome) {
	var (
		now   = time.Now()
		why   failure
		retry time.Time
		es    entries
	)
	m.mu.Lock()
	l, ca := m.queue.lines[h.task.ca], m.authorities[h.task.ca]
	gate, orders := l.gate.until, l.orders.until
	if o.err != nil {
		why = explain(o.err, place{h.name, !h.outside}, o.said)
		retry = m.fail(h, why, o.started, now)
		es.failed(l, h, ca.vault.issuer, o, why, now)
	} else {
		m.succeed(h, o)
		es.succeeded(l, h, ca, o, now)
	}
	es.gates(l, ca.vault.issuer, gate, orders, now)
	changed := h.facts.Load() != o.before || h.failure != why.sentence
	h.failure = why.sentence
	m.queue.done(h, retry)
	m.settle(h, false)
	attempts := h.attempts
	m.mu.Unlock()
	m.record(es)
	m.rouse()
	if o.err != nil {
		m.log.Warn("certificate work failed", "host", h.name, "ca", ca.name, "err", o.err, "attempts", attempts,
			"again_in", max(0, retry.Sub(now)).Round(time.Second))
	}
	if changed {
		m.cfg.Changed(h.name)
	}
}

// succeed notes that a step went well. The caller holds m.mu.
func (m *Manager) succeed(h *host, o outcome) {
	if o.asked {
		m.queue.succeed(h, o.started)
	}
	if o.ordered {
		h.forced = false
	}
	h.attempts = 0
}

// fail notes that a step failed, and returns when the host is tried again. The caller holds m.mu.
func (m *Manager) fail(h *host, why failure, started, now time.Time) time.Time {
	h.attempts++
	attempts := h.attempts
	if h.task.class != classRevoke {
		attempts = m.queue.lines[h.task.ca].budget.names[h.name].failures + 1
	}
	var left time.Duration
	if f := h.facts.Load(); f != nil {
		left = f.notAfter.Sub(now)
	}
	away := why.until.Sub(now)
	if h.zone {
		away = beforeEnd(away, left)
	}
	retry := now.Add(max(retryIn(why.pace, attempts, left), away))
	m.queue.fail(h, why, retry, started, now)
	return m.queue.again(h, retry, now)
}
