package acme

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"berth/acme/acmetest"
	"berth/sites"
)

// The texts of Let's Encrypt.
const (
	limitExactSet = "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s"
	limitFailed   = `too many failed authorizations (5) for "a.zone.test" in the last 1h0m0s`
	limitDomain   = `too many certificates (50) already issued for "test" in the last 168h0m0s`
	limitAccount  = "too many new orders (300) from this account in the last 3h0m0s"
)

// limitName limits one name for an hour and counts its orders.
func limitName(front *acmetest.Front, name, text string) *atomic.Int32 {
	orders := new(atomic.Int32)
	front.Fail(acmetest.LimitOrders(3600, func(asked string) string {
		if asked != name {
			return ""
		}
		orders.Add(1)
		return text
	}))
	return orders
}

func TestLimitOfANameConcernsNoOther(t *testing.T) {
	for kind, text := range map[string]string{"exact set": limitExactSet, "failed validations": limitFailed} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			zone := newZoneServer(t)
			ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1})
			front := ca.NewFront(t)
			m := run(t, Config{CA: at(front), Challenges: zone, PerSite: true})
			m.Apply(full(site("old")))
			m.zoneValid(t)
			m.valid(t, "old."+testZone)
			old := m.Certificate("old." + testZone).Serial

			orders := limitName(front, "a."+testZone, text)
			m.Apply(create(site("a")))
			eventually(t, wait, "the order of a has failed", func() bool { return len(failed(m)) == 1 })
			if got := failed(m)[0].LastError; !strings.Contains(got, "a."+testZone) || !strings.Contains(got, "limits") {
				t.Errorf("what people are told: %q", got)
			}
			m.Apply(gone("old"))
			m.Apply(create(site("b")))
			m.valid(t, "b."+testZone)
			eventually(t, wait, "old is revoked", func() bool { return ca.Status(t, old) == "Revoked" })

			m.Apply(gone("a"))
			m.Apply(create(site("a")))
			m.Apply(create(site("c"))) // behind a
			m.valid(t, "c."+testZone)
			m.waits(t, "a."+testZone, time.Hour)
			if got := orders.Load(); got != 1 {
				t.Errorf("%d orders of a name that the CA limits", got)
			}
		})
	}
}

// waits checks that the order of a host waits about that long and that people are told so.
func (r *runner) waits(t *testing.T, host string, about time.Duration) {
	t.Helper()
	c := r.Certificate(host)
	if c.State != sites.CertificatePending || c.Serial != r.Certificate("*."+testZone).Serial || !strings.Contains(c.LastError, "limits") {
		t.Errorf("%s: %+v, want it to be served by the wildcard, with a sentence", host, c)
	}
	r.mu.Lock()
	pause := time.Until(r.queue.orderAt(r.table[host], time.Now()))
	r.mu.Unlock()
	if pause < about-about/10 || pause > about+about/10 {
		t.Errorf("%s waits for %v, want %v", host, pause, about)
	}
}

func TestLimitOfTheDomainConcernsOrdersOnly(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1, Validity: 15 * time.Second})
	front := ca.NewFront(t)
	m := run(t, Config{CA: at(front), Challenges: zone, PerSite: true})
	m.Apply(full(site("old"), site("goes")))
	m.zoneValid(t)
	m.valid(t, "old."+testZone, "goes."+testZone)
	old, goes := m.Certificate("old."+testZone).Serial, m.Certificate("goes."+testZone).Serial

	var ordersOfB atomic.Int32
	front.Fail(acmetest.LimitOrders(3600, func(name string) string {
		if name == "b."+testZone {
			ordersOfB.Add(1)
		}
		return limitDomain
	}))
	m.Apply(create(site("a")))
	eventually(t, wait, "the order of a has failed", func() bool { return m.state("a."+testZone) == sites.CertificateFailed })
	m.Apply(create(site("b")))
	m.Apply(gone("goes"))
	eventually(t, wait, "goes is revoked", func() bool { return ca.Status(t, goes) == "Revoked" })
	eventually(t, wait, "old is renewed", func() bool {
		c := m.Certificate("old." + testZone)
		return c.State == sites.CertificateValid && c.Serial != old
	})
	m.waits(t, "b."+testZone, time.Hour)
	if got := ordersOfB.Load(); got != 0 {
		t.Errorf("%d orders though the CA takes none", got)
	}
}

func TestRetryAfterIsKept(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	front := ca.NewFront(t)
	m := run(t, Config{CA: at(front), Challenges: zone, PerSite: true})
	m.zoneValid(t)
	m.mu.Lock()
	m.queue.limit = 1 // so that nothing else is under way when the answer comes
	m.mu.Unlock()

	front.Fail(acmetest.LimitOrders(3600, func(string) string { return limitAccount }))
	m.Apply(create(site("a"), site("b"), site("c")))
	eventually(t, wait, "the order has failed", func() bool { return len(failed(m)) > 0 })
	m.mu.Lock()
	_, pause := m.queue.next(time.Now())
	m.mu.Unlock()
	if pause < 59*time.Minute || pause > 61*time.Minute {
		t.Errorf("the CA is left alone for %v, want the hour that it asked for", pause)
	}

	front.Fail(nil)
	before := front.Requests()
	m.mu.Lock()
	m.queue.lines[0].gate.until = time.Now().Add(time.Second) // as if the hour was nearly over
	m.mu.Unlock()
	m.rouse()
	eventually(t, wait, "work goes on", func() bool { return front.Requests() > before })
	m.valid(t, "b."+testZone, "c."+testZone)
}

func TestZoneIsRenewedThoughCASendsAway(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, Validity: 15 * time.Second})
	front := ca.NewFront(t)
	m := run(t, Config{CA: at(front), Challenges: zone, PerSite: true})
	m.zoneValid(t)
	limitName(front, "a."+testZone, limitAccount)
	m.Apply(create(site("a")))
	eventually(t, wait, "the order of a has failed", func() bool { return len(failed(m)) > 0 })
	for name, count := range watch(t, m, ca, 17*time.Second, testZone, "a."+testZone) {
		if count < 2 {
			t.Errorf("%s was presented with %d certificates in more than a lifetime", name, count)
		}
	}
}

func TestRetryAfterHeader(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              -1,
		"0":                             0,
		"120":                           2 * time.Minute,
		"99999999999":                   longestRefusal,
		"-5":                            -1,
		"soon":                          -1,
		"Thu, 01 Jan 2026 01:00:00 GMT": time.Hour,
		"Wed, 31 Dec 2025 23:00:00 GMT": -1,
		"Fri, 01 Jan 2027 00:00:00 GMT": longestRefusal,
	} {
		got := retryAfter(http.Header{"Retry-After": {value}}, now)
		if want < 0 && !got.IsZero() || want >= 0 && got.Sub(now) != want {
			t.Errorf("Retry-After %q: until %v, want %v", value, got, want)
		}
	}
}
