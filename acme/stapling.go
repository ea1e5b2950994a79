package acme

import (
	"container/heap"
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/certmagic"
)

// certmagic staples only while it loads a certificate, which has to wait then, or in a maintenance of its own that needs all of them in
// memory. So the Manager asks the responders itself, one question after the other, and certificates are served meanwhile.

// question is the next one to a responder about a certificate.
type question struct {
	host     *host
	serial   string // of the certificate; there is nothing to ask once the host has another one
	at       time.Time
	failures int // in a row
}

// questions are a heap, the next one first. It is guarded by Manager.mu.
type questions []*question

func (q questions) Len() int           { return len(q) }
func (q questions) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q questions) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *questions) Push(x any)        { *q = append(*q, x.(*question)) }

func (q *questions) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return last
}

// cleanEvery is how often staples that have ended are deleted.
const cleanEvery = 24 * time.Hour

// keepStapled asks the responders until ctx is done.
func (m *Manager) keepStapled(ctx context.Context) {
	transport := newTransport(nil)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	responders := make(map[string]*gate) // by URL
	timer := time.NewTimer(0)
	defer timer.Stop()
	var cleaned time.Time
	for ctx.Err() == nil {
		now := time.Now()
		if now.Sub(cleaned) >= cleanEvery {
			m.cleanStaples(ctx)
			cleaned = now
		}
		q, wait := m.nextQuestion(now)
		if q != nil {
			m.ask(ctx, client, responders, q)
			continue
		}
		timer.Reset(min(wait, cleaned.Add(cleanEvery).Sub(now)))
		select {
		case <-ctx.Done():
		case <-m.unstapled:
		case <-timer.C:
		}
	}
}

// cleanStaples deletes staples that have ended, unless that has been done a short time ago.
func (m *Manager) cleanStaples(ctx context.Context) {
	err := certmagic.CleanStorage(ctx, m.storage, certmagic.CleanStorageOptions{
		Logger: newZap(m.log), Interval: cleanEvery, OCSPStaples: true,
	})
	if err != nil && ctx.Err() == nil {
		m.log.Debug("outdated OCSP staples were not deleted", "err", err)
	}
}

// nextQuestion takes a question that is due, or says how long there is none.
func (m *Manager) nextQuestion(now time.Time) (*question, time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.questions) == 0 {
		return nil, forever
	}
	if wait := m.questions[0].at.Sub(now); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&m.questions).(*question), 0
}

// staple has the responder of a certificate that is served from now on asked: at once, or when what is known of it is to be
// refreshed. The caller holds m.mu.
func (m *Manager) staple(h *host, pair *tls.Certificate, now time.Time) {
	if len(pair.Leaf.OCSPServer) == 0 {
		return
	}
	q := &question{host: h, serial: serial(pair.Leaf), at: now}
	if s := h.staple.Load(); s.of(pair) {
		q.at = s.refresh(now)
	}
	heap.Push(&m.questions, q)
	select {
	case m.unstapled <- struct{}{}:
	default: // it is going to look
	}
}

// ask asks a responder about the certificate of a host, and notes what it says.
func (m *Manager) ask(ctx context.Context, by *http.Client, responders map[string]*gate, q *question) {
	now := time.Now()
	pair := m.questioned(ctx, q, now)
	if pair == nil {
		return
	}
	responder := responders[pair.Leaf.OCSPServer[0]]
	if responder == nil {
		responder = new(gate)
		responders[pair.Leaf.OCSPServer[0]] = responder
	}
	if responder.until.After(now) {
		m.later(q, responder.until)
		return
	}
	said, err := askResponder(ctx, by, pair)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		m.unanswered(q, responder, err, now)
		return
	}
	responder.open(now)
	m.answered(ctx, q, pair, said)
}

// questioned is the certificate that a question is about, nil if the host has another one by now.
func (m *Manager) questioned(ctx context.Context, q *question, now time.Time) *tls.Certificate {
	f := q.host.facts.Load()
	if !f.current(now) || f.serial != q.serial {
		return nil
	}
	if pair := q.host.pair.Load(); pair != nil && f.describes(pair) {
		return pair
	}
	pair, facts, err := f.from.load(ctx, q.host.name)
	if err != nil {
		m.later(q, now.Add(paceRefusal.after(1)))
		return nil
	}
	if facts.serial != q.serial {
		return nil
	}
	return pair
}

func (m *Manager) later(q *question, at time.Time) {
	q.at = at
	m.mu.Lock()
	heap.Push(&m.questions, q)
	m.mu.Unlock()
}

// unanswered has a question asked again. What there is of an earlier answer serves until it ends.
func (m *Manager) unanswered(q *question, responder *gate, err error, asked time.Time) {
	now := time.Now()
	if down := (outage{}); errors.As(err, &down) {
		responder.fail(failure{pace: paceOutage, until: down.until}, asked, now)
		m.later(q, responder.until)
		if responder.failures == 1 {
			m.log.Warn("an OCSP responder does not answer as it should; certificates are served without staples once those end", "host", q.host.name, "err", err)
		}
		return
	}
	responder.open(asked)
	q.failures++
	var left time.Duration
	if s := q.host.staple.Load(); s != nil {
		left = s.until.Sub(now)
	}
	m.log.Debug("no OCSP staple", "host", q.host.name, "err", err, "attempts", q.failures)
	m.later(q, now.Add(retryIn(paceRefusal, q.failures, left)))
}

// revokedAgain is how long after a revocation was seen it is looked whether the host still has that certificate.
const revokedAgain = time.Hour

// answered takes up what a responder has said of a certificate.
func (m *Manager) answered(ctx context.Context, q *question, pair *tls.Certificate, said *staple) {
	if err := m.storage.keepStaple(ctx, pair, said); err != nil {
		m.log.Warn("an OCSP staple was not kept", "host", q.host.name, "err", err)
	}
	now := time.Now()
	q.failures, q.at = 0, said.refresh(now)
	m.mu.Lock()
	if f := q.host.facts.Load(); f == nil || f.serial != q.serial {
		m.mu.Unlock()
		return
	}
	q.host.staple.Store(said)
	if said.revoked {
		q.at = later(now.Add(revokedAgain), m.replace(q.host, now))
	}
	heap.Push(&m.questions, q)
	m.mu.Unlock()
	if said.revoked {
		m.log.Warn("a certificate has been revoked by its CA; another one is ordered", "host", q.host.name, "serial", q.serial)
		m.rouse()
		m.cfg.Changed(q.host.name)
	}
}

// replace has another certificate ordered in place of a revoked one, or says from when on that may be: a CA that revokes
// whatever it issues is not to be asked over and over. The caller holds m.mu.
func (m *Manager) replace(h *host, now time.Time) time.Time {
	if at := m.queue.lines[h.home()].budget.nameAt(h.name); at.After(now) {
		return at
	}
	if h.named && !h.lapsed.Load() {
		h.forced = true
		m.queue.add(h, classRenew, true)
	}
	return time.Time{}
}
