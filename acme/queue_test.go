package acme

import (
	"testing"
	"time"
)

func names(q *queue, now time.Time) []string {
	var list []string
	for {
		h, _ := q.next(now)
		if h == nil {
			return list
		}
		list = append(list, h.name)
	}
}

// newQueue is one with a line to one CA that has no budgets.
func newQueue(limit int) *queue { return &queue{limit: limit, lines: []*line{{}}} }

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestQueueOrdersByClass(t *testing.T) {
	q := newQueue(100)
	q.add(&host{name: "order 1"}, classOrder, true)
	q.add(&host{name: "order 2"}, classOrder, true)
	q.add(&host{name: "advice"}, classAdvice, false)
	q.add(&host{name: "revoke"}, classRevoke, true)
	q.add(&host{name: "renew"}, classRenew, false)
	q.add(&host{name: "zone", zone: true}, classOrder, false)
	want := []string{"zone", "renew", "revoke", "order 1", "order 2", "advice"}
	if got := names(q, time.Now()); !equal(got, want) {
		t.Errorf("order is %q, want %q", got, want)
	}
}

func TestQueueWorksOnAHostOnceAtATime(t *testing.T) {
	q, now := newQueue(100), time.Now()
	h := &host{name: "h"}
	q.add(h, classOrder, true)
	q.add(h, classOrder, true)
	if got := names(q, now); !equal(got, []string{"h"}) {
		t.Fatalf("got %q", got)
	}
	q.add(h, classRevoke, true) // while it is being worked on
	if got := names(q, now); len(got) != 0 {
		t.Fatalf("%q is worked on twice at a time", got)
	}
	q.done(h, now.Add(time.Hour)) // failed, but there was news
	q.add(h, classRevoke, false)
	if got := names(q, now); !equal(got, []string{"h"}) {
		t.Errorf("after news got %q", got)
	}
}

func TestQueueRetries(t *testing.T) {
	q, now := newQueue(100), time.Now()
	soon, later := &host{name: "soon"}, &host{name: "later"}
	for _, h := range []*host{later, soon} {
		q.add(h, classOrder, true)
	}
	names(q, now)
	q.done(later, now.Add(time.Hour))
	q.done(soon, now.Add(time.Minute))
	q.add(later, classOrder, false) // nothing new: keeps waiting
	if h, wait := q.next(now); h != nil || wait != time.Minute {
		t.Errorf("next is %v in %v, want nothing for a minute", h, wait)
	}
	if got := names(q, now.Add(time.Minute)); !equal(got, []string{"soon"}) {
		t.Errorf("after a minute got %q", got)
	}
	q.add(later, classRevoke, true)
	if got := names(q, now.Add(time.Minute)); !equal(got, []string{"later"}) {
		t.Errorf("after news got %q", got)
	}
}

func TestGateLetsOneThrough(t *testing.T) {
	q, now := newQueue(3), time.Now()
	var hosts []*host
	for _, name := range []string{"a", "b", "c", "d"} {
		h := &host{name: name}
		hosts = append(hosts, h)
		q.add(h, classOrder, true)
	}
	if got := names(q, now); len(got) != 3 {
		t.Fatalf("%q at a time, want 3", got)
	}
	for _, h := range hosts[:3] { // all three fail, which is one failure of the CA
		q.done(h, now.Add(time.Second))
		q.lines[0].gate.fail(failure{pace: paceOutage}, now, now)
	}
	if q.lines[0].gate.failures != 1 {
		t.Errorf("%d failures of the CA are counted", q.lines[0].gate.failures)
	}
	if got := names(q, now.Add(time.Second)); len(got) != 0 {
		t.Errorf("%q is asked right after", got)
	}
	after := now.Add(2 * paceOutage.first)
	if got := names(q, after); len(got) != 1 {
		t.Fatalf("%q find out whether the CA is back, want one", got)
	}
	q.lines[0].gate.fail(failure{pace: paceOutage}, after, after)
	if pause := q.lines[0].gate.until.Sub(after); pause < 9*time.Second || pause > 11*time.Second {
		t.Errorf("second pause is %v, want twice the first", pause)
	}
	q.lines[0].gate.open(now)
	again := after.Add(4 * paceOutage.first)
	if got := names(q, again); len(got) != 0 {
		t.Errorf("%q is asked because of what was done before the CA failed", got)
	}
	q.lines[0].gate.open(again)
	if got := names(q, again); len(got) != 2 {
		t.Errorf("%q at a time when the CA is back, want to fill up to 3", got)
	}
}

