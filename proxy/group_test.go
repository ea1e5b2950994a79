package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"berth/sites"
)

// neverAgain keeps instances that were left out from being let in by the clock or by checks.
func neverAgain(l *limits) {
	l.outlier.first, l.outlier.most, l.check = time.Hour, time.Hour, time.Hour
}

// counted is an instance that counts the visitors' requests.
type counted struct {
	*instance
	requests atomic.Int32
	broken   atomic.Bool // it answers 503
}

func startCounted(t testing.TB, name string) *counted {
	c := &counted{}
	c.instance = startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() != "berth" {
			c.requests.Add(1)
		}
		if c.broken.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		io.WriteString(w, name)
	})
	return c
}

func TestLeastRequestsInFlight(t *testing.T) {
	e := startEdge(t)
	type arrival struct{ at, path string }
	arrived := make(chan arrival, 20)
	finish := map[string]chan struct{}{}
	var addrs []netip.AddrPort
	for _, name := range []string{"a", "b", "c"} {
		done := make(chan struct{})
		finish[name] = done
		addrs = append(addrs, startInstance(t, func(w http.ResponseWriter, r *http.Request) {
			arrived <- arrival{name, r.URL.Path}
			<-done
		}).addr)
	}
	e.publish(site("hello", addrs...))
	c := e.client(2)
	var asking sync.WaitGroup
	ask := func(n int) map[string]int {
		t.Helper()
		got := map[string]int{}
		for range n { // one after the other, so that each finds the last one in flight
			asking.Go(func() { get(t, c, "https://hello.berth.test/") })
			got[receive(t, "a request", arrived).at]++
		}
		return got
	}
	if got := ask(9); got["a"] != 3 || got["b"] != 3 || got["c"] != 3 {
		t.Errorf("9 requests that do not end went to %v", got)
	}
	close(finish["b"])
	eventually(t, "one instance has nothing to do", func() bool { return e.Stats().InFlight == 6 })
	if got := ask(3); got["b"] != 3 {
		t.Errorf("3 requests went to %v, and b alone has nothing to do", got)
	}
	close(finish["a"])
	close(finish["c"])
	asking.Wait()
}

func TestInstancesWithoutLoadTakeTurns(t *testing.T) {
	e := startEdge(t)
	a, b := startCounted(t, "a"), startCounted(t, "b")
	e.publish(site("hello", a.addr, b.addr))
	c := e.client(1)
	eventually(t, "both are asked", func() bool {
		get(t, c, "https://hello.berth.test/")
		return a.requests.Load() > 0 && b.requests.Load() > 0
	})
}

func TestAnotherInstanceIsAskedWhenOneCannotBeReached(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) { l.rest = 0; l.outlier.faults = 1 << 30; l.check = time.Hour }))
	alive := startInstance(t, echoBody)
	e.publish(site("hello", deadAddress(t), alive.addr, deadAddress(t)))
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		before := e.Stats()
		for range 10 {
			for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
				body := strings.Repeat(method, 10_000)
				if method == "GET" {
					body = ""
				}
				if got := do(t, c, request(t, method, "https://hello.berth.test/", body)); got.StatusCode != 200 || got.body != body {
					t.Fatalf("%s: got %d with %d bytes of %d", method, got.StatusCode, len(got.body), len(body))
				}
			}
		}
		after := e.Stats()
		if after.Retries == before.Retries || after.Failures != 0 {
			t.Errorf("%+v", after)
		}
	})
}

// breaks starts an instance that reads requests and closes the connection instead of answering.
func breaks(t *testing.T, requests *atomic.Int32) netip.AddrPort {
	t.Helper()
	l := listen(t)
	t.Cleanup(func() { l.Close() })
	go acceptAll(l, func(conn net.Conn) {
		defer conn.Close()
		if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			io.Copy(io.Discard, r.Body)
			requests.Add(1)
		}
	})
	return netip.MustParseAddrPort(l.Addr().String())
}

