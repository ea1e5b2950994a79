package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/sites"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

const (
	testZone   = "berth.test"
	testPanel  = "panel.berth.test"
	testPolicy = "default-src 'none'; style-src 'sha256-x'"
	testPort   = 8443 // of redirects only
	patience   = 30 * time.Second
)

// edge is a Proxy that serves on loopback, with clients for it.
type edge struct {
	*Proxy
	t      testing.TB
	secure string // addresses
	plain  string
	roots  *x509.CertPool
	logged *logBuffer
	stop   context.CancelFunc
	ended  chan error // what Serve returned
}

type option func(*Config, *limits)

func withLimits(change func(*limits)) option { return func(_ *Config, l *limits) { change(l) } }

func withPanel(h http.HandlerFunc) option { return func(c *Config, _ *limits) { c.Panel = h } }

func startEdge(t testing.TB, options ...option) *edge {
	t.Helper()
	cert, roots := testCertificate(t)
	logged := &logBuffer{}
	cfg := Config{
		Zone:           testZone,
		PanelHost:      testPanel,
		Panel:          http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "panel") }),
		HTTPSPort:      testPort,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert, nil },
		HTTPChallenge:  func(host, token string) (string, bool) { return "key of " + host, token == "known" },
		Static:         func(root string) (http.Handler, error) { return http.FileServer(http.Dir(root)), nil },
		Pages:          testPages{},
		Logger:         textLog(logged),
	}
	lim := defaultLimits()
	lim.shutdown = patience
	for _, o := range options {
		o(&cfg, &lim)
	}
	e := &edge{Proxy: newProxy(cfg, lim), t: t, roots: roots, logged: logged, ended: make(chan error, 1)}
	plain := listen(t)
	secure, quic := listenBoth(t)
	e.plain, e.secure = plain.Addr().String(), secure.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	go func() {
		e.ended <- e.Serve(ctx, Sockets{Plain: []net.Listener{plain}, Secure: []net.Listener{secure}, QUIC: []net.PacketConn{quic}})
	}()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-e.ended:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(2 * patience):
			t.Error("Serve does not return")
		}
	})
	return e
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// listenBoth opens one port for TCP and UDP.
func listenBoth(t testing.TB) (net.Listener, net.PacketConn) {
	t.Helper()
	for range 20 {
		l := listen(t)
		if conn, err := net.ListenPacket("udp", l.Addr().String()); err == nil {
			return l, conn
		}
		l.Close()
	}
	t.Fatal("no port is free for TCP and UDP")
	panic("unreachable")
}

// testPages renders pages that tests can tell apart.
type testPages struct{}

func (testPages) Page(kind PageKind, host string) []byte {
	return fmt.Appendf(nil, "<!doctype html><title>page %d</title><p>%s", kind, host)
}

func (testPages) TooLarge(host string, mostMB int) []byte {
	return fmt.Appendf(nil, "<!doctype html><title>too large</title><p>%s: %d", host, mostMB)
}

func (testPages) Policy() string { return testPolicy }

// logBuffer collects what is logged at info and above.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func textLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func testCertificate(t testing.TB) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	caKey, leafKey := newKey(t), newKey(t)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{testZone, "*." + testZone, "test"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, leafKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(caDER)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	if leaf, err = x509.ParseCertificate(leafDER); err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{leafDER, caDER}, PrivateKey: leafKey, Leaf: leaf}, roots
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// client reaches the edge under whatever name a URL has, over one version of HTTP.
func (e *edge) client(major int) *http.Client {
	if major == 3 {
		return e.client3()
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(major == 1)
	protocols.SetHTTP2(major == 2)
	transport := &http.Transport{
		Protocols:           protocols,
		TLSClientConfig:     &tls.Config{RootCAs: e.roots},
		MaxIdleConnsPerHost: 64,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			to := e.secure
			if strings.HasSuffix(addr, ":80") {
				to = e.plain
			}
			return new(net.Dialer).DialContext(ctx, network, to)
		},
	}
	e.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// client3 is client for HTTP/3.
func (e *edge) client3() *http.Client {
	transport := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: e.roots},
		Dial: func(ctx context.Context, _ string, config *tls.Config, limits *quic.Config) (*quic.Conn, error) {
			return quic.DialAddr(ctx, e.secure, config, limits)
		},
	}
	e.t.Cleanup(func() { transport.Close() })
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// everyVersion runs a test over HTTP/1.1, HTTP/2 and HTTP/3.
func everyVersion(t *testing.T, e *edge, test func(t *testing.T, c *http.Client)) {
	t.Helper()
	for _, major := range []int{1, 2, 3} {
		t.Run(fmt.Sprintf("HTTP%d", major), func(t *testing.T) { test(t, e.client(major)) })
	}
}

// reply is a response that was read to its end.
type reply struct {
	*http.Response
	body string
}

func do(t testing.TB, c *http.Client, req *http.Request) reply {
	t.Helper()
	res, err := c.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: body: %v", req.Method, req.URL, err)
	}
	return reply{res, string(body)}
}

func request(t testing.TB, method, url, body string, header ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return req
}

func get(t testing.TB, c *http.Client, url string, header ...string) reply {
	t.Helper()
	return do(t, c, request(t, http.MethodGet, url, "", header...))
}

// dialTLS opens a connection for requests that net/http's client would not send.
func (e *edge) dialTLS(t testing.TB) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", e.secure, &tls.Config{RootCAs: e.roots, ServerName: testZone})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// raw sends lines as one HTTP/1.1 request and returns the response.
func raw(t testing.TB, conn net.Conn, lines ...string) reply {
	t.Helper()
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return readReply(t, conn)
}

func readReply(t testing.TB, conn net.Conn) reply {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("read response: %v", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("read body: %v", err)
	}
	return reply{res, string(body)}
}

// instance is a server that a site runs on.
type instance struct {
	*httptest.Server
	addr netip.AddrPort
}

func startInstance(t testing.TB, h http.HandlerFunc) *instance {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return &instance{s, netip.MustParseAddrPort(s.Listener.Addr().String())}
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

// deadAddress is one that refuses connections.
func deadAddress(t testing.TB) netip.AddrPort {
	t.Helper()
	l := listen(t)
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String())
}

// site is a running site of the name below the zone.
func site(name string, instances ...netip.AddrPort) sites.Published {
	return sites.Published{
		ID: 1, Name: name, Hosts: []string{name + "." + testZone}, State: sites.StateRunning, Release: 1, Instances: instances,
	}
}

func (e *edge) publish(published ...sites.Published) { e.Apply(sites.Change{Sites: published}) }

// release is a directory with an index.html of the text.
func release(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain: %s", what)
		}
	}
}

func receive[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("in vain: %s", what)
		panic("unreachable")
	}
}
