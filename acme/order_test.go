package acme

import (
	"io/fs"
	"path/filepath"
	"testing"

	"berth/acme/acmetest"
	"berth/sites"
)

func TestOrdersForZoneAndSites(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	dir := filepath.Join(t.TempDir(), "acme")
	m := run(t, Config{Dir: dir, CA: at(ca), Challenges: zone, PerSite: true})
	m.Apply(full(site("hello")))
	m.Apply(create(site("second")))
	m.zoneValid(t)
	m.valid(t, "hello."+testZone, "second."+testZone)

	roots := ca.IssuerPool(t)
	for _, name := range []string{testZone, "hello." + testZone, "second." + testZone, "any." + testZone} {
		m.verify(t, name, roots)
	}
	if c := m.presented(t, "HELLO."+testZone); !only(c, "hello."+testZone) {
		t.Errorf("hello gets the certificate of %v", c.DNSNames)
	}
	if c := m.presented(t, ""); !only(c, testZone) {
		t.Errorf("a client without SNI gets the certificate of %v, want the apex", c.DNSNames)
	}
	if got := m.Certificate("www.example.com").State; got != sites.CertificateNone {
		t.Errorf("state of a host outside the zone is %q, want none", got)
	}
	if _, err := m.handshake(t, "www.example.com"); err == nil {
		t.Error("a name outside the zone gets a certificate")
	}
	if got := len(m.Certificates()); got != 4 {
		t.Errorf("%d certificates are listed, want 4: %v", got, m.Certificates())
	}
	if zone.left() != 0 {
		t.Errorf("challenges are left behind: %v", zone.values)
	}
	for _, host := range []string{testZone, "*." + testZone, "hello." + testZone} {
		eventually(t, wait, "Changed is called for "+host, func() bool { return m.changed.has(host) })
	}
	checkStatus(t, m, ca)
	checkPermissions(t, dir)
}

func checkStatus(t *testing.T, m *runner, ca *acmetest.Pebble) {
	t.Helper()
	c := m.Certificate("hello." + testZone)
	leaf := m.presented(t, "hello."+testZone)
	if c.Serial != serial(leaf) || c.Issuer != leaf.Issuer.CommonName || !c.NotAfter.Equal(leaf.NotAfter) {
		t.Errorf("status %+v does not describe what is served: %s of %s", c, serial(leaf), leaf.Issuer.CommonName)
	}
	if !c.Renewal.After(c.NotBefore) || !c.Renewal.Before(c.NotAfter) {
		t.Errorf("renewal at %v is not within the certificate's life", c.Renewal)
	}
	if got := ca.Status(t, c.Serial); got != "Valid" {
		t.Errorf("the CA says of hello's certificate: %q", got)
	}
	any := m.Certificate("any." + testZone)
	if any.State != sites.CertificateWildcard || any.Serial != m.Certificate("*."+testZone).Serial {
		t.Errorf("status of a name without a certificate of its own: %+v", any)
	}
}

// checkPermissions checks that nobody else can read a private key.
func checkPermissions(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if !entry.IsDir() {
			files++
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Errorf("looking at %s: %d files, %v", dir, files, err)
	}
}

func TestWildcardModeOrdersNonePerSite(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1})
	front := ca.NewFront(t)
	m := run(t, Config{CA: at(front), Challenges: zone, PanelHost: "panel.deep." + testZone})
	m.Apply(full(site("hello")))
	m.zoneValid(t)
	m.valid(t, "panel.deep."+testZone) // neither the apex nor the wildcard covers it
	if got := m.state("hello." + testZone); got != sites.CertificateWildcard {
		t.Errorf("state of a site is %q, want wildcard", got)
	}
	m.verify(t, "hello."+testZone, ca.IssuerPool(t))
	m.verify(t, "panel.deep."+testZone, ca.IssuerPool(t))
	if got := front.Orders(); got != 3 {
		t.Errorf("%d orders, want those of apex, wildcard and panel", got)
	}
}

func TestWildcardServesWhileOrderIsPending(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	front := ca.NewFront(t)
	m := run(t, Config{CA: at(front), Challenges: zone, PerSite: true})

	if c := m.presented(t, testZone); c.Issuer.CommonName != c.Subject.CommonName {
		t.Errorf("before anything is issued, the zone gets a certificate of %s", c.Issuer.CommonName)
	}
	m.zoneValid(t)
	front.Fail(acmetest.Hang)
	m.Apply(create(site("hello")))
	before := front.Requests()
	eventually(t, wait, "the order is under way", func() bool { return front.Requests() > before })
	if c := m.presented(t, "hello."+testZone); !only(c, "*."+testZone) {
		t.Errorf("hello gets the certificate of %v meanwhile", c.DNSNames)
	}
	m.verify(t, "hello."+testZone, ca.IssuerPool(t))
	if c := m.Certificate("hello." + testZone); c.State != sites.CertificatePending || c.Serial != m.Certificate("*."+testZone).Serial {
		t.Errorf("status meanwhile: %+v", c)
	}
	m.stop() // must not wait for the CA
}

func TestUnknownNamesOrderNothing(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	front := ca.NewFront(t)
	m := run(t, Config{CA: at(front), Challenges: zone, PerSite: true})
	m.Apply(full())
	m.zoneValid(t)
	before := front.Requests()
	for range 100 {
		for _, name := range []string{"stranger." + testZone, "a.b." + testZone, "example.org", "localhost", "x"} {
			_, err := m.handshake(t, name)
			if served := name == "stranger."+testZone; served != (err == nil) {
				t.Fatalf("handshake for %s: %v", name, err)
			}
		}
	}
	m.mu.Lock()
	known, running := len(m.table), m.queue.lines[0].running
	m.mu.Unlock()
	if known != 2 || running != 0 || front.Requests() != before {
		t.Errorf("after strange names: %d hosts, %d at work, %d requests", known, running, front.Requests()-before)
	}
}

func TestRestartUsesWhatIsStored(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1})
	front := ca.NewFront(t)
	cfg := Config{Dir: t.TempDir(), CA: at(front), Challenges: zone, PerSite: true}
	first := run(t, cfg)
	first.Apply(full(site("hello")))
	first.zoneValid(t)
	first.valid(t, "hello."+testZone)
	first.stop()
	want := first.Certificate("hello." + testZone).Serial
	orders := front.Orders()

	second := run(t, cfg)
	// Before the first change, and before Run has done anything.
	if c := second.presented(t, "hello."+testZone); serial(c) != want {
		t.Errorf("after a restart hello gets %v", c.DNSNames)
	}
	second.Apply(full(site("hello")))
	second.Apply(create(site("fresh")))
	second.valid(t, testZone, "*."+testZone, "hello."+testZone, "fresh."+testZone)
	if got := second.Certificate("hello." + testZone).Serial; got != want {
		t.Errorf("hello's certificate was replaced: %s, was %s", got, want)
	}
	if got := front.Orders() - orders; got != 1 {
		t.Errorf("%d orders after the restart, want only the one of the new site", got)
	}
}