func TestPace(t *testing.T) {
	near := func(got, want time.Duration) bool { return got >= want-want/10 && got <= want+want/10+1 }
	for failures, want := range map[int]time.Duration{1: time.Minute, 2: 2 * time.Minute, 5: 16 * time.Minute, 7: time.Hour, 1000: time.Hour} {
		if got := paceRefusal.after(failures); !near(got, want) {
			t.Errorf("after %d failures: %v, want about %v", failures, got, want)
		}
	}
	// What is being served is tried more often before it ends, and never without a pause.
	for left, want := range map[time.Duration]time.Duration{20 * time.Second: 5 * time.Second, time.Second: 5 * time.Second, time.Minute: 15 * time.Second} {
		if got := retryIn(paceRefusal, 10, left); got != want {
			t.Errorf("with %v left: %v, want %v", left, got, want)
		}
	}
	if got := retryIn(paceRefusal, 10, -time.Hour); !near(got, time.Hour) {
		t.Errorf("after its end: %v, want about an hour", got)
	}
}

func TestGateDoesNotHoldTheZoneForLong(t *testing.T) {
	q, now := newQueue(3), time.Now()
	own, site := &host{name: "own", zone: true}, &host{name: "site"}
	own.facts.Store(&facts{notBefore: now.Add(-time.Hour), notAfter: now.Add(time.Hour)})
	q.add(own, classRenew, false)
	q.add(site, classRenew, false)
	q.lines[0].gate.fail(failure{pace: paceRefusal, until: now.Add(10 * time.Hour)}, now, now)
	if h, pause := q.next(now); h != nil || pause != 15*time.Minute {
		t.Fatalf("%v in %v, want nothing for a quarter of what is left", h, pause)
	}
	if got := names(q, now.Add(15*time.Minute)); !equal(got, []string{"own"}) {
		t.Fatalf("%q then, want the zone's own", got)
	}
	q.done(own, time.Time{})
	if h, pause := q.next(now.Add(15 * time.Minute)); h != nil || pause != 10*time.Hour-15*time.Minute {
		t.Errorf("%v in %v, want the site to wait as the CA asks", h, pause)
	}

	none := &host{name: "none", zone: true}
	q.add(none, classOrder, true)
	if got := names(q, now.Add(time.Hour)); len(got) != 0 {
		t.Errorf("%q has nothing left that could end", got)
	}
}

func TestDeletedSiteDoesNotWaitForOrders(t *testing.T) {
	q, now := newQueue(3), time.Now()
	h, other := &host{name: "h"}, &host{name: "other"}
	q.add(h, classOrder, true)
	q.add(other, classOrder, true)
	q.lines[0].orders.fail(failure{pace: paceRefusal, until: now.Add(time.Hour)}, now, now)
	if got := names(q, now); len(got) != 0 {
		t.Fatalf("%q is ordered though orders are held up", got)
	}
	q.add(h, classRevoke, true)
	if got := names(q, now); !equal(got, []string{"h"}) {
		t.Errorf("%q is worked on, want only the deleted one", got)
	}
	q.done(h, time.Time{})
	if got := names(q, now.Add(time.Hour)); !equal(got, []string{"other"}) {
		t.Errorf("%q is worked on after an hour", got)
	}
}

// Sites that wait for the zone's limit, however many, stand in nobody's way.
func TestLimitOfTheZoneHoldsUpNoOtherDomain(t *testing.T) {
	q, now := newQueue(3), time.Now()
	q.lines[0].orders.fail(failure{pace: paceRefusal, until: now.Add(time.Hour)}, now, now)
	for range 2 * lookahead {
		q.add(&host{name: "site"}, classOrder, true)
	}
	q.add(&host{name: "custom", outside: true}, classOrder, true)
	if got := names(q, now); !equal(got, []string{"custom"}) {
		t.Errorf("%q is ordered, want the domain that is not in the zone", got)
	}
	if got := names(q, now.Add(time.Hour)); len(got) != 2 {
		t.Errorf("after an hour %d are ordered, want what there is room for beside the first", len(got))
	}
}
