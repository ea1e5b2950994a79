package acme

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"berth/acme/acmetest"
	"berth/sites"
)

// storedAt counts the CAs that have something stored for a host.
func storedAt(t *testing.T, dir, host string) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "certificates", "*", strings.Replace(host, "*", "wildcard_", 1)))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

// successor is a Manager that has certificates of a CA, and is configured anew for another one, behind a front.
func successor(t *testing.T, all ...sites.Published) (before *acmetest.Pebble, front *acmetest.Front, old *runner, cfg Config) {
	t.Helper()
	zone := newZoneServer(t)
	before = acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1})
	front = acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1}).NewFront(t)
	cfg = Config{Dir: t.TempDir(), CA: at(before), Challenges: zone, PerSite: true}
	old = run(t, cfg)
	old.Apply(full(all...))
	old.zoneValid(t)
	for _, s := range all {
		old.valid(t, s.Hosts...)
	}
	old.stop()
	cfg.CA = at(front)
	return before, front, old, cfg
}

func TestCertificateOfAFormerCAServesUntilThereIsAnother(t *testing.T) {
	t.Parallel()
	before, front, old, cfg := successor(t, site("hello"), site("gone"))
	front.Fail(acmetest.Answer(http.StatusServiceUnavailable, "serverInternal"))
	m := run(t, cfg)
	m.Apply(full(site("hello")))
	names := []string{testZone, "*." + testZone, "hello." + testZone}
	eventually(t, wait, "the new CA was asked, in vain", func() bool { return front.Requests() > 0 })
	eventually(t, wait, "what belongs to no site is removed", func() bool { return !storedFor(t, cfg.Dir, "gone."+testZone) })
	m.verify(t, "hello."+testZone, before.IssuerPool(t))
	m.verify(t, testZone, before.IssuerPool(t))
	for _, name := range names {
		m.by(t, before.DirectoryURL(), name)
		c := m.Certificate(name)
		if c.Serial != old.Certificate(name).Serial || !c.Renewal.IsZero() || c.LastError == "" {
			t.Errorf("of what is to be replaced people are told %+v", c)
		}
	}
	before.Kill() // it is never asked again
	front.Fail(nil)
	for _, name := range names {
		eventually(t, 3*wait, "the new CA has issued for "+name, func() bool {
			c := m.Certificate(name)
			return c.State == sites.CertificateValid && strings.Contains(front.DirectoryURL(), c.Authority)
		})
		m.by(t, front.DirectoryURL(), name)
		eventually(t, wait, "the former one's is removed", func() bool { return storedAt(t, cfg.Dir, name) == 1 })
	}
	m.idle(t, names...)
	if c := m.Certificate(testZone); c.LastError != "" || c.Renewal.IsZero() {
		t.Errorf("afterwards people are told %+v", c)
	}
}

func TestCertificateOfAFormerCAIsNotRevoked(t *testing.T) {
	t.Parallel()
	before, _, old, cfg := successor(t, site("hello"), site("gone"))
	m := run(t, cfg)
	m.Apply(full(site("hello")))
	for _, name := range []string{testZone, "hello." + testZone} {
		eventually(t, wait, "there is another one for "+name, func() bool {
			return m.Certificate(name).Serial != old.Certificate(name).Serial && storedAt(t, cfg.Dir, name) == 1
		})
	}
	eventually(t, wait, "nothing is stored for gone", func() bool { return !storedFor(t, cfg.Dir, "gone."+testZone) })
	for _, name := range []string{testZone, "hello." + testZone, "gone." + testZone} {
		if got := before.Status(t, old.Certificate(name).Serial); got != "Valid" {
			t.Errorf("at its CA the former certificate of %s is %q", name, got)
		}
	}
}

