package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"berth/sites"
)

// Releases are swapped under parallel load of every kind; each old instance is killed as soon as it is drained.
func TestSwapLosesNoRequest(t *testing.T) {
	e := startEdge(t)
	current := startInstance(t, echoBody)
	e.publish(site("hello", current.addr))

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
	swaps := 300
	if testing.Short() {
		swaps = 50
	}
	for range swaps {
		next := startInstance(t, echoBody)
		served := requests.Load()
		e.publish(site("hello", next.addr))
		drain(t, e.Proxy, current.addr)
		current.CloseClientConnections()
		current.Close()
		current = next
		eventually(t, "load goes on", func() bool { return t.Failed() || requests.Load() > served })
	}
	stop()
	load.Wait()
	t.Logf("%d swaps under %d requests", swaps, requests.Load())
	if n := e.Stats().Failures; n != 0 {
		t.Errorf("%d failures counted", n)
	}
}

// echoBody answers with the request's body, once it is whole.
func echoBody(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Write(body)
}

func roundTrip(c *http.Client, worker int) error {
	method, text := http.MethodGet, ""
	if worker%4 >= 2 {
		method, text = http.MethodPost, "body"
	}
	req, err := http.NewRequest(method, "https://hello.berth.test/", readerOf(text))
	if err != nil {
		return err
	}
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 || string(body) != text {
		return fmt.Errorf("%s: %d %q, %v", method, res.StatusCode, body, err)
	}
	return nil
}

func drain(t testing.TB, p *Proxy, addr netip.AddrPort) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Drain(ctx, addr); err != nil {
		t.Fatal(err)
	}
}

func TestDrainWaitsForRequestsInFlight(t *testing.T) {
	e := startEdge(t)
	began, finish := make(chan struct{}), make(chan struct{})
	before := startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-finish
		io.WriteString(w, "old")
	})
	e.publish(site("hello", before.addr))
	c := e.client(1)
	answered := make(chan string, 1)
	go func() { answered <- get(t, c, "https://hello.berth.test/").body }()
	receive(t, "the request", began)

	e.publish(site("hello", startInstance(t, says("new")).addr))
	if got := get(t, c, "https://hello.berth.test/"); got.body != "new" {
		t.Errorf("got %q while draining", got.body)
	}
	if s := e.Stats(); s.Instances != 2 || s.Draining != 1 || s.InFlight != 1 {
		t.Errorf("while draining: %+v", s)
	}
	impatient, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := e.Drain(impatient, before.addr); err == nil {
		t.Error("Drain returns with a request in flight")
	}
	drained := make(chan error, 1)
	go func() { drained <- e.Drain(t.Context(), before.addr) }()
	finish <- struct{}{}
	if err := receive(t, "the draining", drained); err != nil {
		t.Error(err)
	}
	if got := receive(t, "the answer", answered); got != "old" {
		t.Errorf("got %q", got)
	}
	eventually(t, "the instance is forgotten", func() bool { s := e.Stats(); return s.Instances == 1 && s.Draining == 0 })
}

func TestDrainWaitsForWebSockets(t *testing.T) {
	e := startEdge(t)
	before := startEcho(t)
	e.publish(site("hello", before.addr))
	conn := e.websocket(t, "hello")
	conn.echo(t, "one")
	e.publish(site("hello", startEcho(t).addr))
	impatient, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := e.Drain(impatient, before.addr); err == nil {
		t.Error("Drain returns with a connection open")
	}
	if got := conn.echo(t, "two"); got != "two" {
		t.Errorf("got %q over the old connection", got)
	}
	drained := make(chan error, 1)
	go func() { drained <- e.Drain(t.Context(), before.addr) }()
	conn.CloseNow()
	if err := receive(t, "the draining", drained); err != nil {
		t.Error(err)
	}
}

func TestDrainOfUnknownAddressReturns(t *testing.T) {
	drain(t, startEdge(t).Proxy, netip.MustParseAddrPort("10.1.0.1:80"))
}

// An address that is published again while it drains takes requests again.
func TestRepublishedWhileDraining(t *testing.T) {
	e := startEdge(t)
	began, finish := make(chan struct{}), make(chan struct{})
	defer close(finish)
	before := startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			began <- struct{}{}
			<-finish
		}
		io.WriteString(w, "old")
	})
	e.publish(site("hello", before.addr))
	c := e.client(2)
	go func() {
		if res, err := c.Get("https://hello.berth.test/slow"); err == nil {
			res.Body.Close()
		}
	}()
	receive(t, "the request", began)
	e.publish(site("hello", startInstance(t, says("new")).addr))
	e.publish(site("hello", before.addr))
	if got := get(t, c, "https://hello.berth.test/"); got.body != "old" {
		t.Errorf("got %q", got.body)
	}
	if s := e.Stats(); s.Instances != 1 || s.Draining != 0 {
		t.Errorf("%+v", s)
	}
}

func TestIdleConnectionsOfOldInstanceAreClosed(t *testing.T) {
	var open atomic.Int32
	before := httptest.NewUnstartedServer(says("old"))
	before.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	before.Start()
	defer before.Close()
	e := startEdge(t)
	addr := netip.MustParseAddrPort(before.Listener.Addr().String())
	e.publish(site("hello", addr))
	get(t, e.client(1), "https://hello.berth.test/")
	if open.Load() == 0 {
		t.Fatal("no connection is kept")
	}
	e.Apply(sites.Change{Gone: []string{"hello.berth.test"}})
	eventually(t, "the connection is closed", func() bool { return open.Load() == 0 })
	drain(t, e.Proxy, addr)
}

func TestInflight(t *testing.T) {
	var f inflight
	drained := make(chan struct{}, 1)
	f.drained = func() { drained <- struct{}{} }
	for want := 1; want <= 2; want++ {
		if !f.enter() || f.count() != want {
			t.Fatalf("the open one counts %d, want %d", f.count(), want)
		}
	}
	if f.close() {
		t.Error("closed as idle with two in flight")
	}
	if f.enter() {
		t.Error("a closed one lets in")
	}
	waited := make(chan error, 2)
	for range 2 {
		go func() { waited <- f.wait(t.Context()) }()
	}
	f.leave()
	if len(waited) != 0 || len(drained) != 0 {
		t.Error("idle with one in flight")
	}
	f.leave()
	for range 2 {
		if err := receive(t, "wait", waited); err != nil {
			t.Error(err)
		}
	}
	receive(t, "drained", drained)
	f.reopen()
	if !f.enter() {
		t.Error("a reopened one does not let in")
	}
	f.leave()
	if err := f.wait(t.Context()); err != nil || f.count() != 0 {
		t.Errorf("idle: %v, count %d", err, f.count())
	}
}

// Whoever closes and has waited may rely on nobody's being in.
func TestInflightUnderLoad(t *testing.T) {
	for range 200 {
		var f inflight
		var gone atomic.Bool
		var load sync.WaitGroup
		for range 4 {
			load.Go(func() {
				for f.enter() {
					if gone.Load() {
						t.Error("in after the wait")
					}
					f.leave()
				}
			})
		}
		f.close()
		if err := f.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		gone.Store(true)
		load.Wait()
	}
}
