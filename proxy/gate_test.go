package proxy

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

func withDescriptors(d descriptors) option {
	return withLimits(func(l *limits) { l.descriptors = d })
}

// dialFrom connects from an address of loopback, each of which is a client of its own.
func dialFrom(t testing.TB, from, to string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

func (e *edge) dialTLSFrom(t testing.TB, from string) net.Conn {
	t.Helper()
	return tls.Client(dialFrom(t, from, e.secure), &tls.Config{RootCAs: e.roots, ServerName: testZone})
}

func (e *edge) connections() int {
	e.gate.mu.Lock()
	defer e.gate.mu.Unlock()
	return e.gate.count
}

func (e *edge) waiting() (n int) {
	e.gate.mu.Lock()
	defer e.gate.mu.Unlock()
	for _, conns := range e.gate.clients {
		for c := range conns {
			if c.waiting.Load() != 0 {
				n++
			}
		}
	}
	return n
}

// slowSite publishes one whose requests begin, and last until finish is called.
func (e *edge) slowSite(t testing.TB) (began <-chan struct{}, finish func()) {
	starts, ends := make(chan struct{}), make(chan struct{})
	e.publish(site("slow", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case starts <- struct{}{}:
			<-ends
		case <-ends:
		}
		io.WriteString(w, "finished")
	}).addr))
	finish = sync.OnceFunc(func() { close(ends) })
	t.Cleanup(finish)
	return starts, finish
}

func TestShares(t *testing.T) {
	for _, test := range []struct {
		limit uint64
		want  descriptors
	}{
		{200, descriptors{clients: 50, perClient: 12, instances: 50, perInstance: 25, files: 25}},
		{1024, descriptors{clients: 256, perClient: 64, instances: 256, perInstance: 128, files: 128}},
		{1 << 20, descriptors{clients: 16384, perClient: 512, instances: 16384, perInstance: 256, files: 16384}},
		{^uint64(0), descriptors{clients: 16384, perClient: 512, instances: 16384, perInstance: 256, files: 16384}},
	} {
		if got := shares(test.limit); got != test.want {
			t.Errorf("shares(%d) = %+v, want %+v", test.limit, got, test.want)
		}
	}
	if openFiles() < 64 {
		t.Errorf("only %d files may be open", openFiles())
	}
}

func TestClientOf(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7:1": "192.0.2.7/32", "[::ffff:192.0.2.7]:1": "192.0.2.7/32",
		"[2001:db8:1:2:3::4]:1": "2001:db8:1:2::/64", "[fe80::1%eth0]:1": "fe80::/64",
	} {
		if got := clientOf(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))); got.String() != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
	if got := clientOf(&net.UnixAddr{Name: "/socket"}); got != (netip.Prefix{}) {
		t.Errorf("no address: got %s", got)
	}
}

// The flood of the plain listener by one client takes nothing from the secure one, nor from its own next connection.
func TestFloodOfSilentConnections(t *testing.T) {
	e := startEdge(t, withDescriptors(shares(200)))
	var flood []net.Conn
	for range 260 {
		flood = append(flood, dialFrom(t, "127.0.0.1", e.plain))
	}
	for _, conn := range flood[:len(flood)-e.limits.perClient] {
		untilClosed(t, conn)
	}
	for _, from := range []string{"127.0.0.1", "127.0.0.2"} {
		if got := raw(t, e.dialTLSFrom(t, from), "GET / HTTP/1.1", "Host: panel.berth.test"); got.body != "panel" {
			t.Errorf("from %s: got %q", from, got.body)
		}
	}
	if n := e.connections(); n > e.limits.perClient+1 {
		t.Errorf("%d connections are held", n)
	}
}

// When all clients together are at the bound, whoever has been waiting longest makes room.
func TestLongestWaitingMakesRoom(t *testing.T) {
	e := startEdge(t, withDescriptors(descriptors{clients: 3, perClient: 2, instances: 8, perInstance: 8, files: 8}))
	began, finish := e.slowSite(t)
	busy := e.dialTLSFrom(t, "127.0.0.1") // the oldest, and in use
	io.WriteString(busy, "GET / HTTP/1.1\r\nHost: slow.berth.test\r\n\r\n")
	receive(t, "the request", began)
	silent := dialFrom(t, "127.0.0.2", e.secure)
	eventually(t, "the silent one counts", func() bool { return e.connections() == 2 })
	kept := e.dialTLSFrom(t, "127.0.0.3")
	raw(t, kept, "GET / HTTP/1.1", "Host: panel.berth.test")
	eventually(t, "it waits again", func() bool { return e.waiting() == 2 })
	for _, next := range []struct {
		from    string
		evicted net.Conn
	}{{"127.0.0.4", silent}, {"127.0.0.5", kept}} {
		if got := raw(t, e.dialTLSFrom(t, next.from), "GET / HTTP/1.1", "Host: panel.berth.test"); got.body != "panel" {
			t.Errorf("from %s: got %q", next.from, got.body)
		}
		untilClosed(t, next.evicted)
	}
	finish()
	if got := readReply(t, busy); got.body != "finished" {
		t.Errorf("the one in use: got %q", got.body)
	}
	if log := e.logged.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
}

