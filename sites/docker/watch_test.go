package docker

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/sites"

	"github.com/docker/docker/api/types/container"
)

// watch runs Watch until the test ends and returns the channel of its calls.
func (r *rig) watch() <-chan struct{} {
	calls := make(chan struct{}, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.Watch(ctx, func() { calls <- struct{}{} }) })
	r.t.Cleanup(func() { cancel(); running.Wait() })
	return calls
}

func receive(t *testing.T, calls <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-calls:
	case <-time.After(30 * time.Second):
		t.Fatalf("no call after %s", what)
	}
}

func TestWatchTellsWhatOthersDo(t *testing.T) {
	r := newRig(t)
	calls := r.watch()
	receive(t, calls, "the beginning")
	if _, err := r.Start(t.Context(), spec(t, 9, 1, "exit-code", "2")); err == nil {
		t.Fatal("a program that exits was started")
	}
	own := r.start(spec(t, 1, 1, "index.html", "x"))
	stopped := r.start(spec(t, 2, 1, "index.html", "x"))
	if err := r.Stop(t.Context(), stopped.ID); err != nil {
		t.Fatal(err)
	}
	// The engine tells in order: the removal by hand comes after all that berth did.
	if err := r.cli.ContainerRemove(t.Context(), own.ID, container.RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	receive(t, calls, "a removal by hand")
	await(t, "the end of the removal", func() bool { return len(r.containers(labelSite)) == 0 })
	again := r.start(spec(t, 1, 1, "index.html", "x"))
	if err := r.cli.ContainerKill(t.Context(), again.ID, "KILL"); err != nil {
		t.Fatal(err)
	}
	receive(t, calls, "a kill by hand")
	const most = 3 // die and destroy of the first, die of the second; two of these were received
	if extra := len(calls); extra > most-2 {
		t.Errorf("%d calls for what berth did itself", extra)
	}
}

// TestWhatWasKilledIsNoInstanceOnceThatIsTold asks at once: until the engine has cleaned up, its list has the container as running, and
// nothing tells when that changes.
func TestWhatWasKilledIsNoInstanceOnceThatIsTold(t *testing.T) {
	r := newRig(t)
	killed, other := r.start(spec(t, 1, 1, "index.html", "x")), r.start(spec(t, 2, 1, "index.html", "x"))
	var found []sites.Instance
	var err error
	told := make(chan struct{}, 100)
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		r.Watch(ctx, func() {
			found, err = r.Instances(ctx)
			told <- struct{}{}
		})
	})
	defer watching.Wait()
	defer cancel()
	receive(t, told, "the beginning")
	if err := r.cli.ContainerKill(t.Context(), killed.ID, "KILL"); err != nil {
		t.Fatal(err)
	}
	receive(t, told, "the kill")
	if err != nil || len(found) != 1 || found[0].ID != other.ID {
		t.Errorf("%+v, %v; want the other one alone", found, err)
	}
}

// gate is a socket before the engine's that can be shut and opened.
type gate struct {
	t        *testing.T
	path     string
	target   string
	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
}

func newGate(t *testing.T) *gate {
	t.Helper()
	host, err := url.Parse(engine(t).DaemonHost())
	if err != nil || host.Scheme != "unix" {
		t.Skipf("the engine is not on a unix socket: %v %v", host, err)
	}
	g := &gate{t: t, path: filepath.Join(t.TempDir(), "docker.sock"), target: host.Path}
	t.Cleanup(g.shut)
	g.open()
	return g
}

func (g *gate) open() {
	g.t.Helper()
	listener, err := net.Listen("unix", g.path)
	if err != nil {
		g.t.Fatal(err)
	}
	g.mu.Lock()
	g.listener = listener
	g.mu.Unlock()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			g.join(conn)
		}
	}()
}

func (g *gate) join(conn net.Conn) {
	engine, err := net.Dial("unix", g.target)
	if err != nil {
		_ = conn.Close()
		return
	}
	g.mu.Lock()
	g.conns = append(g.conns, conn, engine)
	g.mu.Unlock()
	for _, way := range [][2]net.Conn{{conn, engine}, {engine, conn}} {
		go func() {
			_, _ = io.Copy(way[0], way[1])
			_ = way[0].Close()
		}()
	}
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.listener.Close()
	for _, conn := range g.conns {
		_ = conn.Close()
	}
	g.conns = nil
}

func TestEngineThatGoesAwayAndComesBack(t *testing.T) {
	gate := newGate(t)
	r := newRig(t) // its own client goes straight to the engine
	t.Setenv("DOCKER_HOST", "unix://"+gate.path)
	r.reconnect()
	calls := r.watch()
	receive(t, calls, "the beginning")
	before := r.start(spec(t, 1, 1, "index.html", "x"))

	gate.shut()
	if _, err := r.Instances(t.Context()); !errors.Is(err, sites.ErrUnavailable) {
		t.Errorf("instances without an engine: %v", err)
	}
	if _, err := r.Start(t.Context(), spec(t, 2, 1)); !errors.Is(err, sites.ErrUnavailable) {
		t.Errorf("start without an engine: %v", err)
	}
	if err := r.cli.ContainerKill(t.Context(), before.ID, "KILL"); err != nil {
		t.Fatal(err)
	}
	gate.open()
	receive(t, calls, "the engine's return")
	if listed := r.instances(); len(listed) != 0 {
		t.Errorf("instances after the return: %+v", listed)
	}
	if got := r.start(spec(t, 1, 1, "index.html", "y")); got.Addr == before.Addr {
		t.Errorf("address %v was used again at once", got.Addr)
	}
	if n := strings.Count(r.log.String(), "the container engine does not answer"); n != 1 {
		t.Errorf("the absence is in the log %d times", n)
	}
}

func TestInstancesOutliveARestartOfTheEngine(t *testing.T) {
	if os.Getenv("BERTH_SOAK") != "1" {
		t.Skip("restarts the machine's Docker engine; only with BERTH_SOAK=1")
	}
	r := newRig(t)
	calls := r.watch()
	receive(t, calls, "the beginning")
	before := r.start(spec(t, 1, 1, "index.html", "still here"))
	restart := cmp.Or(os.Getenv("BERTH_SOAK_RESTART"), "systemctl restart docker")
	command(t, "sh", "-c", restart)
	receive(t, calls, "the engine's end or return")
	await(t, "the instance's return", func() bool {
		listed, err := r.Instances(t.Context())
		return err == nil && len(listed) == 1 && listed[0].ID == before.ID && listed[0].Addr == before.Addr
	})
	if got := get(t, before.Addr, "/"); got != "still here" {
		t.Errorf("instance answers %q", got)
	}
}
