package sites

import (
	"slices"
	"sync"
	"time"
)

// conditions is what berth knows of the runtime's side of each site. It is rebuilt from the runtime at boot and
// never stored.
type conditions struct {
	mu    sync.Mutex
	sites map[SiteID]*condition
	clock uint64 // counts modifications of instances

	arrivals int64 // number of the last upload that has arrived
}

type condition struct {
	operating sync.Mutex // held while instances of the site are started or stopped

	// The rest is guarded by conditions.mu.
	serving  []serving     // in the order of their starts, as far as that is known; replaced, never written to
	modified uint64        // conditions.clock when serving was last changed
	underway int           // operations waiting or running
	idle     chan struct{} // closed when underway falls to 0
	reason   string        // why the last start failed, for people
	failures int           // in a row
	retryAt  time.Time

	unpacking int             // uploads that have arrived
	newest    <-chan struct{} // closed when the last of them has ended
	lost      string          // why the last that has ended came to nothing, where no release tells
}

// silent reports whether the condition says nothing that is not so of a site without one.
func (cond *condition) silent() bool {
	return len(cond.serving) == 0 && cond.reason == "" && cond.underway == 0 && cond.unpacking == 0 && cond.lost == ""
}

// serving is an instance that is published.
type serving struct {
	Instance
	since uint64 // conditions.clock when it was added
}

func newConditions() conditions {
	return conditions{sites: make(map[SiteID]*condition)}
}

// of returns the site's condition, made when there is none.
func (c *conditions) of(id SiteID) *condition {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.locked(id)
}

func (c *conditions) locked(id SiteID) *condition {
	found, ok := c.sites[id]
	if !ok {
		found = &condition{}
		c.sites[id] = found
	}
	return found
}

func (c *conditions) begin(id SiteID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cond := c.locked(id)
	if cond.underway == 0 {
		cond.idle = make(chan struct{})
	}
	cond.underway++
}

// end undoes begin, and forgets a condition that says nothing any more.
func (c *conditions) end(id SiteID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cond := c.locked(id)
	cond.underway--
	if cond.underway > 0 {
		return
	}
	close(cond.idle)
	if cond.silent() {
		delete(c.sites, id)
	}
}

// beginUnpacking counts an upload that has arrived, and that has ended when done is closed. It returns its number, and the channel that
// tells the same of the one that has arrived before it, nil where that is over. What became of one before is not told any more.
func (c *conditions) beginUnpacking(id SiteID, done <-chan struct{}) (number int64, before <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arrivals++
	cond := c.locked(id)
	if cond.unpacking > 0 {
		before = cond.newest
	}
	cond.unpacking, cond.newest, cond.lost = cond.unpacking+1, done, ""
	return c.arrivals, before
}

// arrivedUntil has the numbers of arrivals go on after one.
func (c *conditions) arrivedUntil(number int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arrivals = max(c.arrivals, number)
}

// endUnpacking undoes beginUnpacking, with what is to be told of an upload that came to nothing.
func (c *conditions) endUnpacking(id SiteID, lost string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cond := c.locked(id)
	cond.unpacking, cond.lost = cond.unpacking-1, lost
	if cond.silent() {
		delete(c.sites, id)
	}
}

// uploads tells what has become of uploads beside releases.
func (c *conditions) uploads(id SiteID) (unpacking bool, lost string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cond, ok := c.sites[id]; ok {
		return cond.unpacking > 0, cond.lost
	}
	return false, ""
}

// instances are those that serve the site.
func (c *conditions) instances(id SiteID) []Instance {
	c.mu.Lock()
	defer c.mu.Unlock()
	cond, ok := c.sites[id]
	if !ok || len(cond.serving) == 0 {
		return nil
	}
	return cond.instances()
}

func (cond *condition) instances() []Instance {
	all := make([]Instance, len(cond.serving))
	for i, s := range cond.serving {
		all[i] = s.Instance
	}
	return all
}