func TestConnectionsInUseAreBounded(t *testing.T) {
	for name, bound := range map[string]descriptors{
		"of one client":  {clients: 8, perClient: 2, instances: 8, perInstance: 8, files: 8},
		"of all clients": {clients: 2, perClient: 8, instances: 8, perInstance: 8, files: 8},
	} {
		t.Run(name, func(t *testing.T) {
			e := startEdge(t, withDescriptors(bound))
			began, finish := e.slowSite(t)
			answers := make(chan string, 2)
			for _, major := range []int{1, 2} {
				c := e.client(major)
				go func() { answers <- get(t, c, "https://slow.berth.test/").body }()
				receive(t, "the request", began)
			}
			for range 5 {
				untilClosed(t, dialFrom(t, "127.0.0.1", e.plain))
			}
			if log := e.logged.String(); strings.Count(log, "refused") != 1 || !strings.Contains(log, "client=127.0.0.1/32") {
				t.Errorf("logged: %s", log)
			}
			finish()
			for range 2 {
				if got := receive(t, "the answer", answers); got != "finished" {
					t.Errorf("got %q", got)
				}
			}
			eventually(t, "room for another", func() bool {
				_, err := e.client(1).Get("http://hello.berth.test/")
				return err == nil
			})
			e.stop()
			if err := receive(t, "the end of Serve", e.ended); err != nil {
				t.Error(err)
			}
			e.ended <- nil // for the cleanup
			if n := e.connections(); n != 0 || len(e.gate.clients) != 0 {
				t.Errorf("%d connections of %d clients count after the end", n, len(e.gate.clients))
			}
		})
	}
}

func TestConnectionsToInstancesAreBounded(t *testing.T) {
	for name, bound := range map[string]descriptors{
		"to one": {clients: 9, perClient: 9, instances: 9, perInstance: 2, files: 9},
		"to all": {clients: 9, perClient: 9, instances: 2, perInstance: 9, files: 9},
	} {
		t.Run(name, func(t *testing.T) {
			e := startEdge(t, withDescriptors(bound), withLimits(func(l *limits) { l.queue = 50 * time.Millisecond }))
			began, finish := e.slowSite(t)
			answers := make(chan string, 2)
			c := e.client(2)
			c.Timeout = patience
			for range 2 {
				go func() { answers <- get(t, c, "https://slow.berth.test/").body }()
				receive(t, "the request", began)
			}
			for range 2 {
				if got := get(t, c, "https://slow.berth.test/"); got.StatusCode != http.StatusBadGateway {
					t.Errorf("beyond the bound: got %d %q", got.StatusCode, got.body)
				}
			}
			if log := e.logged.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "no connection left") {
				t.Errorf("logged: %s", log)
			}
			finish()
			for range 2 {
				if got := receive(t, "the answer", answers); got != "finished" {
					t.Errorf("got %q", got)
				}
			}
		})
	}
}

// A short wait for a connection is no failure.
func TestRequestsQueueForAnInstance(t *testing.T) {
	e := startEdge(t, withDescriptors(descriptors{clients: 9, perClient: 9, instances: 9, perInstance: 1, files: 9}))
	began, finish := e.slowSite(t)
	answers := make(chan string, 3)
	c := e.client(2)
	for range cap(answers) {
		go func() { answers <- get(t, c, "https://slow.berth.test/").body }()
	}
	receive(t, "the first request", began)
	eventually(t, "the others queue", func() bool { return e.Stats().InFlight == cap(answers) })
	finish()
	for range cap(answers) {
		if got := receive(t, "the answer", answers); got != "finished" {
			t.Errorf("got %q", got)
		}
	}
}

// What is kept for one instance's next request does not keep another from being asked.
func TestKeptConnectionsMakeRoom(t *testing.T) {
	e := startEdge(t, withDescriptors(descriptors{clients: 9, perClient: 9, instances: 1, perInstance: 1, files: 9}))
	e.publish(site("one", startInstance(t, says("one")).addr), site("two", startInstance(t, says("two")).addr))
	for _, name := range []string{"one", "two"} {
		if got := get(t, e.client(1), "https://"+name+".berth.test/"); got.body != name {
			t.Errorf("got %d %q, want %q", got.StatusCode, got.body, name)
		}
	}
}

func TestFilesAreBounded(t *testing.T) {
	began, finish := make(chan struct{}, 2), make(chan struct{})
	release := sync.OnceFunc(func() { close(finish) })
	e := startEdge(t, withDescriptors(descriptors{clients: 9, perClient: 9, instances: 9, perInstance: 9, files: 1}),
		func(c *Config, _ *limits) {
			c.Static = func(string) (http.Handler, error) {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					began <- struct{}{}
					<-finish
					io.WriteString(w, "files")
				}), nil
			}
		})
	static := site("static", netip.AddrPort{})
	static.Root = t.TempDir()
	e.publish(static)
	c, answers := e.client(2), make(chan string, 1)
	c.Timeout = patience
	go func() { answers <- get(t, c, "https://static.berth.test/").body }()
	receive(t, "the request", began)
	t.Cleanup(release)
	if got := get(t, c, "https://static.berth.test/"); got.StatusCode != 502 {
		t.Errorf("beyond the bound: got %d %q", got.StatusCode, got.body)
	}
	release()
	if got := receive(t, "the answer", answers); got != "files" {
		t.Errorf("got %q", got)
	}
}
