package acme

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/acme/acmetest"
	"berth/sites"

	"github.com/caddyserver/certmagic"
)

// storedFor reports whether anything is stored for the host.
func storedFor(t *testing.T, dir, host string) bool {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "certificates", "*", host))
	if err != nil {
		t.Fatal(err)
	}
	return len(found) > 0
}

func TestDeletedSiteIsRevoked(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	dir := t.TempDir()
	m := run(t, Config{
		Dir: dir, CA: at(ca), Challenges: zone, PerSite: true,
		Email: "somebody@example.com",
	})
	m.Apply(full(site("hello"), site("other")))
	m.zoneValid(t)
	m.valid(t, "hello."+testZone, "other."+testZone)
	hello, other := m.Certificate("hello."+testZone).Serial, m.Certificate("other."+testZone).Serial

	m.Apply(gone("hello"))
	if c := m.presented(t, "hello."+testZone); !only(c, "*."+testZone) {
		t.Errorf("right after its deletion hello gets the certificate of %v", c.DNSNames)
	}
	eventually(t, wait, "hello is revoked", func() bool { return ca.Status(t, hello) == "Revoked" })
	eventually(t, wait, "nothing is stored for hello", func() bool { return !storedFor(t, dir, "hello."+testZone) })
	if got := ca.Status(t, other); got != "Valid" {
		t.Errorf("other's certificate is %q", got)
	}

	// Gone without notice, as after a change that was missed.
	m.Apply(full())
	eventually(t, wait, "other is revoked", func() bool { return ca.Status(t, other) == "Revoked" })
	for _, host := range []string{testZone, "*." + testZone} {
		if c := m.Certificate(host); c.State != sites.CertificateValid || ca.Status(t, c.Serial) != "Valid" {
			t.Errorf("the zone's own certificate suffered: %+v", c)
		}
	}
}

func TestDeleteAndCreateInOrder(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	m := run(t, Config{CA: at(ca), Challenges: zone, PerSite: true})
	m.Apply(full(site("hello")))
	m.zoneValid(t)
	m.valid(t, "hello."+testZone)
	old := m.Certificate("hello." + testZone).Serial

	for range 3 {
		m.Apply(gone("hello"))
		m.Apply(create(site("hello")))
	}
	eventually(t, wait, "the old site's certificate is revoked", func() bool { return ca.Status(t, old) == "Revoked" })
	m.valid(t, "hello."+testZone)
	fresh := m.Certificate("hello." + testZone).Serial
	if fresh == old || ca.Status(t, fresh) != "Valid" {
		t.Errorf("the new site has certificate %s (%s), the old one had %s", fresh, ca.Status(t, fresh), old)
	}
}

func TestDeleteWhileOrderIsUnderWay(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	front := ca.NewFront(t)
	dir := t.TempDir()
	m := run(t, Config{Dir: dir, CA: at(front), Challenges: zone, PerSite: true})
	m.zoneValid(t)

	finalizing, goOn, revoked := make(chan struct{}, 1), make(chan struct{}), make(chan struct{}, 1)
	front.Fail(func(_ http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasPrefix(r.URL.Path, "/certZ/"):
			select {
			case finalizing <- struct{}{}:
				<-goOn
			default:
			}
		case strings.HasPrefix(r.URL.Path, "/revoke-cert"):
			select {
			case revoked <- struct{}{}:
			default:
			}
		}
		return false
	})
	m.Apply(create(site("hello")))
	<-finalizing
	m.Apply(gone("hello"))
	close(goOn)
	<-revoked
	eventually(t, wait, "nothing is stored for hello", func() bool { return !storedFor(t, dir, "hello."+testZone) })
	if c := m.presented(t, "hello."+testZone); !only(c, "*."+testZone) {
		t.Errorf("a deleted site gets the certificate of %v", c.DNSNames)
	}
}

