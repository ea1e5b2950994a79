package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// untilClosed reads what comes until the other end closes.
func untilClosed(t *testing.T, conn net.Conn) string {
	t.Helper()
	data, err := io.ReadAll(conn)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Fatal("the connection stays open")
	}
	return string(data)
}

func TestSlowHeaderEndsConnection(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) { l.header = time.Second }))
	silent, slow, plain := dial(t, e.secure), e.dialTLS(t), dial(t, e.plain)
	io.WriteString(slow, "GET / HTTP/1.1\r\nHost: hello.berth.test\r\nX-Slow: ")
	io.WriteString(plain, "GET / HTTP/1.1\r\n")
	untilClosed(t, silent) // never began a handshake
	untilClosed(t, slow)
	untilClosed(t, plain)
}

func TestIdleConnectionIsClosed(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) { l.idle = 50 * time.Millisecond }))
	conn := e.dialTLS(t)
	if got := raw(t, conn, "GET / HTTP/1.1", "Host: panel.berth.test"); got.body != "panel" {
		t.Fatalf("got %q", got.body)
	}
	untilClosed(t, conn)
}

func TestStalledBodyEndsRequest(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) { l.stall = 100 * time.Millisecond }))
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
	}).addr))
	t.Run("HTTP1", func(t *testing.T) {
		conn := e.dialTLS(t)
		got := raw(t, conn, "POST / HTTP/1.1", "Host: hello.berth.test", "Content-Length: 10")
		if got.StatusCode != http.StatusRequestTimeout || !got.Close {
			t.Errorf("got %d, closing: %v", got.StatusCode, got.Close)
		}
		untilClosed(t, conn)
	})
	t.Run("HTTP2", func(t *testing.T) {
		body, feed := io.Pipe()
		defer feed.Close()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://hello.berth.test/", body)
		if err != nil {
			t.Fatal(err)
		}
		if got := do(t, e.client(2), req); got.StatusCode != http.StatusRequestTimeout {
			t.Errorf("got %d", got.StatusCode)
		}
	})
	eventually(t, "no request in flight", func() bool { return e.Stats().InFlight == 0 })
}

// An upload may take longer than any one wait within it.
func TestSlowUploadIsNotStalled(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) { l.stall = time.Second }))
	e.publish(site("hello", startInstance(t, countsBody).addr))
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		const parts = 24
		body, feed := io.Pipe()
		go func() {
			defer feed.Close()
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for range parts {
				<-tick.C
				feed.Write(make([]byte, 1<<10))
			}
		}()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://hello.berth.test/", body)
		if err != nil {
			t.Fatal(err)
		}
		if got := do(t, c, req); got.body != fmt.Sprint(parts<<10) {
			t.Errorf("got %d %q", got.StatusCode, got.body)
		}
	})
}

func countsBody(w http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body)
	fmt.Fprint(w, n)
}

// It is not the client that stalls when the instance takes its time over the body.
func TestSlowInstanceIsNoStalledBody(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) { l.stall = 500 * time.Millisecond }))
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		<-time.After(time.Second)
		countsBody(w, r)
	}).addr))
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		body := strings.Repeat("x", 32<<20) // more than all buffers on the way hold
		got := do(t, c, request(t, http.MethodPost, "https://hello.berth.test/", body))
		if got.body != fmt.Sprint(len(body)) {
			t.Errorf("got %d %q", got.StatusCode, got.body)
		}
	})
}

// A client that asks first sends its body only to an instance that wants it.
func TestExpectContinue(t *testing.T) {
	e := startEdge(t)
	e.publish(site("takes", startInstance(t, countsBody).addr), site("refuses", startInstance(t,
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }).addr))
	const header = "POST / HTTP/1.1\r\nHost: %s.berth.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
	takes := e.dialTLS(t)
	fmt.Fprintf(takes, header, "takes")
	answers := bufio.NewReader(takes)
	if got, err := http.ReadResponse(answers, nil); err != nil || got.StatusCode != http.StatusContinue {
		t.Fatalf("got %v, %v", got, err)
	}
	io.WriteString(takes, "body")
	got, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(got.Body); string(body) != "4" {
		t.Errorf("got %d %q", got.StatusCode, body)
	}
	refuses := e.dialTLS(t)
	fmt.Fprintf(refuses, header, "refuses")
	if got := readReply(t, refuses); got.StatusCode != http.StatusForbidden || !got.Close {
		t.Errorf("got %d, closing: %v", got.StatusCode, got.Close)
	}
}

