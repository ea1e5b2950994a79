package acme

import (
	"os"
	"regexp"
	"testing"
	"time"

	"berth/acme/acmetest"

	"github.com/caddyserver/certmagic"
)

// watch checks for a while that every handshake gets a certificate that is valid at that moment, and returns how many
// different ones each name got.
func watch(t *testing.T, m *runner, ca *acmetest.Pebble, period time.Duration, names ...string) map[string]int {
	t.Helper()
	roots := ca.IssuerPool(t)
	seen := make(map[string]map[string]bool)
	for _, name := range names {
		seen[name] = make(map[string]bool)
	}
	during(t, period, func() {
		for _, name := range names {
			m.verify(t, name, roots)
			seen[name][serial(m.presented(t, name))] = true
		}
	})
	counts := make(map[string]int)
	for name, serials := range seen {
		counts[name] = len(serials)
	}
	return counts
}

func TestRenewsInTime(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, Validity: 30 * time.Second})
	// The interval would be far too long; the lifetimes shorten it.
	m := run(t, Config{CA: at(ca), Challenges: zone, PerSite: true, RenewInterval: time.Hour})
	m.Apply(full(site("hello")))
	m.zoneValid(t)
	m.valid(t, "hello."+testZone)
	for name, count := range watch(t, m, ca, 34*time.Second, testZone, "hello."+testZone, "other."+testZone) {
		if count < 2 {
			t.Errorf("%s was presented with %d certificates in more than a lifetime", name, count)
		}
	}
}

// TestSoak takes more than two minutes, so it runs only when asked for.
func TestSoak(t *testing.T) {
	if os.Getenv("BERTH_SOAK") == "" {
		t.Skip("set BERTH_SOAK=1 to watch certificates of 60 seconds for 130 seconds")
	}
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, Validity: time.Minute, NonceReject: 20})
	m := run(t, Config{
		CA: at(ca), Challenges: zone, PerSite: true, RenewInterval: 5 * time.Second,
	})
	m.Apply(full(site("a"), site("b"), site("c"), site("d"), site("e")))
	m.zoneValid(t)
	names := []string{testZone, "other." + testZone}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		m.valid(t, name+"."+testZone)
		names = append(names, name+"."+testZone)
	}
	for name, count := range watch(t, m, ca, 130*time.Second, names...) {
		if count < 3 {
			t.Errorf("%s was presented with %d certificates in more than two lifetimes", name, count)
		}
		t.Logf("%s: %d certificates", name, count)
	}
}

func TestRenewalTimes(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	plain := facts{notBefore: start, notAfter: start.Add(90 * day)}
	early, late := plain, plain
	early.advised, late.advised = start.Add(30*day), start.Add(80*day)
	stale := plain
	stale.adviceEnd = start.Add(day)

	for name, c := range map[string]struct {
		facts     facts
		renewal   time.Duration // after start
		ripe      time.Duration // looks are an hour apart
		stillStay time.Duration
	}{
		"last third":                  {plain, 60 * day, 60*day + 1, 60 * day},
		"advice comes first":          {early, 30 * day, 30*day - time.Hour + 1, 30*day - time.Hour},
		"advice later than is safe":   {late, 60 * day, 60*day + 1, 60 * day},
		"advice that is to be asked ": {stale, 60 * day, 60*day + 1, 60 * day},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.facts.renewal().Sub(start); got != c.renewal {
				t.Errorf("renewal after %v, want %v", got, c.renewal)
			}
			if !c.facts.ripe(start.Add(c.ripe), time.Hour) {
				t.Errorf("not ripe after %v", c.ripe)
			}
			if c.facts.ripe(start.Add(c.stillStay), time.Hour) {
				t.Errorf("ripe after %v already", c.stillStay)
			}
		})
	}
	if plain.stale(start.Add(80*day)) || stale.stale(start.Add(day)) || !stale.stale(start.Add(day+1)) {
		t.Error("advice is stale once its time is over, and only then")
	}
}

func TestAdviceIsAskedForAgain(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	cfg := Config{Dir: t.TempDir(), CA: at(ca), Challenges: zone}
	first := run(t, cfg)
	first.zoneValid(t)
	first.stop()
	facts := first.wildcard.facts.Load()
	if facts.advised.IsZero() || facts.adviceEnd.IsZero() {
		t.Fatalf("the CA's advice was not kept: %+v", facts)
	}

	// As if the time after which the CA wants to be asked again were over.
	meta := first.authorities[0].vault.storage.Filename(certmagic.StorageKeys.SiteMeta(first.authorities[0].vault.issuer, "*."+testZone))
	content, err := os.ReadFile(meta)
	if err != nil {
		t.Fatal(err)
	}
	over := regexp.MustCompile(`"_retryAfter": *"[^"]*"`).ReplaceAll(content, []byte(`"_retryAfter":"2020-01-01T00:00:00Z"`))
	if err := os.WriteFile(meta, over, 0o600); err != nil {
		t.Fatal(err)
	}
	second := run(t, cfg)
	eventually(t, wait, "the CA is asked again", func() bool {
		return second.wildcard.facts.Load().adviceEnd.After(time.Now())
	})
	if got := second.wildcard.facts.Load().serial; got != facts.serial {
		t.Error("asking for advice renewed the certificate")
	}
}
