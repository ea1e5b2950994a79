package acme

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"berth/acme/acmetest"
	"berth/sites"
)

// twoCAs is two CAs, the first behind a front, and what a Manager needs to use both.
func twoCAs(t *testing.T, o acmetest.Options) (first *acmetest.Front, second *acmetest.Pebble, zone *zoneServer, cfg Config) {
	t.Helper()
	zone = newZoneServer(t)
	o.DNS = zone.addr
	first, second = acmetest.Start(t, o).NewFront(t), acmetest.Start(t, o)
	return first, second, zone, Config{Dir: t.TempDir(), CA: at(first), Fallback: at(second), Challenges: zone, PerSite: true}
}

func (r *runner) by(t *testing.T, authority, host string) {
	t.Helper()
	c := r.Certificate(host)
	if c.State != sites.CertificateValid || !strings.Contains(authority, c.Authority) {
		t.Errorf("%s has a certificate of %q (%s), want %s", host, c.Authority, c.State, authority)
	}
}

func TestSecondCATakesOver(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]acmetest.Fault{
		"limits the account": acmetest.LimitOrders(3600, func(string) string { return limitAccount }),
		"limits the domain":  acmetest.LimitOrders(3600, func(string) string { return limitDomain }),
		"limits the name":    acmetest.LimitOrders(3600, func(string) string { return limitExactSet }),
		"is unavailable":     acmetest.Answer(http.StatusServiceUnavailable, "serverInternal"),
		"fails inside":       acmetest.Answer(http.StatusInternalServerError, "serverInternal"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second, _, cfg := twoCAs(t, acmetest.Options{NonceReject: -1})
			m := run(t, cfg)
			m.Apply(full())
			m.zoneValid(t)
			first.Fail(fault)
			before := first.Requests()
			m.Apply(create(site("a"), site("b")))
			m.valid(t, "a."+testZone, "b."+testZone)
			m.by(t, second.DirectoryURL(), "a."+testZone)
			m.by(t, second.DirectoryURL(), "b."+testZone)
			m.by(t, first.DirectoryURL(), testZone)
			m.verify(t, "a."+testZone, second.IssuerPool(t))
			if got := first.Requests() - before; got > 40 {
				t.Errorf("%d requests to a CA that refuses", got)
			}
			m.stop()
			again := run(t, cfg)
			again.Apply(full(site("a"), site("b")))
			again.by(t, second.DirectoryURL(), "a."+testZone)
		})
	}
}

func TestSecondCAIsNotAskedForAHiccup(t *testing.T) {
	t.Parallel()
	first, _, _, cfg := twoCAs(t, acmetest.Options{NonceReject: -1})
	m := run(t, cfg)
	m.Apply(full())
	m.zoneValid(t)
	first.Fail(acmetest.Times(1, "/order-plz", acmetest.Answer(http.StatusInternalServerError, "serverInternal")))
	m.Apply(create(site("a")))
	m.valid(t, "a."+testZone)
	m.by(t, first.DirectoryURL(), "a."+testZone)
}

func TestRenewalStaysWithTheCAThatIssued(t *testing.T) {
	t.Parallel()
	first, second, _, cfg := twoCAs(t, acmetest.Options{NonceReject: -1, Validity: 20 * time.Second})
	first.Fail(acmetest.LimitOrders(3600, func(name string) string {
		if name == "a."+testZone {
			return limitExactSet
		}
		return ""
	}))
	m := run(t, cfg)
	m.Apply(full(site("a"), site("b")))
	m.zoneValid(t)
	m.valid(t, "a."+testZone, "b."+testZone)
	m.by(t, second.DirectoryURL(), "a."+testZone)
	first.Fail(nil)
	serial := m.Certificate("a." + testZone).Serial
	eventually(t, wait, "a is renewed", func() bool { return m.Certificate("a."+testZone).Serial != serial })
	m.by(t, second.DirectoryURL(), "a."+testZone)
	m.by(t, first.DirectoryURL(), "b."+testZone)

	// Where the one that has issued is gone for good, the other takes over, and what the first issued is deleted.
	second.Kill()
	m.mu.Lock()
	m.queue.lines[0].budget.release("a." + testZone) // as if its hour was over
	m.mu.Unlock()
	eventually(t, 3*wait, "a is renewed by the first", func() bool {
		c := m.Certificate("a." + testZone)
		return c.State == sites.CertificateValid && strings.Contains(first.DirectoryURL(), c.Authority)
	})
	eventually(t, wait, "nothing of the second is left", func() bool {
		hosts, err := m.authorities[1].vault.hosts(context.Background())
		return err == nil && len(hosts) == 0
	})
}

func TestDeletedSiteIsRevokedAtTheCAThatIssued(t *testing.T) {
	t.Parallel()
	first, second, _, cfg := twoCAs(t, acmetest.Options{NonceReject: -1})
	limitName(first, "a."+testZone, limitExactSet)
	m := run(t, cfg)
	m.Apply(full(site("a")))
	m.valid(t, testZone, "a."+testZone)
	serial := m.Certificate("a." + testZone).Serial
	first.Fail(acmetest.Answer(http.StatusServiceUnavailable, "serverInternal")) // is none of its business
	m.Apply(gone("a"))
	eventually(t, wait, "it is revoked", func() bool { return second.Status(t, serial) == "Revoked" })
}

func TestCAANamesBothCAs(t *testing.T) {
	t.Parallel()
	first, second, _, cfg := twoCAs(t, acmetest.Options{})
	var said restrictions
	cfg.Restrict = said.add
	m := run(t, cfg)
	m.Apply(full())
	m.zoneValid(t)
	host := func(url string) string { return "accounturi=" + strings.TrimSuffix(url, "/dir") }
	eventually(t, wait, "both accounts are named", func() bool {
		all := said.all()
		if len(all) == 0 {
			return false
		}
		text := strings.Join(all[len(all)-1], "\n")
		return len(all[len(all)-1]) == 4 && strings.Contains(text, host(first.DirectoryURL())) && strings.Contains(text, host(second.DirectoryURL()))
	})
}

func TestExternalAccountAndProfile(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	key := "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	ca := acmetest.Start(t, acmetest.Options{
		DNS: zone.addr, EAB: map[string]string{"kid-1": key}, Profiles: map[string]time.Duration{"short": time.Hour},
	})
	unbound := run(t, Config{CA: at(ca), Challenges: zone})
	eventually(t, wait, "the CA takes nobody it does not know", func() bool { return len(failed(unbound)) > 0 })
	if got := failed(unbound)[0].LastError; !strings.Contains(got, "account") {
		t.Errorf("what people are told: %q", got)
	}
	unbound.stop()

	cfg := Config{CA: at(ca), Challenges: zone}
	cfg.CA.EABKeyID, cfg.CA.EABKey, cfg.CA.Profile = "kid-1", key, "short"
	m := run(t, cfg)
	m.zoneValid(t)
	if c := m.Certificate(testZone); c.NotAfter.Sub(c.NotBefore) > 2*time.Hour {
		t.Errorf("of the profile for an hour there is a certificate for %v", c.NotAfter.Sub(c.NotBefore))
	}
	if got := m.presented(t, testZone).PublicKeyAlgorithm.String(); got != "ECDSA" {
		t.Errorf("the key is %s", got)
	}
}
