package acme

import (
	"container/heap"
	"time"

	"berth/sites"
)

// class orders the work that can be done now.
type class int

const (
	classZone   class = iota // the zone's own names: every site leans on the wildcard
	classRenew               // something that would run out
	classRevoke              // of sites that are gone
	classOrder               // of new sites: the wildcard serves them meanwhile
	classAdvice              // asking the CA when to renew
	classes
)

// task is a host's place in the queue.
type task struct {
	state taskState
	class class
	again bool            // running: there was news, so it is not over with this
	at    time.Time       // waiting: when it is tried again
	index int             // waiting: position in the heap
	ca    int             // running: which CA is asked
	first bool            // running: for a certificate that counts as the host's first one from this CA
	by    sites.AccountID // ready, running: whose turn it takes
}

type taskState int

const (
	taskIdle taskState = iota
	taskReady
	taskWaiting // for another try, after a failure
	taskRunning
)

// queue holds the hosts that need work, each once, so the work of one host is done in order. It is a plain
// structure, guarded by Manager.mu.
type queue struct {
	limit   int // how many hosts a CA is asked for at a time
	ready   [classes]turns
	waiting waitHeap
	lines   []*line // to the CAs, the first choice first
}

// add queues work for a host. News says that what is to be done has changed, so a host that waits after
// a failure waits no longer, and one that is being worked on has its turn again.
func (q *queue) add(h *host, c class, news bool) {
	if h.zone {
		c = classZone
	}
	switch h.task.state {
	case taskReady:
		if h.task.class == c {
			return
		}
		q.unready(h) // a deleted site does not wait until orders go on
	case taskRunning:
		h.task.again = h.task.again || news
		return
	case taskWaiting:
		if !news {
			return
		}
		heap.Remove(&q.waiting, h.task.index)
	}
	h.task.class = c
	q.makeReady(h)
}

func (q *queue) makeReady(h *host) {
	h.task.state, h.task.by = taskReady, h.owner
	q.ready[h.task.class].add(h)
}

func (q *queue) unready(h *host) { q.ready[h.task.class].remove(h) }

// wait has the host wait until that time.
func (q *queue) wait(h *host, at time.Time) {
	h.task.state, h.task.at = taskWaiting, at
	heap.Push(&q.waiting, h)
}

// next takes the host to be worked on now. Without one it returns how long there will be none, if nothing is added or done.
func (q *queue) next(now time.Time) (*host, time.Duration) {
	for len(q.waiting) > 0 && !now.Before(q.waiting[0].task.at) {
		q.makeReady(heap.Pop(&q.waiting).(*host))
	}
	h, pause := q.pick(now)
	if h != nil {
		q.start(h, now)
		return h, 0
	}
	if len(q.waiting) > 0 {
		pause = min(pause, q.waiting[0].task.at.Sub(now))
	}
	return nil, pause
}

// pick finds the first host that is let through, or says how long none of those that are ready is.
func (q *queue) pick(now time.Time) (*host, time.Duration) {
	pause := forever
	for c := range classes {
		if c == classOrder {
			if wait := q.ordersAt(now).Sub(now); wait > 0 {
				pause = min(pause, wait)
				continue
			}
		}
		h, wait := q.pickOf(c, now)
		if h != nil {
			return h, 0
		}
		pause = min(pause, wait)
	}
	return nil, pause
}

// heldLooks is how often hosts that have to wait are looked at again: what they wait for may come earlier, as when others leave.
const heldLooks = time.Hour

// pickOf is pick for one class. Hosts that have to wait for reasons of their own are put aside, so they are in nobody's way.
func (q *queue) pickOf(c class, now time.Time) (*host, time.Duration) {
	for {
		pause, aside := forever, false
		for _, h := range q.ready[c].first(lookahead, func(by sites.AccountID) int { return q.had(by, now) }) {
			ca, at, held := q.choose(h, now)
			switch {
			case !at.After(now):
				h.task.ca = ca
				return h, 0
			case held:
				q.unready(h)
				q.wait(h, now.Add(min(at.Sub(now), heldLooks)))
				aside = true
			default:
				pause = min(pause, at.Sub(now))
			}
		}
		if !aside {
			return nil, pause
		}
	}
}

// ordersAt is when any first certificate may be ordered at all. Until then nobody has to be looked at, however many are ready.
func (q *queue) ordersAt(now time.Time) time.Time {
	soonest := now.Add(forever)
	for _, l := range q.lines {
		if at := later(l.gate.until, l.budget.at()); l.running < l.limit(q.limit) && at.Before(soonest) {
			soonest = at
		}
	}
	return soonest
}

// had is how many orders an account has had in the last week, of whatever CA.
func (q *queue) had(by sites.AccountID, now time.Time) int {
	had := 0
	for _, l := range q.lines {
		had += l.budget.had(by, now)
	}
	return had
}

