package proxy

import (
	"math/rand/v2"
	"slices"
	"time"
)

// group is the instances of one site. It is immutable, and has MaxInstances of package sites at most.
type group []*upstream

// pick returns the instance to ask next: of those that are in order and have not been tried, the one with the least requests
// in flight. If none is in order, the one that is out for the longest time gets its chance: better a slim one than none. It
// returns nil when enough have been tried.
func (g group) pick(done *tried, rest time.Duration) *upstream {
	switch {
	case len(g) == 0 || done.full():
		return nil
	case len(g) == 1:
		if done.has(g[0]) {
			return nil
		}
		return g[0]
	}
	var best, spare *upstream
	least := 0
	// Those that come first win draws, so each is first at times.
	for i, offset := 0, rand.IntN(len(g)); i < len(g); i++ {
		up := g[(i+offset)%len(g)]
		switch {
		case done.has(up):
		case up.leftOut() || up.resting(rest):
			if spare == nil || up.outSince() < spare.outSince() {
				spare = up
			}
		default:
			if n := up.count(); best == nil || n < least {
				best, least = up, n
			}
		}
	}
	if best == nil {
		return spare
	}
	return best
}

// mostTries is how many instances one request is sent to.
const mostTries = 3

// tried is the instances that have failed to answer one request.
type tried struct {
	list [mostTries]*upstream
	n    int
}

func (t *tried) add(up *upstream) {
	if !t.full() {
		t.list[t.n] = up
		t.n++
	}
}

// end has no further instance tried.
func (t *tried) end() { t.n = mostTries }

func (t *tried) full() bool { return t.n == mostTries }

func (t *tried) has(up *upstream) bool { return t.n > 0 && slices.Contains(t.list[:t.n], up) }