func TestWhatMayHaveBeenHeardIsNotRepeated(t *testing.T) {
	var heard atomic.Int32
	e := startEdge(t, withLimits(func(l *limits) { l.outlier.faults = 1 << 30; l.check = time.Hour }))
	e.publish(site("hello", breaks(t, &heard), breaks(t, &heard)))
	alive := startInstance(t, says("alive"))
	c := e.client(2)
	for _, tc := range []struct {
		method, body string
		times        int32
	}{
		{"POST", "x", 1},
		{"POST", "", 1},
		{"PATCH", "x", 1},
		{"PUT", "x", 1},
		{"GET", "", 2},
		{"HEAD", "", 2},
		{"OPTIONS", "", 2},
		{"PUT", "", 2},
		{"DELETE", "", 2},
	} {
		before := heard.Load()
		got := do(t, c, request(t, tc.method, "https://hello.berth.test/", tc.body))
		if times := heard.Load() - before; got.StatusCode != 502 || times != tc.times {
			t.Errorf("%s with %q: status %d, heard %d times, want %d", tc.method, tc.body, got.StatusCode, times, tc.times)
		}
	}
	e.publish(site("hello", breaks(t, &heard), alive.addr, breaks(t, &heard)))
	for range 20 {
		if got := get(t, c, "https://hello.berth.test/"); got.body != "alive" {
			t.Fatalf("got %d %q with one alive", got.StatusCode, got.body)
		}
	}
}

func TestAnInstanceThatFailsIsLeftOut(t *testing.T) {
	e := startEdge(t, withLimits(neverAgain))
	good, bad := startCounted(t, "good"), startCounted(t, "bad")
	bad.broken.Store(true)
	e.publish(site("hello", good.addr, bad.addr))
	c := e.client(1)
	eventually(t, "one is left out", func() bool {
		get(t, c, "https://hello.berth.test/")
		return e.Stats().LeftOut == 1
	})
	if found := e.Trouble(bad.addr); found.Kind != sites.TroubleAnswer || time.Since(found.Since) > time.Minute || !e.Trouble(good.addr).None() {
		t.Error("it is not known which one")
	}
	before := bad.requests.Load()
	for range 50 {
		if got := get(t, c, "https://hello.berth.test/"); got.body != "good" {
			t.Fatalf("got %d %q", got.StatusCode, got.body)
		}
	}
	if n := bad.requests.Load(); n != before || n != 5 {
		t.Errorf("the bad one got %d requests before and %d in all, want 5", before, n)
	}
	if n := strings.Count(e.logged.String(), "left out"); n != 1 {
		t.Errorf("logged %d times: %s", n, e.logged)
	}

	e.publish(site("hello", bad.addr)) // alone it cannot be left out
	if got := get(t, c, "https://hello.berth.test/"); got.body != "bad" || e.Stats().LeftOut != 0 {
		t.Errorf("got %q, %+v", got.body, e.Stats())
	}
}

func TestAnInstanceThatIsMendedIsLetIn(t *testing.T) {
	for name, change := range map[string]func(*limits){
		"by time": func(l *limits) { l.outlier.first = 10 * time.Millisecond; l.check = time.Hour },
		"by a check": func(l *limits) {
			neverAgain(l)
			l.check = 10 * time.Millisecond
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := startEdge(t, withLimits(change))
			var closes atomic.Bool
			closes.Store(true)
			good := startCounted(t, "good")
			bad := startInstance(t, func(w http.ResponseWriter, _ *http.Request) {
				if closes.Load() {
					panic(http.ErrAbortHandler)
				}
				io.WriteString(w, "mended")
			})
			e.publish(site("hello", good.addr, bad.addr))
			c := e.client(1)
			eventually(t, "it is left out", func() bool {
				if got := get(t, c, "https://hello.berth.test/"); got.body != "good" {
					t.Errorf("got %d %q", got.StatusCode, got.body)
				}
				return strings.Contains(e.logged.String(), "left out")
			})
			closes.Store(false)
			eventually(t, "it is let in", func() bool { return get(t, c, "https://hello.berth.test/").body == "mended" })
		})
	}
}

