package docker

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"berth/sites"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
)

// relay stands between the Runtime and the engine, and does what a test wants with requests.
type relay struct {
	meddle atomic.Pointer[func(w http.ResponseWriter, r *http.Request) bool] // true: answered
}

func (r *rig) relayed() *relay {
	r.t.Helper()
	host, err := url.Parse(r.cli.DaemonHost())
	if err != nil || host.Scheme != "unix" {
		r.t.Skipf("the engine is not on a unix socket: %v %v", host, err)
	}
	through := &httputil.ReverseProxy{
		Rewrite: func(out *httputil.ProxyRequest) { out.SetURL(&url.URL{Scheme: "http", Host: "engine"}) },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", host.Path)
		}},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
	}
	relay := &relay{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if meddle := relay.meddle.Load(); meddle == nil || !(*meddle)(w, req) {
			through.ServeHTTP(w, req)
		}
	}))
	r.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	r.t.Setenv("DOCKER_HOST", "tcp://"+server.Listener.Addr().String())
	r.reconnect()
	return relay
}

// on hands requests of the method, whose path and query contain part, to act instead of the engine.
func (y *relay) on(method, part string, act http.HandlerFunc) {
	meddle := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || !strings.Contains(r.URL.RequestURI(), part) {
			return false
		}
		act(w, r)
		return true
	}
	y.meddle.Store(&meddle)
}

// hang never answers.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // else the server does not see the client leave
	<-r.Context().Done()
}

// deny answers as an engine does that cannot do it.
func deny(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(w, `{"message":"not today"}`)
}

func (r *rig) prepare() {
	r.t.Helper()
	if err := r.Prepare(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// within fails the test when act takes too long.
func within(t *testing.T, most time.Duration, what string, act func()) {
	t.Helper()
	began := time.Now()
	act()
	if took := time.Since(began); took > most {
		t.Errorf("%s took %v", what, took)
	}
}

func expectSlow(t *testing.T, r *rig, what string, err error) {
	t.Helper()
	var refusal *sites.Refusal
	if !errors.As(err, &refusal) || refusal.Sentence != slow {
		t.Errorf("%s: %v", what, err)
	}
	if r.lost.Load() {
		t.Errorf("%s: the engine is taken to be away", what)
	}
}

func TestStartsTakeTurns(t *testing.T) {
	r := newRig(t)
	r.prepare()
	var inFlight, most atomic.Int64
	turn := make(chan struct{})
	r.relayed().on(http.MethodPost, "/containers/create", func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		most.Store(max(most.Load(), inFlight.Add(1)))
		select {
		case <-turn:
		case <-req.Context().Done():
		}
		inFlight.Add(-1)
		deny(w, req)
	})
	var starts sync.WaitGroup
	const all = 4 * startsAtOnce
	for i := range all {
		s := spec(t, sites.SiteID(i+1), 1)
		starts.Go(func() {
			if _, err := r.Start(t.Context(), s); err == nil || !strings.Contains(err.Error(), "not today") {
				t.Errorf("start: %v", err)
			}
		})
	}
	await(t, "the first starts", func() bool { return inFlight.Load() == startsAtOnce })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.Start(ctx, spec(t, 99, 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a start that is given up while it waits for its turn: %v", err)
	}
	for range all {
		turn <- struct{}{}
	}
	starts.Wait()
	if most.Load() != startsAtOnce {
		t.Errorf("%d starts at once", most.Load())
	}
	if r.lost.Load() || r.prepared.Load() == nil {
		t.Error("the engine is taken to be away")
	}
}

func TestSlowEngineIsNotAway(t *testing.T) {
	r := newRig(t)
	r.prepare()
	relay := r.relayed()
	r.wait.call = 300 * time.Millisecond
	relay.on(http.MethodPost, "/containers/create", hang)
	_, err := r.Start(t.Context(), spec(t, 1, 1))
	expectSlow(t, r, "start", err)
	if r.prepared.Load() == nil {
		t.Error("the preparation was forgotten")
	}
	for _, part := range []string{"/info", "/images/berth-static", "/networks"} {
		relay.on(http.MethodGet, part, hang)
		r.wait.call = 300 * time.Millisecond
		if part == "/networks" { // the rules come before
			r.wait.call = 5 * time.Second
		}
		within(t, 20*time.Second, part, func() { expectSlow(t, r, "prepare without "+part, r.Prepare(t.Context())) })
	}
}

func TestStartEndsSoonAfterItsCaller(t *testing.T) {
	r := newRig(t)
	r.prepare()
	r.wait.parting = 100 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	r.relayed().on(http.MethodPost, "/containers/create", func(w http.ResponseWriter, req *http.Request) {
		cancel()
		hang(w, req)
	})
	within(t, 15*time.Second, "start", func() {
		if _, err := r.Start(ctx, spec(t, 1, 1)); err == nil {
			t.Error("started")
		}
	})
	if p := usual().parting; 2*p > 20*time.Second { // a creation, and its removal
		t.Errorf("a start may go on for %v after its caller", 2*p)
	}
}

func TestListingIsAnsweredByAnEngineThatHangs(t *testing.T) {
	r := newRig(t)
	r.prepare()
	kept := r.start(spec(t, 1, 1, "index.html", "x"))
	labels, err := r.instanceLabels(spec(t, 2, 1))
	if err != nil {
		t.Fatal(err)
	}
	on := &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
		r.networkName(0): {IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: r.cfg.Pool.Addr().Next().Next().Next().Next().String()}},
	}}
	orphan, err := r.cli.ContainerCreate(t.Context(), &container.Config{Image: r.prepared.Load().image, Labels: labels}, nil, on, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	relay := r.relayed()
	r.wait.parting = 100 * time.Millisecond
	r.watch()
	asked := make(chan struct{}, 100)
	relay.on(http.MethodDelete, "/containers/", func(w http.ResponseWriter, req *http.Request) {
		asked <- struct{}{}
		hang(w, req)
	})
	within(t, 10*time.Second, "a listing beside a removal that hangs", func() {
		if listed := r.instances(); len(listed) != 1 || listed[0].ID != kept.ID {
			t.Errorf("instances: %+v", listed)
		}
	})
	receive(t, asked, "the listing found an orphan")

	r.wait.list = 300 * time.Millisecond
	relay.on(http.MethodGet, "/containers/"+orphan.ID, hang)
	within(t, 10*time.Second, "a listing with an inspection that hangs", func() {
		if listed := r.instances(); len(listed) != 1 || listed[0].ID != kept.ID {
			t.Errorf("instances: %+v", listed)
		}
	})
	relay.on(http.MethodGet, "/containers/json", hang)
	within(t, 10*time.Second, "a listing that hangs", func() {
		_, err := r.Instances(t.Context())
		expectSlow(t, r, "instances", err)
	})
}

