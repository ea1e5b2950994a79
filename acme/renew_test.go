package acme

import (
	"errors"
	"strings"
	"testing"
	"time"

	"berth/acme/acmetest"
	"berth/sites"
)

// idle waits until the work on the hosts is over, which is a moment after its result is served.
func (r *runner) idle(t *testing.T, hosts ...string) {
	t.Helper()
	for _, host := range hosts {
		eventually(t, wait, "the work on "+host+" is over", func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.table[host].task.state == taskIdle
		})
	}
}

func TestRenewNow(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1})
	front := ca.NewFront(t)
	m := run(t, Config{CA: at(front), Challenges: zone, PerSite: true})
	m.Apply(full(site("a")))
	m.zoneValid(t)
	m.valid(t, "a."+testZone)
	m.idle(t, testZone, "*."+testZone, "a."+testZone)
	issued := m.Budget()[0].Issued
	// The first order and two renewals are what a name may have at once.
	for range ratePerName.burst - 1 {
		before := m.Certificate("a." + testZone).Serial
		if err := m.Renew("A." + testZone + "."); err != nil {
			t.Fatal(err)
		}
		eventually(t, wait, "it is renewed", func() bool { return m.Certificate("a."+testZone).Serial != before })
		m.idle(t, "a."+testZone)
	}
	orders := front.Orders()
	if err := m.Renew("a." + testZone); !errors.Is(err, sites.ErrConflict) || !strings.Contains(err.Error(), "limits") {
		t.Errorf("renewing over and over: %v", err)
	}
	if err := m.Renew("*." + testZone); err != nil {
		t.Errorf("the wildcard: %v", err)
	}
	eventually(t, wait, "the wildcard is renewed", func() bool { return front.Orders() == orders+1 })
	for _, name := range []string{"nobody." + testZone, "www.example.org", ""} {
		if err := m.Renew(name); !errors.Is(err, sites.ErrNotFound) {
			t.Errorf("renewing %q: %v", name, err)
		}
	}
	if got := m.Budget()[0].Issued; got != issued {
		t.Errorf("renewals cost %d of the weekly budget", got-issued)
	}
}

func TestRenewNowSkipsOurOwnPauses(t *testing.T) {
	t.Parallel()
	zone, front := newZoneServer(t), newDoors(t, "http", "tls")
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, HTTPPort: front.httpPort, TLSPort: front.tlsPort})
	m := run(t, Config{CA: at(ca), Challenges: zone, PerSite: true})
	m.Apply(full(site("hello", custom)))
	eventually(t, customWait, "the order has failed", func() bool { return m.state(custom) == sites.CertificateFailed })
	zone.keep("custom.example") // as if its owner had mended what was wrong
	m.mu.Lock()
	m.table[custom].attempts = 0 // the next way of proof would be another one
	m.mu.Unlock()
	if err := m.Renew(custom); err != nil {
		t.Fatal(err)
	}
	m.valid(t, custom)
}

func TestRenewNowKeepsToWhatTheCAWants(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1})
	front := ca.NewFront(t)
	m := run(t, Config{CA: at(front), Challenges: zone, PerSite: true})
	m.zoneValid(t)
	m.idle(t, testZone, "*."+testZone)
	front.Fail(acmetest.LimitOrders(3600, func(string) string { return limitAccount }))
	m.Apply(create(site("a")))
	eventually(t, wait, "the order has failed", func() bool { return m.state("a."+testZone) == sites.CertificateFailed })
	for _, name := range []string{"a." + testZone, testZone} {
		if err := m.Renew(name); err == nil || !strings.Contains(err.Error(), "does not want to be asked") {
			t.Errorf("renewing %s: %v", name, err)
		}
	}
}

// Whoever demands a certificate over and over for a domain that cannot be proven would use up what the CA gives to all.
func TestDemandsInVainArePaced(t *testing.T) {
	t.Parallel()
	zone, doors := newZoneServer(t), newDoors(t, "http", "tls")
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1, HTTPPort: doors.httpPort, TLSPort: doors.tlsPort})
	m := run(t, Config{CA: at(ca), Challenges: zone})
	m.Apply(full(site("hello", custom)))
	waiting := func(failures int) func() bool {
		return func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.table[custom].task.state == taskWaiting && m.table[custom].attempts == failures
		}
	}
	eventually(t, customWait, "the order has failed", waiting(1))
	if err := m.Renew(custom); err != nil {
		t.Fatal(err)
	}
	eventually(t, customWait, "it has failed again", waiting(2))
	if err := m.Renew(custom); !errors.Is(err, sites.ErrConflict) || !strings.Contains(err.Error(), "in vain") {
		t.Errorf("a demand right after one that failed: %v", err)
	}
	m.mu.Lock()
	spent := time.Until(m.queue.lines[0].budget.full)
	m.mu.Unlock()
	if spent < rateOfSites.every*3/2 {
		t.Errorf("two orders that the CA has taken cost %v of the budget", spent)
	}
}