func TestWithAllLeftOutTheOneLongestOutIsTried(t *testing.T) {
	e := startEdge(t, withLimits(neverAgain))
	a, b := startCounted(t, "a"), startCounted(t, "b")
	a.broken.Store(true)
	e.publish(site("hello", a.addr, b.addr))
	c := e.client(1)
	until := func(out int) func() bool {
		return func() bool { get(t, c, "https://hello.berth.test/"); return e.Stats().LeftOut == out }
	}
	eventually(t, "a is left out", until(1))
	b.broken.Store(true)
	eventually(t, "both are", until(2))
	before := b.requests.Load()
	for range 10 {
		if got := get(t, c, "https://hello.berth.test/"); got.StatusCode != 503 || got.body != "a" {
			t.Errorf("got %d %q, want what a says", got.StatusCode, got.body)
		}
	}
	if b.requests.Load() != before {
		t.Error("the one that is out for less time was asked")
	}
	a.broken.Store(false)
	if get(t, c, "https://hello.berth.test/"); e.Stats().LeftOut != 1 || !e.Trouble(a.addr).None() {
		t.Errorf("a answers again, and %d are left out", e.Stats().LeftOut)
	}
}

func TestInstancesThatHangAreFoundByChecks(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) {
		l.check, l.answer, l.outlier.misses = 10*time.Millisecond, 2*time.Second, 1
	}))
	hung := listen(t) // takes connections and does not answer
	t.Cleanup(func() { hung.Close() })
	addr := netip.MustParseAddrPort(hung.Addr().String())
	asked := make(chan *http.Request, 100)
	good := startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- r:
		default:
		}
		io.WriteString(w, "good")
	})
	var lonely atomic.Int32
	alone := startInstance(t, func(http.ResponseWriter, *http.Request) { lonely.Add(1) })
	published := site("hello", addr, good.addr)
	published.HealthPath = "/up?deep=1"
	e.publish(published, site("alone", alone.addr))
	r := receive(t, "a check", asked)
	if r.Method != "GET" || r.Host != "hello.berth.test" || r.RequestURI != "/up?deep=1" || r.UserAgent() != "berth" {
		t.Errorf("asked with %s %s %s by %q", r.Method, r.Host, r.RequestURI, r.UserAgent())
	}
	eventually(t, "the one that hangs is left out", func() bool { return e.Trouble(addr).Kind == sites.TroubleCheck })
	if got := get(t, e.client(1), "https://hello.berth.test/"); got.body != "good" {
		t.Errorf("got %d %q", got.StatusCode, got.body)
	}
	if lonely.Load() != 0 {
		t.Error("a site's only instance is checked")
	}
	e.publish(site("hello", good.addr))
	if left := len(e.table.upstreams.checked); left != 0 {
		t.Errorf("%d are still checked", left)
	}
}

func TestFilesStandInWhenAllInstancesHang(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) {
		neverAgain(l)
		l.check, l.answer, l.outlier.misses = 10*time.Millisecond, 50*time.Millisecond, 1
	}))
	var addrs []netip.AddrPort
	for range 2 {
		hung := listen(t)
		t.Cleanup(func() { hung.Close() })
		addrs = append(addrs, netip.MustParseAddrPort(hung.Addr().String()))
	}
	published := site("hello", addrs...)
	published.Root = release(t, "from the files")
	e.publish(published)
	eventually(t, "both are left out", func() bool { return e.Stats().LeftOut == 2 })
	if got := get(t, e.client(1), "https://hello.berth.test/"); got.body != "from the files" {
		t.Errorf("got %d %q", got.StatusCode, got.body)
	}
}

