package acme

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"berth/acme/acmetest"
	"berth/sites"
)

func TestNextOrderIsForWhoHasHadTheFewest(t *testing.T) {
	q, now := newQueue(100), time.Now()
	add := func(by sites.AccountID, hosts ...string) {
		for _, name := range hosts {
			q.add(&host{name: name, owner: by}, classOrder, true)
		}
	}
	for i := range 2 * lookahead {
		add(1, fmt.Sprintf("many %d", i))
	}
	add(2, "a", "b")
	add(3, "c")
	q.lines[0].budget.spend(3, now.Add(-time.Hour))
	q.limit = 6
	want := []string{"many 0", "a", "many 1", "b", "c", "many 2"}
	if got := names(q, now); !slices.Equal(got, want) {
		t.Errorf("the order is %q, want %q", got, want)
	}
}

func TestHostsThatWaitForTheirAccountAreInNobodysWay(t *testing.T) {
	q, now := newQueue(100), time.Now()
	l := q.lines[0]
	l.weekly = tally{limit: 8, holders: holders{"zone.test": {1: 1, 2: 1}}}
	for range 4 {
		l.weekly.add("zone.test", 1, now)
	}
	for i := range 2 * lookahead {
		q.add(&host{name: fmt.Sprintf("m%d.zone.test", i), owner: 1}, classOrder, true)
	}
	q.add(&host{name: "a.zone.test", owner: 2}, classOrder, true)
	if got := names(q, now); !slices.Equal(got, []string{"a.zone.test"}) {
		t.Errorf("%q are ordered, want only that of who has had none", got)
	}
	l.weekly.holders.add("zone.test", 2, -1) // nobody is left to be considerate of
	if got := names(q, now.Add(heldLooks)); len(got) != 3 {
		t.Errorf("%q are ordered by who shares with nobody, want the 3 that are left", got)
	}
}

// owned is a published site of an account.
func owned(by sites.AccountID, name string) sites.Published {
	s := site(name)
	s.Owner = by
	return s
}

// validOf counts the hosts of those names that have a certificate of their own.
func (r *runner) validOf(names ...string) int {
	valid := 0
	for _, name := range names {
		if r.state(name+"."+testZone) == sites.CertificateValid {
			valid++
		}
	}
	return valid
}

func TestOneAccountDoesNotUseUpTheWeek(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1})
	front := ca.NewFront(t)
	cfg := Config{Dir: t.TempDir(), CA: at(front), Challenges: zone, PerSite: true}
	cfg.CA.WeeklyLimit = 10 // two are the zone's
	var (
		many []string
		all  []sites.Published
	)
	for i := range 9 {
		many = append(many, fmt.Sprintf("m%d", i))
		all = append(all, owned(1, many[i]))
	}
	all = append(all, owned(2, "a"))
	m := run(t, cfg)
	m.Apply(full(all...))
	m.zoneValid(t)
	m.valid(t, "a."+testZone)
	eventually(t, wait, "the many have their share", func() bool { return m.validOf(many...) == 4 })
	m.stop()

	again := run(t, cfg)
	all = append(all, owned(2, "b"), owned(3, "c"))
	again.Apply(full(all...))
	again.valid(t, "b."+testZone, "c."+testZone)
	if got := again.validOf(many...); got != 4 || front.Orders() != 9 {
		t.Errorf("%d of the many have certificates after %d orders, want 4 after 9: one is left for others", got, front.Orders())
	}
	waiting := slices.IndexFunc(many, func(name string) bool { return again.validOf(name) == 0 })
	again.waits(t, many[waiting]+"."+testZone, week)
	if err := again.Renew(many[waiting] + "." + testZone); err == nil {
		t.Error("what waits can be demanded")
	}
}

func TestOwnerOfAHost(t *testing.T) {
	m := run(t, Config{CA: CA{Directory: "internal"}, PerSite: true})
	m.Apply(full(owned(1, "a"), owned(1, "b")))
	m.Apply(create(owned(2, "a")))
	m.mu.Lock()
	if got := m.holders[testZone]; len(got) != 2 || got[1] != 1 || got[2] != 1 {
		t.Errorf("the zone is held by %v", got)
	}
	m.mu.Unlock()
	m.Apply(gone("a"))
	m.Apply(full())
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.holders) != 0 {
		t.Errorf("nobody has a site, but the zone is held by %v", m.holders)
	}
}
