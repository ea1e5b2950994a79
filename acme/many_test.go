package acme

import (
	"fmt"
	"testing"

	"berth/acme/acmetest"
	"berth/sites"
)

func TestManyNamesAtOnceThoughNoncesAreRejected(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: 20})
	m := run(t, Config{CA: at(ca), Challenges: zone, PerSite: true})
	var (
		all   []sites.Published
		names []string
	)
	for i := range rateOfSites.burst {
		name := fmt.Sprintf("site-%d", i)
		all, names = append(all, site(name)), append(names, name+"."+testZone)
	}
	m.Apply(full(all...))
	for _, name := range append(names, testZone) {
		eventually(t, 3*wait, name+" has a certificate", func() bool { return m.state(name) == sites.CertificateValid })
		m.verify(t, name, ca.IssuerPool(t))
	}
	if got := m.Budget()[0].Issued; got != rateOfSites.burst+2 {
		t.Errorf("%d certificates are in the budget, want %d", got, rateOfSites.burst+2)
	}
}

// A CA that is killed comes back without its accounts and orders.
func TestRecoversFromAKilledCA(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	cfg := Config{Dir: t.TempDir(), CA: at(ca), Challenges: zone, PerSite: true}
	m := run(t, cfg)
	m.Apply(full())
	m.zoneValid(t)
	m.Apply(create(site("a"), site("b"), site("c"))) // under way as it is killed
	ca.Kill()
	eventually(t, wait, "an order has failed or has just been done", func() bool {
		return len(failed(m)) > 0 || m.state("c."+testZone) == sites.CertificateValid
	})
	m.stop() // and in the middle of that, berth is started again
	m = run(t, cfg)
	m.Apply(full(site("a"), site("b"), site("c"), site("d")))
	ca.Restart(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		eventually(t, 3*wait, name+" has a certificate", func() bool { return m.state(name+"."+testZone) == sites.CertificateValid })
	}
	m.verify(t, "d."+testZone, ca.IssuerPool(t))
}