// Instances come and go under load, and each that went is killed once it has drained.
func TestScalingLosesNoRequest(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) { l.check = 20 * time.Millisecond }))
	neighbour := startEcho(t)
	running := []*instance{startInstance(t, echoBody)}
	publish := func() {
		var addrs []netip.AddrPort
		for _, i := range running {
			addrs = append(addrs, i.addr)
		}
		e.publish(site("hello", addrs...))
	}
	publish()
	next := site("next", neighbour.addr)
	next.ID = 2
	e.publish(next)
	conn := e.websocket(t, "next")

	var load sync.WaitGroup
	var requests atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	for worker := range 8 {
		c := e.client(1 + worker%2)
		load.Go(func() {
			for ctx.Err() == nil {
				if err := roundTrip(c, worker); err != nil {
					t.Errorf("request %d: %v", requests.Load(), err)
					return
				}
				requests.Add(1)
			}
		})
	}
	for round := range 60 {
		served := requests.Load()
		for len(running) < 1+round%4 {
			running = append(running, startInstance(t, echoBody))
		}
		leaving := running[0] // in each round one, in some more
		running = append(running[1:], startInstance(t, echoBody))
		gone := []*instance{leaving}
		for len(running) > 1+(round+2)%4 {
			gone, running = append(gone, running[0]), running[1:]
		}
		publish()
		for _, i := range gone {
			drain(t, e.Proxy, i.addr)
			i.CloseClientConnections()
			i.Close()
		}
		eventually(t, "load goes on", func() bool { return t.Failed() || requests.Load() > served })
		if text := fmt.Sprint("round ", round); conn.echo(t, text) != text {
			t.Fatal("the neighbour's WebSocket is disturbed")
		}
	}
	stop()
	load.Wait()
	if s := e.Stats(); s.Failures != 0 || s.Instances != len(running)+1 || s.Draining != 0 {
		t.Errorf("%+v with %d instances", s, len(running))
	}
}

// Instances die under load without anybody having been told.
func TestAKilledInstanceCostsNoIdempotentRequest(t *testing.T) {
	e := startEdge(t)
	var running []*instance
	var addrs []netip.AddrPort
	for range 4 {
		i := startInstance(t, says("alive"))
		running, addrs = append(running, i), append(addrs, i.addr)
	}
	e.publish(site("hello", addrs...))
	var load sync.WaitGroup
	var requests atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	for worker := range 6 {
		c := e.client(1 + worker%2)
		load.Go(func() {
			for ctx.Err() == nil {
				if got := get(t, c, "https://hello.berth.test/"); got.body != "alive" {
					t.Errorf("got %d %q", got.StatusCode, got.body)
					return
				}
				requests.Add(1)
			}
		})
	}
	for _, i := range running[1:] {
		served := requests.Load()
		eventually(t, "load goes on", func() bool { return t.Failed() || requests.Load() > served+100 })
		i.Listener.Close()
		i.CloseClientConnections()
	}
	served := requests.Load()
	eventually(t, "load goes on with one", func() bool { return t.Failed() || requests.Load() > served+100 })
	stop()
	load.Wait()
	if s := e.Stats(); s.Failures != 0 || s.Retries == 0 {
		t.Errorf("%+v", s)
	}
}

func TestPickingAllocatesNothing(t *testing.T) {
	p := idleProxy(noStatic)
	published := numbered(1)
	for n := range 7 {
		published.Instances = append(published.Instances, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(n)}), 8080))
	}
	p.Apply(sites.Change{Sites: []sites.Published{published}})
	members := p.table.find(published.Hosts[0]).instances
	picked := map[*upstream]bool{}
	if n := testing.AllocsPerRun(1000, func() {
		var done tried
		for range mostTries {
			up := members.pick(&done, time.Second)
			picked[up] = true
			done.add(up)
		}
		if up := members.pick(&done, time.Second); up != nil {
			t.Error("a request is sent to more than it should be")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if len(picked) != 8 {
		t.Errorf("%d of 8 instances without load were picked in 1,000 requests", len(picked))
	}
}
