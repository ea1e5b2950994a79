package acme

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/acme/acmetest"
	"berth/sites"

	"github.com/mholt/acmez/v3"
)

const (
	custom     = "www.custom.example"
	customWait = 2 * wait // a way of proof that fails costs Pebble and acmez some seconds
)

// doors stands in for proxy: it answers CAs as a Manager says, and can be closed.
type doors struct {
	httpPort, tlsPort int

	closed []string // of "http" and "tls"
	opened chan struct{}

	mu      sync.Mutex
	manager *Manager
	asked   []string
}

func (d *doors) open(m *Manager) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.manager == nil {
		close(d.opened)
	}
	d.manager = m
}

// enter notes that a CA comes to a door, and returns nil where that is closed. Until the doors are opened it waits.
func (d *doors) enter(name string) *Manager {
	if !slices.Contains(d.closed, name) {
		<-d.opened
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, name)
	if slices.Contains(d.closed, name) {
		return nil
	}
	return d.manager
}

func (d *doors) came(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.asked, name)
}

func newDoors(t *testing.T, closed ...string) *doors {
	t.Helper()
	d := &doors{closed: closed, opened: make(chan struct{})}
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.URL.Path, "/.well-known/acme-challenge/")
		host, _, _ := net.SplitHostPort(r.Host)
		if m := d.enter("http"); ok && m != nil {
			if content, known := m.HTTPChallenge(host, token); known {
				_, _ = io.WriteString(w, content)
				return
			}
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what some tests are about
	secure.TLS = &tls.Config{NextProtos: []string{acmez.ACMETLS1Protocol}, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		m := d.enter("tls")
		if m == nil {
			return nil, errNotOurs
		}
		return m.GetCertificate(hello)
	}}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	d.httpPort = plain.Listener.Addr().(*net.TCPAddr).Port
	d.tlsPort = secure.Listener.Addr().(*net.TCPAddr).Port
	return d
}

func TestCustomDomainIsProvenByOurListeners(t *testing.T) {
	for name, closed := range map[string]string{"HTTP-01": "tls", "TLS-ALPN-01": "http"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone, front := newZoneServer(t), newDoors(t, closed)
			ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, HTTPPort: front.httpPort, TLSPort: front.tlsPort})
			m := run(t, Config{CA: at(ca), Challenges: zone}) // the zone's certificates are enough for names in it
			front.open(m.Manager)
			m.Apply(full(site("hello", custom, "deep.hello."+testZone)))
			eventually(t, customWait, "the custom domain has a certificate", func() bool { return m.state(custom) == sites.CertificateValid })
			m.valid(t, "deep.hello."+testZone) // by DNS-01; the wildcard is not for it
			m.verify(t, custom, ca.IssuerPool(t))
			if c := m.presented(t, custom); !only(c, custom) {
				t.Errorf("the custom domain gets the certificate of %v", c.DNSNames)
			}
			eventually(t, customWait, "the wildcard covers the site's own name", func() bool {
				return m.state("hello."+testZone) == sites.CertificateWildcard
			})
			if _, ok := m.HTTPChallenge(custom, ""); ok || len(m.answers.byToken)+len(m.answers.handshakes) > 0 {
				t.Error("answers are left behind")
			}
			want := map[string]string{"tls": "http", "http": "tls"}[closed]
			if !front.came(want) {
				t.Errorf("the CA has not come by %s", want)
			}
		})
	}
}

func TestCustomDomainInAZoneOfOursIsProvenByDNS(t *testing.T) {
	t.Parallel()
	zone, front := newZoneServer(t), newDoors(t, "http", "tls")
	zone.kept = []string{"custom.example"}
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, HTTPPort: front.httpPort, TLSPort: front.tlsPort})
	m := run(t, Config{CA: at(ca), Challenges: zone, PerSite: true})
	m.Apply(full(site("hello", custom)))
	m.zoneValid(t)
	m.valid(t, custom)
	if front.came("http") || front.came("tls") || zone.left() > 0 {
		t.Errorf("the CA came by other ways, or challenges are left: %v", zone.values)
	}
}