// exchange adds an instance that serves the site from now on, where added is one, and takes others out.
func (c *conditions) exchange(id SiteID, added *Instance, removed ...Instance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cond := c.locked(id)
	c.clock++
	cond.modified = c.clock
	kept := make([]serving, 0, len(cond.serving)+1)
	for _, s := range cond.serving {
		if !slices.ContainsFunc(removed, s.is) {
			kept = append(kept, s)
		}
	}
	if added != nil {
		kept = append(kept, serving{*added, c.clock})
	}
	cond.serving = kept
}

// is reports whether both are the same instance, whatever is known of it.
func (i Instance) is(other Instance) bool { return i.ID == other.ID }

// replaceAll has other instances serve the site, or none, and clears the record of failures. It returns those before.
func (c *conditions) replaceAll(id SiteID, by []Instance) []Instance {
	c.mu.Lock()
	defer c.mu.Unlock()
	cond := c.locked(id)
	before := cond.instances()
	c.clock++
	cond.modified = c.clock
	cond.serving = make([]serving, len(by))
	for i, instance := range by {
		cond.serving[i] = serving{instance, c.clock}
	}
	cond.recover()
	return before
}

// recovered clears the record of failures: all that was to start has started.
func (c *conditions) recovered(id SiteID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.locked(id).recover()
}

func (cond *condition) recover() { cond.reason, cond.failures, cond.retryAt = "", 0, time.Time{} }

// setFailure records why an instance could not be started, and when to try again.
func (c *conditions) setFailure(id SiteID, reason string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cond := c.locked(id)
	cond.reason = reason
	cond.failures++
	cond.retryAt = now.Add(min(5*time.Second<<min(cond.failures-1, 8), 5*time.Minute))
}

// dropDead forgets instances that the runtime does not list, except those added after the clock was read: the list is
// older than they are. It returns the sites that lost some.
func (c *conditions) dropDead(alive map[string]bool, clock uint64) []SiteID {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lost []SiteID
	for id, cond := range c.sites {
		dead := func(s serving) bool { return s.since <= clock && !alive[s.ID] }
		if slices.ContainsFunc(cond.serving, dead) {
			cond.serving = slices.DeleteFunc(slices.Clone(cond.serving), dead)
			lost = append(lost, id)
		}
	}
	return lost
}

func (c *conditions) now() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clock
}

// modifiedAfter reports whether instances were added to the site or taken from it after the clock was read.
func (c *conditions) modifiedAfter(id SiteID, clock uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	cond, ok := c.sites[id]
	return ok && cond.modified > clock
}

// busy returns a channel that is closed when no operation waits or runs at the site any more; nil when none does.
func (c *conditions) busy(id SiteID) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cond, ok := c.sites[id]; ok && cond.underway > 0 {
		return cond.idle
	}
	return nil
}

// forget drops what is known of a deleted site, unless an operation still needs it.
func (c *conditions) forget(id SiteID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cond, ok := c.sites[id]; ok {
		cond.reason, cond.lost = "", ""
	}
}

// nextRetry is how long to wait until a failed site may be tried again, at most limit.
func (c *conditions) nextRetry(now time.Time, limit time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := limit
	for _, cond := range c.sites {
		if cond.retryAt.After(now) {
			wait = min(wait, cond.retryAt.Sub(now))
		}
	}
	return wait
}

// due reports whether a site that should run and does not may be tried again.
func (c *conditions) due(id SiteID, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	cond, ok := c.sites[id]
	return !ok || (cond.underway == 0 && !now.Before(cond.retryAt))
}

// retry is when a failed start is tried again; zero: none failed.
func (c *conditions) retry(id SiteID) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cond, ok := c.sites[id]; ok {
		return cond.retryAt
	}
	return time.Time{}
}

// state says what a site is doing, and why where that needs a reason.
func (c *conditions) state(site Site) (State, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cond, ok := c.sites[site.ID]
	if !ok {
		cond = &condition{}
	}
	switch {
	case site.Desired == DesiredStopped:
		return StateStopped, ""
	case len(cond.serving) > 0:
		return StateRunning, cond.reason
	case site.Active == 0 && cond.underway == 0:
		return StateEmpty, cond.reason
	case cond.reason != "" && cond.underway == 0:
		return StateFailed, cond.reason
	}
	return StateStarting, ""
}
