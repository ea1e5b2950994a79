package dnsserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"berth/dnsserver/dnstest"
)

// secure is a server that also speaks TLS, at addr, with a certificate of ns1.example.test whose PEM is at root.
func secure(t *testing.T, s *Server) (addr, root string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ns1.example.test"}, DNSNames: []string{"ns1.example.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	root = filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	s.tls = newTLS(func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, nil
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveSockets(t, s, Sockets{TLS: []net.Listener{listener}})
	return listener.Addr().String(), root
}

func dialTLS(t *testing.T, addr string, cfg *tls.Config) *tls.Conn {
	t.Helper()
	cfg.InsecureSkipVerify = true
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestQueriesOverTLS(t *testing.T) {
	s := populated(t)
	addr, _ := secure(t, s)
	for _, protocols := range [][]string{nil, {"dot"}, {"h2", "dot"}} {
		conn := dialTLS(t, addr, &tls.Config{NextProtos: protocols})
		for range 3 {
			if m := ask(t, conn, "hello.example.test A"); len(m.Answer) != 1 {
				t.Errorf("answered %v", m)
			}
		}
		if got := conn.ConnectionState().NegotiatedProtocol; protocols != nil && got != "dot" {
			t.Errorf("protocol %q", got)
		}
	}
	if stats := s.Stats(); stats.TLS != 9 || stats.TCP != 0 {
		t.Errorf("%d queries over TLS, %d over TCP", stats.TLS, stats.TCP)
	}
}

func TestTLSIsRefused(t *testing.T) {
	s := populated(t)
	addr, _ := secure(t, s)
	for name, cfg := range map[string]*tls.Config{
		"TLS 1.1":          {MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10},
		"another protocol": {NextProtos: []string{"h2"}},
	} {
		cfg.InsecureSkipVerify = true
		if conn, err := tls.Dial("tcp", addr, cfg); err == nil {
			t.Errorf("%s: accepted", name)
			_ = conn.Close()
		} else if _, ok := errors.AsType[net.Error](err); !ok {
			t.Logf("%s: %v", name, err)
		}
	}
	eventually(t, "they are gone", func() bool { return s.Stats().Connections == 0 })
}

// A client that does not shake hands costs a slot for as long as one message may take.
func TestMuteClientsOverTLS(t *testing.T) {
	s := populated(t)
	s.limits.transfer = 100 * time.Millisecond
	addr, _ := secure(t, s)
	conn := dial(t, addr)
	wantClosed(t, conn)
}

// kdig's own view: strict TLS, padding to blocks, cookies and NSID.
func TestKdig(t *testing.T) {
	kdig := dnstest.Need(t, "kdig")
	cfg := testConfig()
	cfg.NSID = "ns1 in Oslo"
	s := signed(t, cfg, "hello")
	r := start(t, s)
	secured := populated(t)
	addr, root := secure(t, secured)
	for _, c := range []struct {
		name, at string
		args     string
		want     []string
	}{
		{"strict TLS", addr, "+tls-ca=" + root + " +tls-host=ns1.example.test hello.example.test A", []string{
			"TLS session (TLS1.3)", "The certificate is trusted", "status: NOERROR", "192.0.2.1",
		}},
		{"padding", addr, "+tls +padding hello.example.test A", []string{"PADDING", "Received 468 B"}},
		{"keepalive", addr, "+tls +ednsopt=11 hello.example.test A", []string{"Option (11): 0064", "status: NOERROR"}},
		{"NSID", r.udp4, "+nsid hello.example.test A", []string{`NSID: `, "ns1 in Oslo"}},
		{"cookie", r.udp4, "+cookie hello.example.test A", []string{"COOKIE: "}},
		{"cookie over TCP", r.tcp4, "+tcp +cookie hello.example.test A", []string{"COOKIE: "}},
		{"signed", r.udp4, "+dnssec hello.example.test A", []string{"RRSIG", "flags: do;"}},
		{"EDE", r.udp4, "+edns elsewhere.test A", []string{"status: REFUSED", "Not Authoritative"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			host, port, err := net.SplitHostPort(c.at)
			if err != nil {
				t.Fatal(err)
			}
			args := append([]string{"@" + host, "-p", port, "-d", "+time=10", "+retry=0"}, strings.Fields(c.args)...)
			out, err := exec.Command(kdig, args...).CombinedOutput()
			if err != nil {
				t.Fatalf("kdig: %v\n%s", err, out)
			}
			for _, text := range c.want {
				if !strings.Contains(string(out), text) {
					t.Errorf("no %q in\n%s", text, out)
				}
			}
			for _, text := range []string{"WARNING", "malformed", "ERROR"} {
				if strings.Contains(strings.ReplaceAll(string(out), "NOERROR", ""), text) {
					t.Errorf("%q in\n%s", text, out)
				}
			}
		})
	}
}

// dig comes again with the cookie when it is told that its own is bad.
func TestDigTakesCookies(t *testing.T) {
	dig := dnstest.Need(t, "dig")
	cfg := testConfig()
	cfg.RateLimit = 1
	s := newServer(t, cfg)
	s.Apply(full(1, "hello"))
	udp, tcp := samePort(t)
	serveOn(t, s, udp, tcp)
	flood(t, s, 50, "127.0.0.1", overUDP, always("hello.example.test A"))
	host, port, _ := net.SplitHostPort(tcp[0].Addr().String())
	out, err := exec.Command(dig, "@"+host, "-p", port, "+norec", "+tries=6", "+time=1", "+cookie", "hello.example.test", "A").CombinedOutput()
	if err != nil {
		t.Fatalf("dig: %v\n%s", err, out)
	}
	checkDig(t, string(out), []string{"status: NOERROR", "(good)", "ANSWER: 1"}, nil)
	if s.Stats().Rcodes["BADCOOKIE"] == 0 || s.Stats().ValidCookies == 0 {
		t.Errorf("%+v", s.Stats())
	}
}
