package origin

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const patience = 30 * time.Second

// dialed is a Transport to an address that counts its connections.
type dialed struct {
	*Transport
	dials atomic.Int64
}

func to(t *testing.T, addr string, change ...func(*Config)) *dialed {
	t.Helper()
	d := &dialed{}
	cfg := Config{
		Dial: func(ctx context.Context) (net.Conn, error) {
			d.dials.Add(1)
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		},
		MaxConns: 8, MaxIdle: 8, KeepIdle: patience, Queue: patience, Response: patience, MaxHeaderBytes: 16 << 10,
	}
	for _, c := range change {
		c(&cfg)
	}
	d.Transport = New(cfg)
	t.Cleanup(d.CloseIdleConnections)
	return d
}

// serve runs an origin.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// scripted runs an origin that does with each connection what the script says.
func scripted(t *testing.T, script func(net.Conn, *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	t.Cleanup(func() { l.Close(); conns.Wait() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				script(conn, bufio.NewReader(conn))
			})
		}
	}()
	return l.Addr().String()
}

// readHead reads a request's line and header.
func readHead(in *bufio.Reader) (string, error) {
	var head strings.Builder
	for {
		line, err := in.ReadString('\n')
		head.WriteString(line)
		if err != nil || line == "\r\n" {
			return head.String(), err
		}
	}
}

func request(t *testing.T, method, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://origin.test"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func read(t *testing.T, rt *dialed, r *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := rt.Do(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if hasBody(r) && !res.Close {
		// The connection is free when the sender has seen the end of the body, too.
		await(t, "the connection is free", func() bool { return rt.idling() > 0 })
	}
	return res, string(text)
}

func (t *Transport) connections() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open
}

func (t *Transport) idling() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.idle)
}

// await waits for something that is bound to happen.
func await(t *testing.T, what string, happened func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !happened() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		runtime.Gosched()
	}
}