func TestUnprovenCustomDomainIsExplained(t *testing.T) {
	t.Parallel()
	zone, front := newZoneServer(t), newDoors(t, "http", "tls")
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, HTTPPort: front.httpPort, TLSPort: front.tlsPort})
	m := run(t, Config{CA: at(ca), Challenges: zone, PerSite: true})
	front.open(m.Manager)
	m.Apply(full(site("hello", custom)))
	eventually(t, customWait, "the order has failed", func() bool { return m.state(custom) == sites.CertificateFailed })
	if got := m.Certificate(custom).LastError; !strings.Contains(got, "ports 80 and 443") {
		t.Errorf("what people are told: %q", got)
	}
	if c := m.presented(t, custom); c.Issuer.CommonName != c.Subject.CommonName {
		t.Errorf("meanwhile it is served with a certificate of %s", c.Issuer.CommonName)
	}
}

func TestLapsedDomainIsServedButNotOrdered(t *testing.T) {
	t.Parallel()
	zone, doors := newZoneServer(t), newDoors(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1, HTTPPort: doors.httpPort, TLSPort: doors.tlsPort, Validity: 20 * time.Second})
	front := ca.NewFront(t)
	m := run(t, Config{CA: at(front), Challenges: zone})
	doors.open(m.Manager)
	lapsed := func(hosts ...string) sites.Change {
		s := site("hello", custom, "never.example")
		s.Lapsed = hosts
		return full(s)
	}
	m.Apply(lapsed("never.example"))
	eventually(t, customWait, "the custom domain has a certificate", func() bool { return m.state(custom) == sites.CertificateValid })
	m.Apply(lapsed("never.example", custom))
	if c := m.Certificate(custom); c.State != sites.CertificateValid || !strings.Contains(c.LastError, "does not lead") {
		t.Errorf("of a lapsed domain people are told %+v", c)
	}
	m.verify(t, custom, ca.IssuerPool(t))
	eventually(t, customWait, "the certificate of the lapsed domain has ended", func() bool {
		_, err := m.handshake(t, custom)
		return err != nil
	})
	for _, name := range []string{custom, "never.example"} {
		if _, err := m.handshake(t, name); err == nil {
			t.Errorf("%s is served without a certificate", name)
		}
		if got := m.state(name); got != sites.CertificateNone {
			t.Errorf("%s is %q", name, got)
		}
	}
	m.Apply(lapsed())
	eventually(t, customWait, "the domain that leads here again has another", func() bool { return m.state(custom) == sites.CertificateValid })
}

func TestPanelOutsideTheZone(t *testing.T) {
	t.Parallel()
	zone, front := newZoneServer(t), newDoors(t, "tls")
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, HTTPPort: front.httpPort, TLSPort: front.tlsPort})
	m := run(t, Config{CA: at(ca), Challenges: zone, PanelHost: "panel.elsewhere.example"})
	if c := m.presented(t, "panel.elsewhere.example"); c.VerifyHostname("panel.elsewhere.example") != nil {
		t.Errorf("before anything is issued, the panel gets a certificate for %v", c.DNSNames)
	}
	front.open(m.Manager)
	eventually(t, customWait, "the panel has a certificate", func() bool { return m.state("panel.elsewhere.example") == sites.CertificateValid })
	m.verify(t, "panel.elsewhere.example", ca.IssuerPool(t))
}

func TestValidationHandshakesOfOthersAreRefused(t *testing.T) {
	m := run(t, Config{CA: CA{Directory: "internal"}})
	_, err := m.GetCertificate(&tls.ClientHelloInfo{ServerName: testZone, SupportedProtos: []string{acmez.ACMETLS1Protocol}})
	if err == nil {
		t.Error("a validation that no order asks for gets a certificate")
	}
	_, err = m.GetCertificate(&tls.ClientHelloInfo{ServerName: testZone, SupportedProtos: []string{acmez.ACMETLS1Protocol, "h2"}})
	if err != nil {
		t.Errorf("a client that speaks HTTP as well: %v", err)
	}
}
