package proxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
)

// A client whose upload waits for an instance gives its place up with the connection, though nobody has read what it has sent.
func TestClientThatGivesUpLeavesTheQueue(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) { l.perInstance, l.queue = 1, 2*patience }))
	began, finish := make(chan struct{}), make(chan struct{})
	end := sync.OnceFunc(func() { close(finish) })
	defer end()
	e.publish(site("hello", startInstance(t, func(http.ResponseWriter, *http.Request) {
		began <- struct{}{}
		<-finish
	}).addr))
	first := make(chan int, 1)
	go func() { first <- get(t, e.client(1), "https://hello.berth.test/").StatusCode }()
	receive(t, "the first request", began)
	conn := e.dialTLS(t)
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: hello.berth.test\r\nContent-Length: 100000\r\n\r\n%s", make([]byte, 20_000))
	eventually(t, "the upload waits", func() bool { return e.Stats().InFlight == 2 })
	conn.Close()
	eventually(t, "it waits no more", func() bool { return e.Stats().InFlight == 1 })
	end()
	if status := receive(t, "the first answer", first); status != http.StatusOK {
		t.Errorf("got %d", status)
	}
}

// pattern is a body in which no part can pass for another.
func pattern(size int) []byte {
	body := make([]byte, 0, size+16)
	for i := 0; len(body) < size; i++ {
		body = fmt.Appendf(body, "%x ", i)
	}
	return body[:size]
}

// Clients that close in the middle of what is written to them, several records of TLS at a time, leave nothing behind, and nobody
// else gets what was meant for them.
func TestClientsThatLeaveInTheMiddle(t *testing.T) {
	e := startEdge(t)
	body := pattern(2 << 20)
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store, no-transform")
		if r.URL.Path == "/declared" {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		}
		w.Write(body)
	}).addr))
	var clients sync.WaitGroup
	for i := range 4 {
		clients.Go(func() {
			for n := range 6 {
				e.leaveEarly(t, []string{"/declared", "/chunked"}[n%2], i%2 == 0)
			}
		})
	}
	for _, major := range []int{1, 2} {
		c := e.client(major)
		clients.Go(func() {
			for n := range 4 {
				path := []string{"/declared", "/chunked"}[n%2]
				if got := get(t, c, "https://hello.berth.test"+path); got.body != string(body) {
					t.Errorf("HTTP/%d: got %d bytes, or other ones", major, len(got.body))
				}
			}
		})
	}
	clients.Wait()
	eventually(t, "no request in flight", func() bool { return e.Stats().InFlight == 0 })
}

// leaveEarly asks for a path, reads some of the response, and closes the connection, by a reset or not.
func (e *edge) leaveEarly(t *testing.T, path string, reset bool) {
	under, err := net.Dial("tcp", e.secure)
	if err != nil {
		t.Error(err)
		return
	}
	defer under.Close()
	conn := tls.Client(under, &tls.Config{RootCAs: e.roots, ServerName: testZone})
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: hello.berth.test\r\n\r\n", path)
	if _, err := io.CopyN(io.Discard, conn, rand.Int64N(1<<20)); err != nil {
		t.Error(err)
	}
	if reset {
		_ = under.(*net.TCPConn).SetLinger(0)
	}
}

// An instance that dies while a client sends is answered for, and the client reads that though it has more to say.
func TestInstanceThatDiesWhileTheClientSends(t *testing.T) {
	e := startEdge(t)
	l := listen(t)
	t.Cleanup(func() { l.Close() })
	go acceptAll(l, func(conn net.Conn) {
		_, _ = io.CopyN(io.Discard, conn, 1<<20) // what is unread makes the end a reset
		conn.Close()
	})
	e.publish(site("hello", netip.MustParseAddrPort(l.Addr().String())))
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		for range 3 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://hello.berth.test/", bytes.NewReader(make([]byte, 16<<20)))
			if err != nil {
				t.Fatal(err)
			}
			if got := do(t, c, req); got.StatusCode != http.StatusBadGateway {
				t.Errorf("got %d", got.StatusCode)
			}
		}
	})
	eventually(t, "no request in flight", func() bool { return e.Stats().InFlight == 0 })
}