// choose finds the CA that may be asked for a host first, and when. That is the one that has issued its certificate, or
// the first choice; another one only where that refuses. Held means that it is the host which has to wait, not the CA.
func (q *queue) choose(h *host, now time.Time) (ca int, at time.Time, held bool) {
	ca = h.home()
	at, held = q.opens(h, ca, now)
	if !at.After(now) || h.task.class == classRevoke || h.task.class == classAdvice || !q.lines[ca].refuses(h, now) {
		return ca, at, held
	}
	for i := range q.lines {
		if i == h.home() {
			continue
		}
		other, otherHeld := q.opens(h, i, now)
		held = held && otherHeld
		if other.Before(at) {
			ca, at = i, other
		}
	}
	return ca, at, held
}

// opens is when a CA may be asked for a host, and whether it is the host that has to wait.
func (q *queue) opens(h *host, ca int, now time.Time) (at time.Time, held bool) {
	l := q.lines[ca]
	if l.running >= l.limit(q.limit) {
		return now.Add(forever), false // until one of them is done
	}
	frees := l.frees(h, now)
	return later(frees, l.opens(h, now)), frees.After(now)
}

// orderAt is when the certificate of a new site may be ordered; zero: nothing holds it up, or it is being ordered.
func (q *queue) orderAt(h *host, now time.Time) time.Time {
	if h.zone || h.task.state == taskRunning && h.task.class == classOrder {
		return time.Time{}
	}
	at := func(l *line) time.Time { return later(l.nameAt(h, now), l.orderAt(h)) }
	soonest := at(q.lines[0])
	for _, other := range q.lines[1:] {
		if q.lines[0].refuses(h, now) && at(other).Before(soonest) {
			soonest = at(other)
		}
	}
	return soonest
}

// retryAt is when a host that has failed is asked for again; a time that is over: as soon as there is room.
func (q *queue) retryAt(h *host, now time.Time) time.Time {
	_, at, _ := q.choose(h, now)
	if !at.Before(now.Add(forever)) {
		at = now // it waits for others that are being asked for
	}
	if h.task.state == taskWaiting {
		return later(at, h.task.at)
	}
	return at
}

func (q *queue) start(h *host, now time.Time) {
	q.unready(h)
	h.task.state = taskRunning
	l := q.lines[h.task.ca]
	l.running++
	if h.budgeted() {
		l.budget.take(h.name, h.task.by, now)
	}
	if h.task.first = h.without(h.task.ca); h.task.first {
		l.weekly.begin(registered(h.name), h.task.by)
	}
}

// succeed notes that the CA has done what was started for the host at that time.
func (q *queue) succeed(h *host, started time.Time) {
	l := q.lines[h.task.ca]
	l.gate.open(started)
	if h.task.class == classOrder {
		l.orders.open(started)
	}
}

// fail notes why the CA has not done what was started for the host at that time, which is tried there again later.
func (q *queue) fail(h *host, why failure, retry, started, now time.Time) {
	l := q.lines[h.task.ca]
	switch why.scope {
	case scopeCA:
		l.gate.fail(why, started, now)
	case scopeOrders:
		l.orders.fail(why, started, now)
	}
	if h.budgeted() {
		l.budget.giveBack(h.name, h.task.by, why.counted)
	}
	if h.task.class != classRevoke {
		l.budget.hold(h.name, retry, l.budget.names[h.name].failures+1, why.limited)
	}
}

// again is when a host that has failed is tried again: where another CA may be asked, that is earlier.
func (q *queue) again(h *host, retry, now time.Time) time.Time {
	if h.task.class == classRevoke {
		return retry
	}
	if _, at, _ := q.choose(h, now); at.Before(retry) {
		return at
	}
	return retry
}

// done ends the work on a host. A retry time other than zero says when it is tried again, unless there was news.
func (q *queue) done(h *host, retry time.Time) {
	l := q.lines[h.task.ca]
	l.running--
	if h.task.first {
		l.weekly.end(registered(h.name), h.task.by)
	}
	again := h.task.again
	h.task.state, h.task.again = taskIdle, false
	if retry.IsZero() || again {
		return
	}
	q.wait(h, retry)
}

// forever is longer than any wait.
const forever = 24 * time.Hour

// waitHeap orders hosts by when they are tried again.
type waitHeap []*host

func (w waitHeap) Len() int           { return len(w) }
func (w waitHeap) Less(i, j int) bool { return w[i].task.at.Before(w[j].task.at) }

func (w waitHeap) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].task.index, w[j].task.index = i, j
}

func (w *waitHeap) Push(x any) {
	h := x.(*host)
	h.task.index = len(*w)
	*w = append(*w, h)
}

func (w *waitHeap) Pop() any {
	old := *w
	h := old[len(old)-1]
	old[len(old)-1] = nil
	*w = old[:len(old)-1]
	return h
}