// What follows a malformed body is not taken for a request, whoever answers.
func TestMalformedBodyIsTheClientsFault(t *testing.T) {
	e := startEdge(t)
	var smuggled atomic.Bool
	e.publish(site("reads", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		smuggled.CompareAndSwap(false, r.URL.Path == "/smuggled")
		io.Copy(io.Discard, r.Body)
	}).addr), site("ignores", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		smuggled.CompareAndSwap(false, r.URL.Path == "/smuggled")
		io.WriteString(w, "early")
	}).addr), site("down", deadAddress(t)))
	for name, status := range map[string]int{"reads": 400, "ignores": 0, "down": 502} { // 0: it is a race
		t.Run(name, func(t *testing.T) {
			host := "Host: " + name + ".berth.test"
			conn := e.dialTLS(t)
			io.WriteString(conn, "POST / HTTP/1.1\r\n"+host+"\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
			got := raw(t, conn, "zz", "", "GET /smuggled HTTP/1.1", host)
			if status != 0 && got.StatusCode != status {
				t.Errorf("got %d, want %d", got.StatusCode, status)
			}
			if !got.Close {
				t.Error("the connection is to be used again")
			}
			untilClosed(t, conn)
		})
	}
	if smuggled.Load() {
		t.Error("a part of the body was taken for a request")
	}
}

// An instance may refuse an upload without reading it.
func TestEarlyAnswer(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	}).addr))
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		got := do(t, c, request(t, http.MethodPost, "https://hello.berth.test/", strings.Repeat("x", 8<<20)))
		if got.StatusCode != http.StatusRequestEntityTooLarge || got.body != "too large\n" {
			t.Errorf("got %d %q", got.StatusCode, got.body)
		}
	})
}

// A client may wait for the answer before it sends the rest of its body.
func TestEarlyAnswerComesEarly(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Content-Length", "2")
		io.WriteString(w, "no")
	}).addr))
	conn := e.dialTLS(t)
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: hello.berth.test\r\nContent-Length: 10\r\n\r\nx")
	if got := readReply(t, conn); got.StatusCode != http.StatusOK || got.body != "no" {
		t.Errorf("got %d %q", got.StatusCode, got.body)
	}
}

// An instance that switches protocols while a body is still read must not have two read the client's connection: net/http panics.
func TestRequestWithBodyDoesNotSwitch(t *testing.T) {
	e := startEdge(t)
	l := listen(t)
	t.Cleanup(func() { l.Close() })
	asked := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r, err := http.ReadRequest(bufio.NewReaderSize(conn, 16))
		if err != nil {
			return
		}
		asked <- r.Header.Get("Upgrade")
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(io.Discard, conn)
	}()
	e.publish(site("hello", netip.MustParseAddrPort(l.Addr().String())))
	conn := e.dialTLS(t)
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: hello.berth.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\nContent-Length: 100000000\r\n\r\n")
	go func() {
		block := make([]byte, 32<<10)
		for range 500 {
			if _, err := conn.Write(block); err != nil {
				return
			}
		}
		conn.Close()
	}()
	if got := receive(t, "the request", asked); got != "" {
		t.Errorf("the instance is asked for %q", got)
	}
	eventually(t, "no request in flight", func() bool { return e.Stats().InFlight == 0 })
}

// A client that asks for much and reads nothing loses its connection, and the instance its request.
func TestStalledResponseEndsConnection(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) { l.stall = 100 * time.Millisecond }))
	ended := make(chan struct{}, 1)
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended <- struct{}{} }()
		block := make([]byte, 1<<20)
		for r.Context().Err() == nil {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}).addr))
	t.Run("HTTP1", func(t *testing.T) {
		io.WriteString(e.dialTLS(t), "GET / HTTP/1.1\r\nHost: hello.berth.test\r\n\r\n")
		receive(t, "the instance's end", ended)
	})
	t.Run("HTTP2", func(t *testing.T) {
		res, err := e.client(2).Get("https://hello.berth.test/") // the window of the stream fills
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		receive(t, "the instance's end", ended)
	})
	eventually(t, "no request in flight", func() bool { return e.Stats().InFlight == 0 })
}

