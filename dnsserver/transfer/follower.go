package transfer

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// follower keeps a secondary zone up to date (RFC 1034 section 4.3.5). Its run is the only one that changes the zone.
type follower struct {
	held  *held
	file  *file
	woken chan struct{}

	loaded   bool
	failures int       // since the last success
	saved    time.Time // when the file was last written
	dirty    bool      // the file is behind the zone

	mu     sync.Mutex
	status sites.SecondaryStatus
}

func newFollower(h *held) *follower {
	return &follower{held: h, file: newFile(h.service.cfg.Dir, h.publishedNow().Name), woken: make(chan struct{}, 1)}
}

// wake has the zone refreshed now, or again when that is under way.
func (f *follower) wake() {
	select {
	case f.woken <- struct{}{}:
	default:
	}
}

func (f *follower) statusNow() sites.SecondaryStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

func (f *follower) service() *Service { return f.held.service }

// run refreshes the zone until ctx is done, and leaves the file as the zone is.
func (f *follower) run(ctx context.Context) {
	f.load()
	for ctx.Err() == nil {
		f.wait(ctx, f.turn(ctx))
	}
	if !f.held.tenure.isForgotten() {
		f.save()
	}
}

// turn is one attempt to refresh. It returns when the next one is due.
func (f *follower) turn(ctx context.Context) time.Duration {
	now := f.service().cfg.Now() // not after: what a primary confirms is as old as the question
	err := f.refresh(ctx)
	if ctx.Err() != nil {
		return 0
	}
	soa, known := f.soa()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.failures = 0
		f.status = sites.SecondaryStatus{RefreshedAt: now, ExpiresAt: now.Add(seconds32(soa.Expire))}
		return f.jitter(seconds32(soa.Refresh))
	}
	f.failures++
	if f.status.Err != sentence(err) {
		f.service().log.Warn("a secondary zone is not refreshed", "zone", f.held.Name(), "error", err)
	}
	f.status.Err = sentence(err)
	if !known {
		return f.jitter(min(f.service().limits.first<<min(f.failures-1, 10), time.Hour))
	}
	return f.jitter(seconds32(soa.Retry))
}

func seconds32(n uint32) time.Duration { return time.Duration(n) * time.Second }

// jitter spreads what many zones do at the same time, within bounds.
func (f *follower) jitter(d time.Duration) time.Duration {
	l := f.service().limits
	d = min(max(d, l.shortest), l.longest)
	return d - rand.N(d/10+1)
}

// wait returns when the next refresh is due or, after a rest, somebody asks for one: NOTIFY messages can be forged. Meanwhile
// the zone may expire, and is saved.
func (f *follower) wait(ctx context.Context, next time.Duration) {
	due, rested := time.NewTimer(next), time.NewTimer(f.service().limits.rest)
	defer due.Stop()
	defer rested.Stop()
	var woken chan struct{}
	for {
		expiry := time.NewTimer(f.untilExpiry())
		settled := time.NewTimer(f.untilSettled())
		again := false
		select {
		case <-ctx.Done():
		case <-due.C:
		case <-woken:
		case <-rested.C:
			woken = f.woken
			again = true
		case <-expiry.C:
			f.expire()
			again = true
		case <-settled.C:
			f.save()
			again = true
		}
		expiry.Stop()
		settled.Stop()
		if !again {
			f.expire()
			return
		}
	}
}

const never = 1 << 62

func (f *follower) untilExpiry() time.Duration {
	if !f.held.Current().Known() {
		return never
	}
	return f.statusNow().ExpiresAt.Sub(f.service().cfg.Now())
}

func (f *follower) untilSettled() time.Duration {
	if !f.dirty {
		return never
	}
	return f.saved.Add(f.service().limits.settle).Sub(f.service().cfg.Now())
}

// expire drops the content when no primary has confirmed it for too long: old answers are worse than none then.
func (f *follower) expire() {
	if !f.held.Current().Known() || f.untilExpiry() > 0 {
		return
	}
	f.held.Expire()
	f.logExpiry()
}

func (f *follower) logExpiry() {
	f.service().log.Error("a secondary zone has expired: none of its primaries could be reached", "zone", f.held.Name())
}

// load reads what was kept of the zone, once. It counts from when a primary last confirmed it.
func (f *follower) load() {
	if f.loaded {
		return
	}
	f.loaded = true
	if err := f.service().guarded(f.held.Name(), f.loadFile); err != nil {
		f.service().log.Warn("the kept content of a secondary zone cannot be used", "zone", f.held.Name(), "error", err)
	}
}

func (f *follower) loadFile() error {
	rrs, confirmed, err := f.file.load(dns.CanonicalName(f.held.Name()))
	if err != nil || rrs == nil {
		return err
	}
	soa, ok := rrs[0].(*dns.SOA)
	if !ok {
		return errors.New("the zone does not begin with its SOA record")
	}
	expires := confirmed.Add(seconds32(soa.Expire))
	if !f.service().cfg.Now().Before(expires) {
		f.logExpiry()
		return nil
	}
	if err := f.held.Load(rrs); err != nil {
		return err
	}
	f.mu.Lock()
	f.status.RefreshedAt, f.status.ExpiresAt = confirmed, expires
	f.mu.Unlock()
	f.saved = confirmed
	f.held.changed()
	return nil
}

// save writes the zone to its file.
func (f *follower) save() {
	now := f.held.Current()
	if !f.dirty || !now.Known() {
		return
	}
	f.dirty, f.saved = false, f.service().cfg.Now()
	err := f.service().guarded(f.held.Name(), func() error { return f.file.save(now, f.saved) })
	if err != nil {
		f.service().log.Error("a secondary zone cannot be kept on disk", "zone", f.held.Name(), "error", err)
	}
}
