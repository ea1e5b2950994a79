package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestInstanceKilled(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) { l.rest = 0 }))
	first, second := startInstance(t, says("from the instance")), startInstance(t, says("from the instance"))
	static, dynamic := site("static", first.addr), site("dynamic", second.addr)
	static.Root = release(t, "from the files")
	e.publish(static, dynamic)
	check := func(method, name string, status int, body string) {
		t.Helper()
		for _, major := range []int{1, 2} {
			got := do(t, e.client(major), request(t, method, "https://"+name+".berth.test/", ""))
			if got.StatusCode != status || !strings.Contains(got.body, body) {
				t.Errorf("%s %s: got %d %q, want %d %q", method, name, got.StatusCode, got.body, status, body)
			}
		}
	}
	check("GET", "static", 200, "from the instance")
	check("GET", "dynamic", 200, "from the instance")
	first.Close()
	second.Close()
	check("GET", "static", 200, "from the files")
	check("GET", "dynamic", 502, "cannot be reached")
	check("POST", "dynamic", 502, "cannot be reached")
	if n := strings.Count(e.logged.String(), "cannot be reached"); n != 2 {
		t.Errorf("logged %d times: %s", n, e.logged.String())
	}
	if n := e.Stats().Failures; n != 4 {
		t.Errorf("%d failures counted, want 4", n)
	}

	static.Instances, static.State = nil, "failed"
	e.publish(static)
	check("GET", "static", 200, "from the files")
}

func TestUnreachableInstanceRests(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) { l.rest = time.Hour }))
	flapping := site("hello", deadAddress(t))
	flapping.Root = release(t, "from the files")
	e.publish(flapping)
	c := e.client(1)
	get(t, c, "https://hello.berth.test/")
	l, err := net.Listen("tcp", flapping.Instances[0].String()) // it is back, and not asked yet
	if err != nil {
		t.Skip("the port was taken meanwhile:", err)
	}
	defer l.Close()
	if got := get(t, c, "https://hello.berth.test/"); got.body != "from the files" {
		t.Errorf("got %q", got.body)
	}
}

func TestInstanceThatAnswersNonsense(t *testing.T) {
	var requests atomic.Int32
	l := listen(t)
	defer l.Close()
	go acceptAll(l, func(conn net.Conn) {
		defer conn.Close()
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			requests.Add(1)
			io.WriteString(conn, "nonsense\r\n\r\n")
		}
	})
	e := startEdge(t)
	published := site("hello", netip.MustParseAddrPort(l.Addr().String()))
	e.publish(published)
	if got := get(t, e.client(1), "https://hello.berth.test/"); got.StatusCode != 502 || strings.Contains(got.body, "nonsense") {
		t.Errorf("got %d %q", got.StatusCode, got.body)
	}
	published.Root = release(t, "from the files")
	e.publish(published)
	if got := get(t, e.client(1), "https://hello.berth.test/"); got.body != "from the files" {
		t.Errorf("GET: got %d %q", got.StatusCode, got.body)
	}
	before := requests.Load()
	got := do(t, e.client(1), request(t, http.MethodPost, "https://hello.berth.test/", "x"))
	if got.StatusCode != 502 || requests.Load() != before+1 {
		t.Errorf("POST: got %d, sent %d times", got.StatusCode, requests.Load()-before)
	}
}

func acceptAll(l net.Listener, handle func(net.Conn)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go handle(conn)
	}
}

// An instance may close a kept connection just as the next request is sent on it.
func TestKeepAliveRace(t *testing.T) {
	l := listen(t)
	defer l.Close()
	received := make(chan string, 100)
	go acceptAll(l, func(conn net.Conn) {
		defer conn.Close()
		in := bufio.NewReader(conn)
		for n := range 2 {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			io.Copy(io.Discard, r.Body)
			received <- r.Method + fmt.Sprint(r.Header["Idempotency-Key"])
			if n == 0 {
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		}
	})
	e := startEdge(t)
	e.publish(site("hello", netip.MustParseAddrPort(l.Addr().String())))
	c := e.client(1)
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT", "DELETE"} {
		for range 4 {
			if got := do(t, c, request(t, method, "https://hello.berth.test/", "")); got.StatusCode != 200 {
				t.Errorf("%s: got %d", method, got.StatusCode)
			}
		}
	}
	drain := func() (all []string) {
		for len(received) > 0 {
			all = append(all, <-received)
		}
		return all
	}
	for _, r := range drain() {
		if !strings.HasSuffix(r, "[]") {
			t.Errorf("the instance saw a key: %s", r)
		}
	}
	get(t, c, "https://hello.berth.test/") // so that a connection is kept, or closed with the request, in either case
	statuses := []int{}
	for range 2 {
		statuses = append(statuses, do(t, c, request(t, http.MethodPost, "https://hello.berth.test/", "x")).StatusCode)
	}
	posts := 0
	for _, r := range drain() {
		if strings.HasPrefix(r, "POST") {
			posts++
		}
	}
	if posts != 2 || !slices.Contains(statuses, 502) {
		t.Errorf("2 POSTs were sent %d times, answered with %v", posts, statuses)
	}
}