func TestRevokedAfterRestart(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	front := ca.NewFront(t)
	dir := t.TempDir()
	cfg := Config{
		Dir: dir, CA: at(front), Challenges: zone, PerSite: true,
		Email: "somebody@example.com", // a second account could not revoke
	}
	first := run(t, cfg)
	first.Apply(full(site("hello")))
	first.zoneValid(t)
	first.valid(t, "hello."+testZone)
	old := first.Certificate("hello." + testZone).Serial

	front.Fail(acmetest.Answer(http.StatusServiceUnavailable, "serverInternal"))
	before := front.Requests()
	first.Apply(gone("hello"))
	eventually(t, wait, "the CA is asked to revoke", func() bool { return front.Requests() > before })
	first.stop()
	if !storedFor(t, dir, "hello."+testZone) {
		t.Fatal("the certificate was removed though the CA did not answer")
	}
	front.Fail(nil)

	second := run(t, cfg)
	second.Apply(full())
	if c := second.presented(t, "hello."+testZone); !only(c, "*."+testZone) {
		t.Errorf("a deleted site gets the certificate of %v after a restart", c.DNSNames)
	}
	eventually(t, wait, "hello is revoked", func() bool { return ca.Status(t, old) == "Revoked" })
	eventually(t, wait, "nothing is stored for hello", func() bool { return !storedFor(t, dir, "hello."+testZone) })
}

func TestWildcardModeKeepsButDoesNotServeStored(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	dir := t.TempDir()
	cfg := Config{Dir: dir, CA: at(ca), Challenges: zone, PerSite: true}
	first := run(t, cfg)
	first.Apply(full(site("stays"), site("goes")))
	first.zoneValid(t)
	first.valid(t, "stays."+testZone, "goes."+testZone)
	stays, goes := first.Certificate("stays."+testZone).Serial, first.Certificate("goes."+testZone).Serial
	first.stop()

	cfg.PerSite = false
	second := run(t, cfg)
	second.Apply(full(site("stays")))
	eventually(t, wait, "the deleted site's is revoked", func() bool { return ca.Status(t, goes) == "Revoked" })
	if got := second.state("stays." + testZone); got != sites.CertificateWildcard {
		t.Errorf("state is %q, want wildcard", got)
	}
	if c := second.presented(t, "stays."+testZone); !only(c, "*."+testZone) {
		t.Errorf("served %v, want the wildcard", c.DNSNames)
	}
	if ca.Status(t, stays) != "Valid" || !storedFor(t, dir, "stays."+testZone) {
		t.Error("a change of mode ended the certificate of a site that exists")
	}
}

func TestIncompleteStorageIsMended(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	dir := t.TempDir()
	cfg := Config{Dir: dir, CA: at(ca), Challenges: zone, PerSite: true}
	first := run(t, cfg)
	first.Apply(full(site("torn"), site("halved"), site("gone")))
	first.valid(t, testZone, "*."+testZone, "torn."+testZone, "halved."+testZone, "gone."+testZone)
	goneSerial := first.Certificate("gone." + testZone).Serial
	first.stop()

	file := func(host, end string) string {
		return first.authorities[0].vault.storage.Filename(filepath.Join(certmagic.StorageKeys.CertsSitePrefix(first.authorities[0].vault.issuer, host), host+end))
	}
	key, err := os.ReadFile(file("halved."+testZone, ".key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file("torn."+testZone, ".key"), key, 0o600); err != nil { // of another certificate
		t.Fatal(err)
	}
	for _, name := range []string{file("halved."+testZone, ".json"), file("gone."+testZone, ".key")} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}

	second := run(t, cfg)
	second.Apply(full(site("torn"), site("halved")))
	second.valid(t, "torn."+testZone, "halved."+testZone)
	for _, name := range []string{"torn.", "halved."} {
		second.verify(t, name+testZone, ca.IssuerPool(t))
	}
	eventually(t, wait, "a certificate without its key is revoked too", func() bool { return ca.Status(t, goneSerial) == "Revoked" })
}
