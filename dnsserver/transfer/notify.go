package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// target is an address that is notified of changes.
type target struct {
	addr   netip.AddrPort
	key    string
	status sites.PeerStatus

	again   chan struct{} // full while there is a serial that it has not been told of
	running bool          // a goroutine tells it
}

// setTargets makes the targets of the zone's peers; it reports whether there are new ones. The caller holds h.mu, or
// nobody else has the zone yet.
func (h *held) setTargets() (fresh bool) {
	targets := make(map[netip.AddrPort]*target)
	for _, p := range h.published.Peers {
		for _, addr := range p.Notify {
			t := h.targets[addr]
			if t == nil || t.key != p.Key {
				t = &target{addr: addr, key: p.Key, status: sites.PeerStatus{Addr: addr}, again: make(chan struct{}, 1)}
				fresh = true
			}
			targets[addr] = t
		}
	}
	h.targets = targets
	return fresh
}

// changed has the peers told, at once the first time and then once in a while.
func (h *held) changed() {
	s := h.service
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil && s.zones[h.wire] == h {
		h.changedWhileRunning()
	}
}

// changedWhileRunning is changed for a caller that holds the service's mutex.
func (h *held) changedWhileRunning() {
	if h.journal != nil {
		h.journal.wake()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending = true
	if h.notifying || len(h.targets) == 0 || h.ctx == nil {
		return
	}
	h.notifying = true
	ctx := h.ctx
	h.service.work.Go(func() { h.tellChanges(ctx) })
}

// tellChanges runs while there are changes to tell of.
func (h *held) tellChanges(ctx context.Context) {
	for h.tellChange(ctx) {
		if !pause(ctx, h.service.limits.notifyWindow) {
			break
		}
	}
}

func (h *held) tellChange(ctx context.Context) (more bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.Current() // not before: what changes from here on is pending again
	if !h.pending || ctx.Err() != nil {
		h.notifying = false
		return false
	}
	h.pending = false
	if !now.Known() || h.told && now.Serial() == h.serial {
		return true
	}
	h.told, h.serial = true, now.Serial()
	for _, t := range h.targets {
		t.wake()
		if !t.running {
			t.running = true
			h.service.work.Go(func() { h.tell(ctx, t) })
		}
	}
	return true
}

func (t *target) wake() {
	select {
	case t.again <- struct{}{}:
	default:
	}
}

// tell notifies one target until it knows the last serial or has been asked often enough.
func (h *held) tell(ctx context.Context, t *target) {
	for {
		h.mu.Lock()
		t.running = len(t.again) > 0 && ctx.Err() == nil && h.targets[t.addr] == t
		running := t.running
		h.mu.Unlock()
		if !running {
			return
		}
		h.tellUntilAnswered(ctx, t)
	}
}

func (h *held) tellUntilAnswered(ctx context.Context, t *target) {
	l := h.service.limits
	wait := l.answer
	for range l.notifyAttempts {
		select { // this attempt tells of what is current
		case <-t.again:
		default:
		}
		began, serial := time.Now(), h.Current().Serial()
		err := h.service.guarded(h.Name(), func() error { return h.notify(ctx, t, wait) })
		if ctx.Err() != nil {
			return
		}
		h.noteTold(t, serial, err)
		h.service.counts.note(answerTo(err))
		if err == nil {
			return
		}
		retry := time.NewTimer(wait - time.Since(began)) // whoever refuses is not told more often than who does not answer
		select {
		case <-retry.C:
		case <-t.again:
			retry.Stop()
			t.wake()
			return
		case <-ctx.Done():
			retry.Stop()
			return
		}
		wait *= 2
	}
	h.service.log.Warn("a peer does not answer NOTIFY", "zone", h.Name(), "peer", t.addr)
}

func (h *held) noteTold(t *target, serial uint32, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t.status.Notified, t.status.Answered, t.status.Err = serial, err == nil, ""
	if err != nil {
		t.status.Err = sentence(err)
	}
}

// answerTo is what has become of a NOTIFY.
func answerTo(err error) outcome {
	refused := rcodeError{}
	switch {
	case err == nil:
		return notifyAnswered
	case errors.As(err, &refused):
		return notifyTurnedDown
	}
	return notifyUnanswered
}

// notify sends one NOTIFY and waits for the answer.
func (h *held) notify(ctx context.Context, t *target, wait time.Duration) error {
	s := h.service
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	k, err := s.keyNamed(t.key)
	if err != nil {
		return err
	}
	now := h.Current()
	if !now.Known() {
		return nil
	}
	m := new(dns.Msg)
	m.SetNotify(dns.Fqdn(h.Name()))
	soa := soaOf(now.SOA())
	rr, err := soa.unpack()
	if err != nil {
		return err
	}
	m.Answer = []dns.RR{rr} // RFC 1996 section 3.7
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	answer, err := s.ask(ctx, "udp", t.addr, m, k)
	if err != nil {
		return err
	}
	if answer.Rcode != dns.RcodeSuccess {
		return rcodeError{"the NOTIFY", answer.Rcode}
	}
	return nil
}

// unpack returns the record as the library has it.
func (r record) unpack() (dns.RR, error) {
	w := &stream{names: make(map[string]int)}
	w.append(r)
	rr, _, err := dns.UnpackRR(w.out, 0)
	if err != nil {
		return nil, fmt.Errorf("read a record of ours: %w", err)
	}
	return rr, nil
}

// peerStatus joins what is known of the addresses that are notified with what they were sent.
func (h *held) peerStatus() []sites.PeerStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]sites.PeerStatus, 0, len(h.targets)+len(h.served))
	notified := make(map[netip.Addr]bool)
	for addr, t := range h.targets {
		status := t.status
		if served, ok := h.served[addr.Addr().Unmap()]; ok {
			status.Requested, status.Served = served.Requested, served.Served
		}
		notified[addr.Addr().Unmap()] = true
		all = append(all, status)
	}
	for addr, status := range h.served {
		if !notified[addr] {
			all = append(all, status)
		}
	}
	slices.SortFunc(all, func(a, b sites.PeerStatus) int { return a.Addr.Compare(b.Addr) })
	return all
}

// notified answers a NOTIFY (RFC 1996 section 3): it wakes the loop of a secondary zone when a primary sends it.
func (s *Service) notified(x *exchange) (rcode int) {
	m := x.message
	if len(m.Question) != 1 || m.Question[0].Qtype != dns.TypeSOA || m.Question[0].Qclass != dns.ClassINET {
		return dns.RcodeFormatError
	}
	h := s.named(m.Question[0].Name)
	if h == nil || h.follow == nil {
		return dns.RcodeNotAuth
	}
	from := func(p sites.Primary) bool {
		return p.Addr.Addr().Unmap() == x.Client.Addr().Unmap() || p.Key != "" && x.signedWith(p.Key)
	}
	if !slices.ContainsFunc(h.publishedNow().Primaries, from) {
		s.noteRefusal("a NOTIFY is refused: it does not come from a primary", "zone", h.Name(), "client", x.Client)
		return dns.RcodeRefused
	}
	h.follow.wake()
	return dns.RcodeSuccess
}

// pause waits, and reports false when ctx is done.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
