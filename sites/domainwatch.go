package sites

import (
	"container/heap"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// looksAtOnce bounds the looks that are under way, those that people ask for among them.
const looksAtOnce = 8

// domainWatch knows when which domain is looked at next, and what the last look has shown. It is kept in memory only: after a start
// all is looked at again, what is pending first.
type domainWatch struct {
	look        DomainLook // nil: nobody looks
	own         []netip.Addr
	authorities func() []string // may be nil
	interval    time.Duration
	room        chan struct{}
	wake        chan struct{}

	mu    sync.Mutex
	known map[domainKey]*watched
	due   dueDomains // those of known that no look is under way at
}

type domainKey struct {
	site SiteID
	name string
}

func (d Domain) key() domainKey { return domainKey{d.Site, d.Name} }

// watched is what is known of a domain beside the store.
type watched struct {
	Sighting
	key    domainKey
	misses int       // looks in a row that found it elsewhere
	next   time.Time // when it is looked at
	place  int       // in due; -1: it is not there
	turn   chan struct{}
}

func newDomainWatch(cfg Config) *domainWatch {
	return &domainWatch{
		look: cfg.Domains, own: cfg.Addresses, authorities: cfg.Authorities, interval: orDefault(cfg.DomainInterval, defaultDomainBy),
		room: make(chan struct{}, looksAtOnce), wake: make(chan struct{}, 1), known: make(map[domainKey]*watched),
	}
}

// enrol has a domain looked at after a pause.
func (w *domainWatch) enrol(d Domain, pause time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plan(w.of(d.key()), pause)
}

// of is what is known of a domain. The caller holds mu.
func (w *domainWatch) of(key domainKey) *watched {
	known := w.known[key]
	if known == nil {
		known = &watched{key: key, place: -1, turn: make(chan struct{}, 1)}
		w.known[key] = known
	}
	return known
}

// turns lets one look at a domain in at a time, so that none is overwritten by one that began before it. Who has sent to the channel
// has its turn, and receives from it in the end.
func (w *domainWatch) turns(key domainKey) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.of(key).turn
}

// plan has a domain looked at after a pause, and not before. The caller holds mu.
func (w *domainWatch) plan(known *watched, pause time.Duration) {
	known.next = time.Now().Add(pause)
	if known.place < 0 {
		heap.Push(&w.due, known)
	} else {
		heap.Fix(&w.due, known.place)
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *domainWatch) forget(d Domain) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known := w.known[d.key()]; known != nil && known.place >= 0 {
		heap.Remove(&w.due, known.place)
	}
	delete(w.known, d.key())
}

// last is what the last look at a domain has shown.
func (w *domainWatch) last(d Domain) Sighting {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known := w.known[d.key()]; known != nil {
		return known.Sighting
	}
	return Sighting{}
}

// note keeps what a look has shown, and has the domain looked at again after a pause. It returns how many looks in a row have found
// it elsewhere. A domain that was forgotten meanwhile stays so.
func (w *domainWatch) note(d Domain, seen Sighting, missed func(before int) int, pause time.Duration) (misses int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.known[d.key()]
	if known == nil {
		return 0
	}
	known.Sighting, known.misses = seen, missed(known.misses)
	w.plan(known, pause)
	return known.misses
}

// say replaces what the last look at a domain has shown.
func (w *domainWatch) say(d Domain, sentence string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known := w.known[d.key()]; known != nil {
		known.Sentence = sentence
	}
}

// pause is the time until a domain is looked at again. Who has just added one waits at the screen; after days nobody does.
func (w *domainWatch) pause(d Domain, age time.Duration) time.Duration {
	longest := w.interval / 12
	switch {
	case d.State == DomainWaiting:
		return max(min(age/8, longest), min(5*time.Second, longest))
	case d.State == DomainLapsed, !d.StrayedAt.IsZero():
		return w.interval / 6
	}
	return w.interval*3/4 + rand.N(w.interval/2)
}

// first is the pause before the first look after a start.
func (w *domainWatch) first(d Domain) time.Duration {
	if d.State == DomainActive && d.StrayedAt.IsZero() {
		return rand.N(w.interval)
	}
	return rand.N(min(w.interval/12, time.Minute))
}

// take returns a domain that is due, or how long none is.
func (w *domainWatch) take(now time.Time) (key domainKey, wait time.Duration, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.due) == 0 {
		return domainKey{}, time.Hour, false
	}
	if wait = w.due[0].next.Sub(now); wait > 0 {
		return domainKey{}, wait, false
	}
	return heap.Pop(&w.due).(*watched).key, 0, true
}

// dueDomains is a heap, the earliest first.
type dueDomains []*watched

func (q dueDomains) Len() int           { return len(q) }
func (q dueDomains) Less(i, j int) bool { return q[i].next.Before(q[j].next) }

func (q dueDomains) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *dueDomains) Push(x any) {
	known := x.(*watched)
	known.place = len(*q)
	*q = append(*q, known)
}

func (q *dueDomains) Pop() any {
	last := (*q)[len(*q)-1]
	(*q)[len(*q)-1] = nil
	*q = (*q)[:len(*q)-1]
	last.place = -1
	return last
}