// Sites that have to wait for the new CA's limits are served by its wildcard before their own certificate of the former one.
func TestWildcardOfTheNewCAGoesFirst(t *testing.T) {
	t.Parallel()
	_, front, old, cfg := successor(t, site("hello"))
	limitName(front, "hello."+testZone, limitExactSet)
	m := run(t, cfg)
	m.Apply(full(site("hello")))
	eventually(t, wait, "the new CA has issued for the zone", func() bool {
		return m.Certificate("*."+testZone).Serial != old.Certificate("*."+testZone).Serial
	})
	eventually(t, wait, "the order has failed", func() bool { return m.state("hello."+testZone) == sites.CertificateFailed })
	if c := m.presented(t, "hello."+testZone); serial(c) != m.Certificate("*."+testZone).Serial {
		t.Errorf("hello is served with %s of %v", serial(c), c.DNSNames)
	}
	if c := m.Certificate("hello." + testZone); c.Serial != m.Certificate("*."+testZone).Serial {
		t.Errorf("people are told %+v", c)
	}
	m.stop()

	again := run(t, cfg)
	again.Apply(full(site("hello")))
	if c := again.presented(t, "hello."+testZone); serial(c) != again.Certificate("*."+testZone).Serial {
		t.Errorf("after a restart hello is served with %s of %v", serial(c), c.DNSNames)
	}
}

// Who changes to another CA and back has what the first one has issued still, as far as the other has not replaced it.
func TestBackAtTheFormerCA(t *testing.T) {
	t.Parallel()
	before, front, old, cfg := successor(t, site("hello"))
	limitName(front, "hello."+testZone, limitExactSet)
	m := run(t, cfg)
	m.Apply(full(site("hello")))
	for _, name := range []string{testZone, "*." + testZone} {
		eventually(t, wait, "the other one has issued for "+name, func() bool { return m.Certificate(name).Serial != old.Certificate(name).Serial })
	}
	m.idle(t, testZone, "*."+testZone)
	m.stop()
	cfg.CA = at(before)
	back := run(t, cfg)
	back.Apply(full(site("hello")))
	if got := serial(back.presented(t, "hello."+testZone)); got != old.Certificate("hello."+testZone).Serial {
		t.Error("a certificate of the CA that is asked again is not used")
	}
	eventually(t, wait, "the zone's is its again", func() bool {
		return strings.Contains(before.DirectoryURL(), back.Certificate(testZone).Authority)
	})
}

func TestFromTheInternalCAAndBack(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1})
	internal := Config{Dir: t.TempDir(), CA: CA{Directory: "internal"}, PerSite: true}
	m := run(t, internal)
	m.Apply(full(site("hello")))
	m.valid(t, "hello."+testZone)
	m.stop()

	public := internal
	public.CA, public.Challenges = at(ca), zone
	m = run(t, public)
	m.Apply(full(site("hello")))
	m.by(t, "internal", testZone)
	for _, name := range []string{testZone, "hello." + testZone} {
		eventually(t, wait, name+" has one of the public CA", func() bool { return strings.Contains(ca.DirectoryURL(), m.Certificate(name).Authority) })
		m.verify(t, name, ca.IssuerPool(t))
	}
	m.idle(t, testZone, "hello."+testZone)
	m.stop()

	m = run(t, internal) // its certificates for the zone are there at once
	m.by(t, "internal", testZone)
	m.Apply(full(site("hello")))
	eventually(t, wait, "hello has one of the internal CA", func() bool { return m.Certificate("hello."+testZone).Authority == "internal" })
	eventually(t, wait, "nothing else is left", func() bool { return storedAt(t, internal.Dir, "hello."+testZone) == 1 })
}

// The internal CA cannot issue for custom domains, so what another one has issued for them serves until its end.
func TestCustomDomainKeepsWhatTheInternalCACannotReplace(t *testing.T) {
	t.Parallel()
	zone, doors := newZoneServer(t), newDoors(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1, HTTPPort: doors.httpPort, TLSPort: doors.tlsPort})
	cfg := Config{Dir: t.TempDir(), CA: at(ca), Challenges: zone}
	m := run(t, cfg)
	doors.open(m.Manager)
	m.Apply(full(site("hello", custom)))
	eventually(t, customWait, "the custom domain has a certificate", func() bool { return m.state(custom) == sites.CertificateValid })
	m.idle(t, custom)
	m.stop()
	cfg.CA = CA{Directory: "internal"}
	m = run(t, cfg)
	m.Apply(full(site("hello", custom)))
	m.verify(t, custom, ca.IssuerPool(t))
	c := m.Certificate(custom)
	if m.by(t, ca.DirectoryURL(), custom); !strings.Contains(c.LastError, "names of "+testZone) {
		t.Errorf("people are told %+v", c)
	}
	if list := m.Certificates(); !slices.ContainsFunc(list, func(c sites.Certificate) bool { return c.Host == custom }) {
		t.Errorf("it is not in the list: %+v", list)
	}
}
