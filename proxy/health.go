package proxy

import (
	"sync"
	"sync/atomic"
	"time"

	"berth/sites"
)

// outlier is when an instance that fails is left out, and for how long.
type outlier struct {
	faults int           // in a row after which it is
	window time.Duration // that these faults fall into
	misses int           // checks in a row that find no answer after which it is
	first  time.Duration // that it is left out; each time doubles it
	most   time.Duration // up to this, and after so much time without a fault it begins anew
}

// faultKind is how an instance has failed.
type faultKind int

const (
	faultConnection faultKind = iota // it cannot be connected to, or breaks a connection before it answers
	faultAnswer                      // it answers that it cannot answer
	faultCheck                       // a check finds no answer
)

// health is what has been seen of one instance. A request that goes well takes no lock.
type health struct {
	pace        outlier
	unreachable atomic.Int64 // when the last connection attempt failed, in nanoseconds since 1970; 0: it did not
	until       atomic.Int64 // when it will have been left out for long enough, likewise; 0: it is not left out
	out         atomic.Int64 // since when it is left out, likewise
	troubled    atomic.Bool  // the rest says something

	mu        sync.Mutex
	faults    int // in a row
	began     time.Time
	probation bool      // it was left out and has not answered since
	misses    int       // checks in a row
	times     int       // it was left out without much time between
	last      time.Time // when that ended last
	kind      faultKind
}

// failed notes an error of forward and reports whether it makes a reachable instance an unreachable one.
func (h *health) failed(err error, now time.Time) bool {
	return notConnected(err) && h.unreachable.Swap(now.UnixNano()) == 0
}

// answered reports whether an unreachable instance has become reachable.
func (h *health) answered() bool {
	return h.unreachable.Load() != 0 && h.unreachable.Swap(0) != 0
}

// resting reports whether the instance was unreachable within the given time.
func (h *health) resting(d time.Duration) bool {
	at := h.unreachable.Load()
	return at != 0 && time.Since(time.Unix(0, at)) < d
}

// outSince is since when the instance is left out or could not be connected to.
func (h *health) outSince() int64 { return max(h.out.Load(), h.unreachable.Load()) }

// trouble is why requests are not answered, as far as has been seen.
func (h *health) trouble(rest time.Duration) sites.InstanceTrouble {
	switch {
	case h.leftOut():
		h.mu.Lock()
		defer h.mu.Unlock()
		kinds := map[faultKind]sites.TroubleKind{
			faultConnection: sites.TroubleConnection, faultAnswer: sites.TroubleAnswer, faultCheck: sites.TroubleCheck,
		}
		return sites.InstanceTrouble{Kind: kinds[h.kind], Since: time.Unix(0, h.out.Load())}
	case h.resting(rest):
		return sites.InstanceTrouble{Kind: sites.TroubleConnection, Since: time.Unix(0, h.unreachable.Load())}
	}
	return sites.InstanceTrouble{}
}

// leftOut reports whether requests should go elsewhere.
func (h *health) leftOut() bool {
	until := h.until.Load()
	return until != 0 && time.Now().UnixNano() < until
}

// sound notes an answer that is no fault. It lets in an instance that is left out: whether it was asked for want of a
// better one, or before that, it lives.
func (h *health) sound() {
	if !h.troubled.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = 0
	if h.leftOut() {
		h.last = time.Now()
		h.until.Store(0)
		return
	}
	h.probation = false
	h.until.Store(0)
	h.troubled.Store(h.misses > 0)
}

// letIn forgets that the instance is left out.
func (h *health) letIn() { h.until.Store(0) }

// fault notes a failure. It returns for how long the instance is left out from now on, if this is what makes it so. One
// that has just been let in again is left out at its first fault.
func (h *health) fault(kind faultKind, now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.troubled.Store(true)
	if h.leftOut() {
		return 0
	}
	if h.faults == 0 || now.Sub(h.began) > h.pace.window {
		h.faults, h.began = 0, now
	}
	if h.faults++; h.faults < h.pace.faults && !h.probation {
		return 0
	}
	return h.leaveOut(kind, now)
}

// missed notes a check that found no answer, and is like fault otherwise. What is left out already stays so until a check
// finds an answer.
func (h *health) missed(now time.Time, again time.Duration) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.troubled.Store(true)
	h.misses++
	if h.leftOut() {
		h.until.Store(max(h.until.Load(), now.Add(2*again).UnixNano()))
		return 0
	}
	if h.misses < h.pace.misses && !h.probation {
		return 0
	}
	return h.leaveOut(faultCheck, now)
}

// found notes a check that found an answer, and reports whether that ends the instance's being left out. It does not where
// the instance's answers were the reason: the check may ask for something that it can do.
func (h *health) found() bool {
	if !h.troubled.Load() {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.misses = 0
	if !h.leftOut() || h.kind == faultAnswer {
		return false
	}
	h.faults = 0
	h.last = time.Now()
	h.until.Store(0)
	h.unreachable.Store(0)
	return true
}

// leaveOut needs h.mu.
func (h *health) leaveOut(kind faultKind, now time.Time) time.Duration {
	if now.Sub(h.last) > h.pace.most {
		h.times = 0
	}
	d := min(h.pace.first<<min(h.times, 16), h.pace.most)
	h.times++
	h.faults, h.misses, h.probation, h.kind = 0, 0, true, kind
	h.last = now.Add(d)
	h.out.Store(now.UnixNano())
	h.until.Store(h.last.UnixNano())
	return d
}
