package acme

import (
	"testing"
	"time"

	"berth/acme/acmetest"
)

func TestRecreatedSiteIsBudgeted(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1})
	front := ca.NewFront(t)
	m := run(t, Config{CA: at(front), Challenges: zone, PerSite: true})
	m.zoneValid(t)
	before := front.Orders()
	for range ratePerName.burst {
		m.Apply(create(site("again")))
		m.valid(t, "again."+testZone)
		m.Apply(gone("again"))
	}
	m.Apply(create(site("again")))
	m.Apply(create(site("other"))) // behind it
	m.valid(t, "other."+testZone)
	m.waits(t, "again."+testZone, ratePerName.every)
	if got := front.Orders() - before; got != ratePerName.burst+1 {
		t.Errorf("%d orders, want %d of the one name and one of the other", got, ratePerName.burst)
	}
}

func TestNewSitesAreBudgeted(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1, Validity: 15 * time.Second})
	front := ca.NewFront(t)
	m := run(t, Config{CA: at(front), Challenges: zone, PerSite: true})
	m.mu.Lock()
	m.queue.lines[0].budget.ofSites = rate{burst: 2, every: time.Hour}
	m.mu.Unlock()
	m.Apply(full(site("a"), site("b"))) // the zone's own cost nothing
	m.zoneValid(t)
	m.valid(t, "a."+testZone, "b."+testZone)
	serial := m.Certificate("a." + testZone).Serial
	m.Apply(create(site("c")))
	eventually(t, wait, "a is renewed", func() bool { return m.Certificate("a."+testZone).Serial != serial })
	m.waits(t, "c."+testZone, time.Hour)

	m.mu.Lock()
	m.queue.lines[0].budget.full = time.Now().Add(time.Hour + time.Second) // as if the hour was nearly over
	m.mu.Unlock()
	m.rouse()
	m.valid(t, "c."+testZone)
	if got := m.Certificate("c." + testZone).LastError; got != "" {
		t.Errorf("c still reports %q", got)
	}
}

func TestInternalCAIsNotBudgeted(t *testing.T) {
	m := run(t, Config{CA: CA{Directory: "internal"}, PerSite: true})
	for range 2 * ratePerName.burst {
		m.Apply(create(site("again")))
		m.valid(t, "again."+testZone)
		m.Apply(gone("again"))
	}
}

func TestBudget(t *testing.T) {
	b := budget{perName: rate{3, time.Hour}, ofSites: rate{5, time.Minute}}
	now := time.Now()
	free := func(name string) bool { return !later(b.at(), b.nameAt(name)).After(now) }
	drain := func(name string) int {
		for taken := 0; ; taken++ {
			if !free(name) {
				return taken
			}
			b.take(name, 1, now)
		}
	}
	if got := drain("a"); got != 3 {
		t.Errorf("%d of one name at once, want 3", got)
	}
	if got := drain("b"); got != 2 {
		t.Errorf("%d of another, want the 2 that are left altogether", got)
	}
	b.giveBack("b", 1, true)
	if free("b") || free("c") {
		t.Error("an order that the CA has counted was free")
	}
	b.take("b", 1, now)
	b.giveBack("b", 1, false)
	b.giveBack("b", 1, false)
	b.hold("b", now.Add(time.Minute), 1, false)
	if free("b") || !free("c") {
		t.Error("a failed order that the CA has not counted is to cost nothing but a pause of its name")
	}
	now = now.Add(time.Hour)
	if got := drain("a"); got != 1 {
		t.Errorf("%d of the name after an hour, want 1", got)
	}
	now = now.Add(24 * time.Hour)
	b.forget(now)
	if got := b.had(1, now); got != 5 {
		t.Errorf("the account has had %d, want the 4 that the CA took and the one that it counted", got)
	}
	b.forget(now.Add(week))
	if len(b.names)+len(b.taken) != 0 {
		t.Errorf("remembered for nothing: %v, %v", b.names, b.taken)
	}
	if got := drain("a"); got != 3 {
		t.Errorf("%d of the name after a day, want 3", got)
	}
}
