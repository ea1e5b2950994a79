package acme

import (
	"math/rand/v2"
	"time"
)

// pace says how long to wait between tries: first after the first failure, twice as long after each further one,
// at most last.
type pace struct {
	first, last time.Duration
}

var (
	// A CA that does not answer is often back at once, and certificates can be short-lived.
	paceOutage = pace{first: 5 * time.Second, last: 10 * time.Minute}
	// A CA that limits us, and a fault that lasts until somebody mends it.
	paceRefusal = pace{first: time.Minute, last: time.Hour}
	// The same of a domain that is not in our zone.
	paceElsewhere = pace{first: time.Minute, last: 6 * time.Hour}
)

// after is the wait after so many failures in a row, give or take a tenth, so that hosts that failed together spread out.
func (p pace) after(failures int) time.Duration {
	wait := p.last
	if shift := failures - 1; shift < 16 && p.first<<shift < p.last {
		wait = p.first << shift
	}
	return wait - wait/10 + rand.N(wait/5+1)
}

// gate keeps us from a CA that is in trouble, or from what it limits, whatever the host: one request for all of them finds
// out whether it is over.
type gate struct {
	failures int       // in a row
	until    time.Time // nothing is asked before
	since    time.Time // when until was last set
	closed   time.Time // when it last closed because of a failure
	told     bool      // the CA wants it so, and has not only failed
}

// refuses reports whether the CA is not to be had for some time: by its own words, or as it has failed more than once.
func (g *gate) refuses(now time.Time) bool {
	return g.until.After(now) && (g.told || g.failures > 1)
}

// shut keeps the gate closed until that time at least, and notes whether the CA has told us to stay away.
func (g *gate) shut(until, now time.Time, told bool) {
	if until.After(g.until) {
		g.failures = max(g.failures, 1)
		g.until, g.since, g.told = until, now, told
	}
}

// fail notes that what was started at that time failed because of the CA. What was under way already
// when the gate closed tells nothing new, but what the CA asks for is kept to.
func (g *gate) fail(f failure, started, now time.Time) {
	if g.failures == 0 || started.After(g.closed) {
		g.failures++
		g.closed = now
		g.shut(now.Add(f.pace.after(g.failures)), now, f.pace == paceRefusal)
	}
	g.shut(f.until, now, true)
}

// open notes that what was started at that time has been done by the CA. If it has sent us away meanwhile, we stay away.
func (g *gate) open(started time.Time) {
	if started.After(g.closed) {
		g.failures = 0
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// holds reports how long the gate holds up a host of the zone itself, which all sites lean on: at most for a
// quarter of what its certificate had left when the gate closed.
func (g *gate) holds(h *host, now time.Time) time.Duration {
	end := g.until
	if f := h.facts.Load(); f.current(g.since) {
		if quarter := g.since.Add(f.notAfter.Sub(g.since) / 4); quarter.Before(end) {
			end = quarter
		}
	}
	return end.Sub(now)
}

// retryIn is the wait before a host is tried again. A certificate that is being served and would run out is
// tried more often than the pace says, each time after a quarter of what is left.
func retryIn(p pace, attempts int, left time.Duration) time.Duration {
	return beforeEnd(p.after(attempts), left)
}

// beforeEnd shortens a wait to a quarter of what a certificate has left, if anything.
func beforeEnd(wait, left time.Duration) time.Duration {
	if left <= 0 {
		return wait
	}
	return min(wait, max(left/4, paceOutage.first))
}
