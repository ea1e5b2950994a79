package proxy

import (
	"context"
	"sync"
	"sync/atomic"
)

// inflight counts requests; it can be closed, after which none enters, and be waited for. enter and leave take no lock
// unless somebody waits for the count to reach zero.
type inflight struct {
	drained func() // called when the count reaches zero while closed; may be nil

	state atomic.Int64 // the count and, above it, closedBit and awaitedBit
	mu    sync.Mutex
	idle  chan struct{} // closed when the count reaches zero; nil while nobody waits
}

const (
	closedBit  int64 = 1 << 62
	awaitedBit int64 = 1 << 61
	countMask        = awaitedBit - 1
)

// enter counts a request in, and reports false when closed. The order is what makes swaps safe: counted first and
// checked then, a request is either seen by whoever waits after closing, or turned away.
func (f *inflight) enter() bool {
	if f.state.Add(1)&closedBit != 0 {
		f.leave()
		return false
	}
	return true
}

func (f *inflight) leave() {
	state := f.state.Add(-1)
	if state&countMask != 0 || state == 0 {
		return
	}
	if state&awaitedBit != 0 {
		f.wake()
	}
	if state&closedBit != 0 && f.drained != nil {
		f.drained()
	}
}

func (f *inflight) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.idle == nil || f.count() != 0 {
		return // woken already, or whoever entered meanwhile wakes
	}
	f.state.And(^awaitedBit)
	close(f.idle)
	f.idle = nil
}

// close turns further requests away and reports whether none is in flight.
func (f *inflight) close() bool { return f.state.Or(closedBit)&countMask == 0 }

func (f *inflight) reopen() { f.state.And(^closedBit) }

func (f *inflight) closed() bool { return f.state.Load()&closedBit != 0 }

func (f *inflight) count() int { return int(f.state.Load() & countMask) }

// wait returns when no request is in flight, or with ctx's error.
func (f *inflight) wait(ctx context.Context) error {
	f.mu.Lock()
	if f.idle == nil {
		f.idle = make(chan struct{})
	}
	idle := f.idle
	before := f.state.Or(awaitedBit)
	f.mu.Unlock()
	if before&countMask == 0 {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
