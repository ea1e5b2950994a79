package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func readerOf(text string) io.Reader {
	if text == "" {
		return nil
	}
	return strings.NewReader(text)
}

func TestShutdownFinishesRequestsInFlight(t *testing.T) {
	e := startEdge(t)
	began, finish := make(chan struct{}), make(chan struct{})
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-finish
		io.WriteString(w, "finished")
	}).addr), site("socket", startEcho(t).addr))
	conn := e.websocket(t, "socket")
	conn.echo(t, "open")
	answers := make(chan string, 3)
	for _, major := range []int{1, 2, 3} {
		c := e.client(major)
		go func() { answers <- get(t, c, "https://hello.berth.test/").body }()
		receive(t, "the request", began)
	}
	e.stop()
	eventually(t, "no new connections", func() bool {
		conn, err := net.Dial("tcp", e.secure)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if got := conn.echo(t, "still"); got != "still" {
		t.Errorf("the upgraded connection says %q", got)
	}
	close(finish)
	for range cap(answers) {
		if got := receive(t, "the answer", answers); got != "finished" {
			t.Errorf("got %q", got)
		}
	}
	if err := receive(t, "the end of Serve", e.ended); err != nil {
		t.Error(err)
	}
	e.ended <- nil // for the cleanup
	if n := e.Stats().InFlight; n != 0 {
		t.Errorf("%d requests in flight after Serve", n)
	}
	if _, _, err := conn.Read(t.Context()); err == nil {
		t.Error("the upgraded connection outlives Serve")
	}
}

func TestShutdownCutsOffWhatDoesNotEnd(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) { l.shutdown = 50 * time.Millisecond }))
	began := make(chan struct{})
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begun" {
			w.(http.Flusher).Flush()
		}
		began <- struct{}{}
		<-r.Context().Done()
	}).addr))
	cut := make(chan error, 6)
	for _, major := range []int{1, 2, 3} {
		for _, path := range []string{"/begun", "/silent"} {
			c := e.client(major)
			go func() {
				res, err := c.Get("https://hello.berth.test" + path)
				if err == nil {
					_, err = io.ReadAll(res.Body)
					res.Body.Close()
				}
				cut <- err
			}()
			receive(t, "the request", began)
		}
	}
	e.stop()
	for range cap(cut) {
		if err := receive(t, "the end of a request", cut); err == nil {
			t.Error("a response that was cut off looks whole")
		}
	}
	if err := receive(t, "the end of Serve", e.ended); err != nil {
		t.Error(err)
	}
	e.ended <- nil // for the cleanup
}

func TestServeReportsListenerThatFails(t *testing.T) {
	p := idleProxy(noStatic)
	p.getCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") }
	broken, fine := listen(t), listen(t)
	broken.Close()
	ended := make(chan error, 1)
	go func() {
		ended <- p.Serve(t.Context(), Sockets{Plain: []net.Listener{broken}, Secure: []net.Listener{fine}})
	}()
	if err := receive(t, "the end of Serve", ended); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, err := fine.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the other listener is left open: %v", err)
	}
}

func TestTLSVersionsAndSuites(t *testing.T) {
	e := startEdge(t)
	connect := func(cfg *tls.Config) error {
		cfg.RootCAs, cfg.ServerName = e.roots, testZone
		conn, err := tls.Dial("tcp", e.secure, cfg)
		if err == nil {
			conn.Close()
		}
		return err
	}
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		if err := connect(&tls.Config{MinVersion: version, MaxVersion: version}); (err == nil) != ok {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
	weak := []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	if connect(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: weak}) == nil {
		t.Error("a weak cipher suite is taken")
	}
}

func TestFailedHandshakesDoNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := &Proxy{log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}
		e := p.entrance(nil, nil, nil)
		client, _ := net.Pipe()
		for range 100 {
			e.unsecured(client, io.EOF)
		}
		<-time.After(time.Second) // of the fake clock
		e.unsecured(client, io.EOF)
		if n := strings.Count(out.String(), "\n"); n != 2 || !strings.Contains(out.String(), "omitted=99") {
			t.Errorf("%d lines: %s", n, out.String())
		}
	})
	e := startEdge(t)
	for range 3 {
		dial(t, e.secure).Close()
		conn := dial(t, e.secure)
		io.WriteString(conn, "no handshake\r\n\r\n")
		untilClosed(t, conn)
	}
	if log := e.logged.String(); log != "" {
		t.Errorf("logged at info and above: %s", log)
	}
}

// failingListener fails to accept for a while, as when all files that may be open are.
type failingListener struct {
	net.Listener
	failures atomic.Int32 // to come
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

func TestListenerThatCannotAcceptIsLogged(t *testing.T) {
	p, logged := idleProxy(noStatic), &logBuffer{}
	p.log = slog.New(slog.NewTextHandler(logged, nil))
	plain, secure := &failingListener{Listener: listen(t)}, &failingListener{Listener: listen(t)}
	plain.failures.Store(3)
	secure.failures.Store(3)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(ctx, Sockets{Plain: []net.Listener{plain}, Secure: []net.Listener{secure}}) }()
	if got := raw(t, dial(t, plain.Addr().String()), "GET / HTTP/1.1", "Host: hello.berth.test"); got.StatusCode != 308 {
		t.Errorf("after the failures: got %d", got.StatusCode)
	}
	eventually(t, "the failures end", func() bool { return secure.failures.Load() < 0 })
	stop()
	if err := receive(t, "the end of Serve", ended); err != nil {
		t.Error(err)
	}
	log := logged.String()
	if n := strings.Count(log, "level=ERROR"); n != 2 || strings.Count(log, "too many open files") != 2 {
		t.Errorf("want one line for each server, got: %s", log)
	}
}

// A panic of what gives certificates costs the connection, not the process, and no place.
func TestPanicOfAHandshakeIsContained(t *testing.T) {
	var gives func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	e := startEdge(t, func(c *Config, _ *limits) {
		gives = c.GetCertificate
		c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if hello.ServerName == "evil.berth.test" {
				panic("evil")
			}
			return gives(hello)
		}
	})
	conn := tls.Client(dial(t, e.secure), &tls.Config{RootCAs: e.roots, ServerName: "evil.berth.test"})
	if err := conn.HandshakeContext(t.Context()); err == nil {
		t.Error("the handshake succeeds")
	}
	eventually(t, "its place is free", func() bool {
		e.gate.mu.Lock()
		defer e.gate.mu.Unlock()
		return e.gate.count == 0
	})
	if log := e.logged.String(); !strings.Contains(log, "cause=evil") {
		t.Errorf("logged: %s", log)
	}
	if got := get(t, e.client(1), "https://panel.berth.test/"); got.body != "panel" {
		t.Errorf("afterwards: got %q", got.body)
	}
}

func TestStatsCountRequests(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, says("hello")).addr))
	for range 3 {
		get(t, e.client(1), "https://hello.berth.test/")
	}
	eventually(t, "all requests ended", func() bool { return e.Stats().InFlight == 0 })
	if got, want := e.Stats(), (Stats{Hosts: 1, Instances: 1, Served: 3}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
