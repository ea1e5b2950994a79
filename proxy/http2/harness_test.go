package http2_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"berth/proxy/http2"
)

// patience is what a test waits before it fails; nothing takes nearly as long.
const patience = 20 * time.Second

var discardLog = log.New(io.Discard, "", 0)

// served is a Server on a port of this machine.
type served struct {
	*http2.Server
	addr    string
	base    context.Context // of requests
	roots   *x509.CertPool
	serving sync.WaitGroup
	conns   atomic.Int64 // Serve calls that have not returned
}

func start(t testing.TB, handler http.HandlerFunc, options ...func(*http2.Server)) *served {
	t.Helper()
	s := &served{base: context.Background(), Server: &http2.Server{
		Handler: handler, MaxStreams: 100, HeaderTimeout: patience, IdleTimeout: patience,
		Log: discardLog,
	}}
	for _, option := range options {
		option(s.Server)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	cert := s.certificate(t)
	config := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}}
	s.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			s.serving.Go(func() { s.serve(conn, config) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.Close()
		s.serving.Wait() // no Serve leaks
	})
	return s
}

func (s *served) serve(conn net.Conn, config *tls.Config) {
	defer s.conns.Add(-1)
	secured := tls.Server(conn, config)
	if err := secured.Handshake(); err != nil {
		conn.Close()
		return
	}
	state := secured.ConnectionState()
	s.Serve(s.base, secured, &state)
}

func (s *served) certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s.roots = x509.NewCertPool()
	s.roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (s *served) url(path string) string { return "https://" + s.addr + path }

// client is Go's, which speaks nothing but HTTP/2 here.
func (s *served) client(t testing.TB) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	transport := &http.Transport{
		Protocols: protocols, TLSClientConfig: &tls.Config{RootCAs: s.roots}, ExpectContinueTimeout: patience,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// raw is a client that says what it likes.
type raw struct {
	net.Conn
	*xhttp2.Framer
	t     testing.TB
	block bytes.Buffer
	enc   *hpack.Encoder
}

// dial returns a client that has said hello.
func (s *served) dial(t testing.TB, settings ...xhttp2.Setting) *raw {
	t.Helper()
	c := s.dialSilent(t)
	c.say(io.WriteString(c.Conn, xhttp2.ClientPreface))
	c.must(c.WriteSettings(settings...))
	return c
}

func (s *served) dialSilent(t testing.TB) *raw {
	t.Helper()
	conn, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: s.roots, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetReadDeadline(time.Now().Add(patience))
	c := &raw{Conn: conn, Framer: xhttp2.NewFramer(conn, conn), t: t}
	c.AllowIllegalWrites = true
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.enc = hpack.NewEncoder(&c.block)
	return c
}

// pipe returns a client that has said hello, over a connection without TLS and buffers, and what is closed when Serve has returned.
func pipe(t testing.TB, s *http2.Server) (*raw, <-chan struct{}) {
	t.Helper()
	near, far := net.Pipe()
	serving := make(chan struct{})
	go func() {
		defer close(serving)
		s.Serve(context.Background(), far, nil)
	}()
	c := &raw{Conn: near, Framer: xhttp2.NewFramer(near, near), t: t}
	c.enc = hpack.NewEncoder(&c.block)
	said := make(chan error, 1)
	go func() { // beside the reading
		_, err := io.WriteString(near, xhttp2.ClientPreface)
		said <- errors.Join(err, c.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 1 << 30}))
	}()
	await(c, "the settings' answer", func(f *xhttp2.SettingsFrame) bool { return f.IsAck() })
	c.must(<-said)
	return c, serving
}

func (c *raw) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *raw) say(_ int, err error) {
	c.t.Helper()
	c.must(err)
}

// header encodes names and values.
func (c *raw) header(fields ...string) []byte {
	c.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		c.must(c.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	return bytes.Clone(c.block.Bytes())
}

// to is the header of a request, with more fields.
func (c *raw) to(method, path string, more ...string) []byte {
	return c.header(append([]string{":method", method, ":scheme", "https", ":authority", "site.test", ":path", path}, more...)...)
}

// get asks for a path.
func (c *raw) get(id uint32, path string, more ...string) {
	c.t.Helper()
	c.must(c.open(id, true, c.to("GET", path, more...)))
}

func (c *raw) open(id uint32, end bool, block []byte) error {
	return c.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndStream: end, EndHeaders: true})
}

// await reads until a frame is what is looked for, and answers nothing meanwhile.
func await[F xhttp2.Frame](c *raw, what string, wanted func(F) bool) F {
	c.t.Helper()
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", what, err)
		}
		if f, ok := frame.(F); ok && wanted(f) {
			return f
		}
	}
}

func anyOf[F xhttp2.Frame](F) bool { return true }

// status is that of the next response on a stream.
func (c *raw) status(id uint32) string {
	c.t.Helper()
	f := await(c, "a response", func(f *xhttp2.MetaHeadersFrame) bool { return f.StreamID == id })
	return f.PseudoValue("status")
}

// wantReset wants a stream to be reset.
func (c *raw) wantReset(id uint32, code xhttp2.ErrCode) {
	c.t.Helper()
	f := await(c, "a reset", func(f *xhttp2.RSTStreamFrame) bool { return f.StreamID == id })
	if f.ErrCode != code {
		c.t.Errorf("stream %d is reset by %v, not %v", id, f.ErrCode, code)
	}
}

// wantAway wants the connection to end, for a reason.
func (c *raw) wantAway(code xhttp2.ErrCode) {
	c.t.Helper()
	if f := await(c, "GOAWAY", anyOf[*xhttp2.GoAwayFrame]); f.ErrCode != code {
		c.t.Errorf("the connection ends by %v, not %v", f.ErrCode, code)
	}
	c.wantEnd()
}

// wantEnd wants the server to close the connection.
func (c *raw) wantEnd() {
	c.t.Helper()
	for {
		if _, err := c.ReadFrame(); err != nil {
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				c.t.Fatal("the connection is open")
			}
			return
		}
	}
}

// alive wants the connection to answer.
func (c *raw) alive() {
	c.t.Helper()
	c.must(c.WritePing(false, [8]byte{'?'}))
	await(c, "a ping's answer", func(f *xhttp2.PingFrame) bool { return f.IsAck() && f.Data[0] == '?' })
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain: ", what)
		}
	}
}

// receive waits for a value.
func receive[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("waited in vain: ", what)
		panic("unreachable")
	}
}