func TestOversizeHeader(t *testing.T) {
	e := startEdge(t)
	for name, conn := range map[string]net.Conn{"secure": e.dialTLS(t), "plain": dial(t, e.plain)} {
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: hello.berth.test\r\nX-Large: %s\r\n\r\n", strings.Repeat("x", 160<<10))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: got %d", name, res.StatusCode)
		}
	}
	// A hosted site can give its visitors this much to bring along to the panel.
	var cookies []string
	for i := range 30 {
		cookies = append(cookies, fmt.Sprintf("bomb%d=%s", i, strings.Repeat("x", 4000)))
	}
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		if got := get(t, c, "https://panel.berth.test/", "Cookie", strings.Join(cookies, "; ")); got.body != "panel" {
			t.Errorf("117 KiB: got %d", got.StatusCode)
		}
	})
	if got := get(t, e.client(1), "http://panel.berth.test/", "Cookie", strings.Join(cookies, "; ")); got.StatusCode != 308 {
		t.Errorf("117 KiB without TLS: got %d", got.StatusCode)
	}
}

// A Write has a time of its own, however steadily the peer reads; a response has as many Writes as it takes.
func TestPacedConnBoundsEachWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		conn := &pacedConn{Conn: near, stall: time.Minute}
		var reading sync.WaitGroup
		defer reading.Wait()
		defer near.Close()
		reading.Go(func() {
			tick := time.NewTicker(15 * time.Second)
			defer tick.Stop()
			for err := error(nil); err == nil; <-tick.C {
				_, err = far.Read(make([]byte, 1))
			}
		})
		for i := range 20 {
			if _, err := conn.Write([]byte("x")); err != nil {
				t.Fatalf("after %d minutes: %v", i/4, err)
			}
		}
		if n, err := conn.Write(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 {
			t.Errorf("a large Write: %d bytes, %v", n, err)
		}
	})
}

// However much is written at once, a peer that takes a record in the time is not too slow.
func TestPacedConnWaitsForSlowPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		conn := &pacedConn{Conn: near, stall: time.Minute}
		var reading sync.WaitGroup
		defer reading.Wait()
		defer near.Close()
		reading.Go(func() {
			tick := time.NewTicker(20 * time.Second)
			defer tick.Stop()
			for err := error(nil); err == nil; <-tick.C {
				_, err = io.ReadFull(far, make([]byte, leastTaken))
			}
		})
		if n, err := conn.Write(make([]byte, 40*leastTaken)); n != 40*leastTaken || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

// A redirect that does not wait for the body reaches a client that still sends, without TLS, too.
func TestAnswerReachesWhoStillSends(t *testing.T) {
	e := startEdge(t)
	for range 10 {
		conn := dial(t, e.plain)
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: hello.berth.test\r\nContent-Length: %d\r\n\r\n", 4<<20)
		if _, err := conn.Write(make([]byte, 4<<20)); err != nil {
			t.Fatal(err)
		}
		if got := readReply(t, conn); got.StatusCode != http.StatusPermanentRedirect {
			t.Errorf("got %d", got.StatusCode)
		}
	}
}

// An instance that fails while the client waits for its answer is not waited for until the client goes on.
func TestFailureIsToldToWhoWaits(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		io.ReadFull(r.Body, make([]byte, 1))
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.Close()
		}
	}).addr))
	conn := e.dialTLS(t)
	_ = conn.SetReadDeadline(time.Now().Add(patience / 2)) // a stalled body has as long as patience
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: hello.berth.test\r\nContent-Length: 10\r\n\r\nx")
	if got := readReply(t, conn); got.StatusCode != http.StatusBadGateway {
		t.Errorf("got %d", got.StatusCode)
	}
}

func TestInstanceThatDoesNotAnswer(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) { l.response = 50 * time.Millisecond }))
	l := listen(t) // accepts, in its backlog, and says nothing
	defer l.Close()
	e.publish(site("hello", netip.MustParseAddrPort(l.Addr().String())))
	if got := get(t, e.client(1), "https://hello.berth.test/"); got.StatusCode != 502 {
		t.Errorf("got %d", got.StatusCode)
	}
}
