package acme

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/acme/acmetest"
	"berth/sites"
)

func TestCAInTroubleIsNotHammered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status  int
		problem string
		most    int // requests in the time that the test watches, whatever the number of sites
		word    string
	}{
		"unavailable":  {http.StatusServiceUnavailable, "serverInternal", 60, "trouble"},
		"rate limited": {http.StatusTooManyRequests, "rateLimited", 40, "limits"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone := newZoneServer(t)
			ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
			front := ca.NewFront(t)
			m := run(t, Config{CA: at(front), Challenges: zone, PerSite: true})
			m.zoneValid(t)

			front.Fail(acmetest.Answer(c.status, c.problem))
			before := front.Requests()
			var all []sites.Published
			for _, l := range "abcdefghijklmnopqrstuvwxyz" {
				all = append(all, site(string(l)))
			}
			m.Apply(full(all...))
			eventually(t, wait, "a first order has failed", func() bool { return len(failed(m)) > 0 })
			during(t, 8*time.Second, func() {
				if got := front.Requests() - before; got > c.most {
					t.Fatalf("%d requests to a CA that answers %d, want at most %d", got, c.status, c.most)
				}
			})
			t.Logf("%d requests", front.Requests()-before)
			if m.presented(t, "z."+testZone) == nil || m.Certificate("z."+testZone).Serial != m.Certificate("*."+testZone).Serial {
				t.Error("the wildcard does not serve meanwhile")
			}
			eventually(t, wait, "it is told that the CA is spared", func() bool {
				waits := m.Waits()
				return len(waits) == 1 && waits[0].Until.After(time.Now()) && !waits[0].Orders && waits[0].Told == (name == "rate limited")
			})
			for _, f := range failed(m) {
				if f.Retry.Before(time.Now().Add(-wait)) {
					t.Errorf("%s is tried again at %s", f.Host, f.Retry)
				}
				if !strings.Contains(f.LastError, c.word) || strings.Contains(f.LastError, "told to") {
					t.Errorf("what people are told: %q", f.LastError)
				}
			}
		})
	}
}

// TestARefusedChallengeConcernsItsHostAlone has the DNS refuse one name: people read why, and others get their certificates.
func TestARefusedChallengeConcernsItsHostAlone(t *testing.T) {
	t.Parallel()
	const why = "The nameserver ns2 still answers from an older version."
	zone := newZoneServer(t)
	zone.refuse = func(name string) error {
		if strings.Contains(name, "slow.") {
			return sites.Refuse(sites.ErrUnavailable, why)
		}
		return nil
	}
	m := run(t, Config{CA: at(acmetest.Start(t, acmetest.Options{DNS: zone.addr})), Challenges: zone, PerSite: true})
	m.Apply(full(site("slow")))
	eventually(t, wait, "the order has failed", func() bool { return len(failed(m)) > 0 })
	if told := m.Certificate("slow." + testZone).LastError; told != why {
		t.Errorf("people are told %q", told)
	}
	m.Apply(create(site("other")))
	m.valid(t, "other."+testZone)
}

// failed lists the certificates whose last order failed.
func failed(m *runner) []sites.Certificate {
	var list []sites.Certificate
	for _, c := range m.Certificates() {
		if c.State == sites.CertificateFailed {
			list = append(list, c)
		}
	}
	return list
}

func TestRecoversWhenCAIsBack(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	front := ca.NewFront(t)
	front.Fail(acmetest.Answer(http.StatusServiceUnavailable, "serverInternal"))
	m := run(t, Config{CA: at(front), Challenges: zone, PerSite: true})
	m.Apply(full(site("a"), site("b"), site("c")))
	eventually(t, wait, "a first order has failed", func() bool { return len(failed(m)) > 0 })
	if c := m.presented(t, "a."+testZone); c.Issuer.CommonName != c.Subject.CommonName {
		t.Errorf("without any certificate, a gets one of %s", c.Issuer.CommonName)
	}
	front.Fail(nil)
	m.zoneValid(t)
	m.valid(t, "a."+testZone, "b."+testZone, "c."+testZone)
	eventually(t, wait, "nothing is reported any more", func() bool { // an order ends a moment after its certificate serves
		return !slices.ContainsFunc(m.Certificates(), func(c sites.Certificate) bool { return c.LastError != "" })
	})
}

func TestUndelegatedZoneIsExplained(t *testing.T) {
	t.Parallel()
	zone, elsewhere := newZoneServer(t), newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: elsewhere.addr})
	m := run(t, Config{CA: at(ca), Challenges: zone})
	eventually(t, wait, "both orders have failed", func() bool { return len(failed(m)) == 2 })
	for _, f := range failed(m) {
		if !strings.Contains(f.LastError, "delegated") {
			t.Errorf("what people are told: %q", f.LastError)
		}
		eventually(t, wait, "Changed is called for "+f.Host, func() bool { return m.changed.has(f.Host) })
	}
}

func TestUntrustedCAIsExplained(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	m := run(t, Config{CA: CA{Directory: ca.DirectoryURL()}, Challenges: zone})
	eventually(t, wait, "an order has failed", func() bool { return len(failed(m)) > 0 })
	if got := failed(m)[0].LastError; !strings.Contains(got, "not trusted") {
		t.Errorf("what people are told: %q", got)
	}
}

func TestUnwritableStorageOrdersNothing(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	front := ca.NewFront(t)
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/probe", nil, 0o600); err != nil { // in the way of the directory
		t.Fatal(err)
	}
	m := run(t, Config{Dir: dir, CA: at(front), Challenges: zone})
	eventually(t, wait, "both orders have failed", func() bool { return len(failed(m)) == 2 })
	if got := failed(m)[0].LastError; !strings.Contains(got, "disk") {
		t.Errorf("what people are told: %q", got)
	}
	if front.Requests() != 0 {
		t.Errorf("%d requests for certificates that cannot be kept", front.Requests())
	}
}

func TestLetsEncryptIsKnown(t *testing.T) {
	for ca, host := range map[string]string{"letsencrypt": "acme-v02.api", "letsencrypt-staging": "acme-staging-v02.api"} {
		directory, err := directoryURL(ca, "example.com")
		if err != nil || !strings.HasPrefix(directory, "https://"+host+".letsencrypt.org/") {
			t.Errorf("%s is at %q, %v", ca, directory, err)
		}
	}
}

func TestBadConfigurationIsRefused(t *testing.T) {
	good := Config{Zone: testZone, CA: CA{Directory: "internal"}}
	for name, change := range map[string]func(*Config){
		"no zone":               func(c *Config) { c.Zone = "" },
		"CA is a word":          func(c *Config) { c.CA.Directory, c.Challenges = "letsencript", &zoneServer{} },
		"CA is empty":           func(c *Config) { c.CA.Directory, c.Challenges = "", &zoneServer{} },
		"CA without TLS":        func(c *Config) { c.CA.Directory, c.Challenges = "http://ca.test/dir", &zoneServer{} },
		"CA without challenges": func(c *Config) { c.CA.Directory = "letsencrypt" },
		"public CA, local zone": func(c *Config) {
			c.Zone, c.CA.Directory, c.Challenges = "berth.localhost", "letsencrypt", &zoneServer{}
		},
		"panel in another domain": func(c *Config) { c.PanelHost = "panel.example.com" },
		"panel beside the zone":   func(c *Config) { c.PanelHost = "my" + testZone },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			cfg.Dir = t.TempDir()
			change(&cfg)
			if _, err := New(cfg); err == nil {
				t.Error("New accepts it")
			}
		})
	}
}