func TestTemplatesRunOnlyIsolated(t *testing.T) {
	r := newRig(t)
	static := r.start(spec(t, 1, 1, "index.html", "x"))
	template := foreignSpec(t, r, 2)
	r.start(template)

	again := newRig(t, func(c *Config) { *c = r.cfg }) // knows nothing of the rules yet, and sets them
	if listed := again.instances(); len(listed) != 2 {
		t.Errorf("after a restart of berth: %+v", listed)
	}
	if !again.inForce.Load() {
		t.Error("a template's instance is listed, and the rules were not set")
	}

	fresh := newRig(t, func(c *Config) { *c = r.cfg })
	relay := fresh.relayed()
	fresh.wait.rules = 300 * time.Millisecond
	relay.on(http.MethodPost, "/containers/create", hang)
	if listed := fresh.instances(); len(listed) != 1 || listed[0].ID != static.ID {
		t.Errorf("while it is not known whether the rules are in force: %+v", listed)
	}
	if _, some := fresh.orphans.next(); some {
		t.Error("what may be isolated is to be removed")
	}

	fresh.wait = usual()
	fresh.wait.upkeep = 200 * time.Millisecond
	relay.meddle.Store(nil)
	calls := fresh.watch()
	receive(t, calls, "the beginning")
	if listed := fresh.instances(); len(listed) != 2 {
		t.Errorf("with the rules: %+v", listed)
	}
	relay.on(http.MethodPost, "isolate", deny)
	receive(t, calls, "the rules could not be set anew")
	await(t, "the removal of the template's instance", func() bool {
		listed := fresh.instances()
		return len(listed) == 1 && listed[0].ID == static.ID && len(fresh.containers(labelSite)) == 1
	})
	if _, err := fresh.Start(t.Context(), template); err == nil {
		t.Error("a template's image was started without the rules")
	}
	if got := get(t, static.Addr, "/"); got != "x" {
		t.Errorf("the static instance answers %q", got)
	}
}
