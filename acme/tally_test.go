package acme

import (
	"testing"
	"time"

	"berth/acme/acmetest"
	"berth/sites"
)

// Orders are made several at a time, so those under way must count, or the limit would be passed by as many.
func TestOrdersUnderWayCount(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1})
	front := ca.NewFront(t)
	cfg := Config{CA: at(front), Challenges: zone, PerSite: true}
	cfg.CA.WeeklyLimit = 4 // two are the zone's
	m := run(t, cfg)
	m.Apply(full(site("a"), site("b"), site("c"), site("d"), site("e")))
	m.zoneValid(t)
	var waiting []string
	eventually(t, wait, "two sites have certificates", func() bool {
		waiting = nil
		for _, c := range m.Certificates() {
			if c.State != sites.CertificateValid {
				waiting = append(waiting, c.Host)
			}
		}
		return len(waiting) == 3
	})
	for _, host := range waiting {
		m.waits(t, host, week)
	}
	if got := front.Orders(); got != cfg.CA.WeeklyLimit {
		t.Errorf("%d orders, want no more than %d", got, cfg.CA.WeeklyLimit)
	}
}

func TestOrderThatFailsMakesRoom(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1})
	front := ca.NewFront(t)
	cfg := Config{CA: at(front), Challenges: zone, PerSite: true}
	cfg.CA.WeeklyLimit = 3
	m := run(t, cfg)
	m.zoneValid(t)
	limitName(front, "a."+testZone, limitExactSet)
	m.Apply(create(site("a"), site("b")))
	m.valid(t, "b."+testZone)
	if got := m.state("a." + testZone); got == sites.CertificateValid {
		t.Errorf("a is %q; what made room?", got)
	}
}

func TestTally(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b := tally{limit: 3}
	for day := range 5 {
		b.add("example.org", 1, start.Add(time.Duration(day)*24*time.Hour))
	}
	now := start.Add(5 * 24 * time.Hour)
	if got := b.used("example.org", now); got != 5 {
		t.Errorf("%d are used, want 5", got)
	}
	if got, want := b.at("example.org", 1, now), start.Add(2*24*time.Hour).Add(week); !got.Equal(want) {
		t.Errorf("there is room from %v, want %v: three must have left", got, want)
	}
	if !b.at("example.net", 1, now).IsZero() {
		t.Error("another domain is held up as well")
	}
	later := start.Add(week + 3*24*time.Hour)
	b.forget(later)
	if got := b.used("example.org", later); got != 1 || len(b.issued["example.org"]) != 1 {
		t.Errorf("after a week %d are used, %d are remembered", got, len(b.issued["example.org"]))
	}
	b.limit = 1
	b.begin("example.net", 1)
	if got := b.at("example.net", 1, now); !got.Equal(now.Add(underWayLooks)) {
		t.Errorf("beside the last one, which is under way, there is room from %v", got)
	}
	b.end("example.net", 1)
	if !b.at("example.net", 1, now).IsZero() {
		t.Error("an order that has ended holds others up")
	}
	b.limit = 0
	if !b.at("example.org", 1, now).IsZero() {
		t.Error("an unknown limit holds somebody up")
	}
}

func TestRegisteredDomain(t *testing.T) {
	for host, want := range map[string]string{
		"a.b.example.org": "example.org", "*.sites.example.co.uk": "example.co.uk", "example.org": "example.org", "zone.test": "zone.test", "com": "com",
	} {
		if got := registered(host); got != want {
			t.Errorf("%s belongs to %s, want %s", host, got, want)
		}
	}
}

func TestShareOfTheWeek(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b := tally{limit: 10, holders: make(holders)}
	greedy := func(by sites.AccountID, now time.Time) int {
		for taken := 0; ; taken++ {
			if !b.at("example.org", by, now).IsZero() {
				return taken
			}
			b.add("example.org", by, now)
		}
	}
	for by := range sites.AccountID(5) {
		b.holders.add("example.org", by, 1)
	}
	for by, want := range []int{5, 3, 1, 1, 0} { // each half of what is left
		if got := greedy(sites.AccountID(by), start.Add(time.Duration(by)*time.Hour)); got != want {
			t.Errorf("account %d gets %d, want %d", by, got, want)
		}
	}
	now := start.Add(5 * time.Hour)
	if got, want := b.at("example.org", 4, now), start.Add(week); !got.Equal(want) {
		t.Errorf("who had none gets one at %v, want %v, when the first five are over", got, want)
	}
	// Its own three must be over as well before there are more left than it has had.
	if got, want := b.at("example.org", 1, now), start.Add(week); !got.Equal(want) {
		t.Errorf("who had three gets another at %v, want %v", got, want)
	}
	now = start.Add(week - time.Minute)
	if got, want := b.at("example.org", 0, now), start.Add(week); !got.Equal(want) {
		t.Errorf("who had five gets another at %v, want %v", got, want)
	}
	for by := range sites.AccountID(5) {
		b.holders.add("example.org", by, -1)
	}
	b.holders.add("example.org", 9, 1)
	b.issued = nil
	if got := greedy(9, start); got != 10 {
		t.Errorf("who shares with nobody gets %d, want all", got)
	}
	if b.holders.add("example.org", 9, -1); len(b.holders) != 0 {
		t.Errorf("remembered for nothing: %v", b.holders)
	}
}
