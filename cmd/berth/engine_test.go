package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestEngineAway takes the container engine away and a site's container with it: the site goes on, the panel too, and when the
// engine is back the site has an instance again.
func TestEngineAway(t *testing.T) {
	needDocker(t)
	gate := newGate(t)
	t.Setenv("DOCKER_HOST", "unix://"+gate.path)
	p := startBerth(t, "--runtime", "docker", "--acme-ca", "internal", "--certificates", "wildcard", "--network-pool", "10.88.0.0/20")
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "here"}, http.StatusCreated, nil)
	p.api(client, "POST", "/sites/here/releases?wait=live", zipped(t, "index.html", "still here"), http.StatusCreated, nil)
	label := p.engineLabel()

	gate.set(false)
	for _, id := range containers(t, label) {
		if out, err := dockerCommand("rm", "-f", id); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	wantPage(t, client, p.url("here", "/"), http.StatusOK, "still here")
	wantAddress(t, p, "here."+testZone, "127.0.0.1")
	p.api(client, "POST", "/sites", map[string]string{"name": "meanwhile"}, http.StatusCreated, nil)

	p.kill() // and berth starts while the engine is away
	p.start()
	p.awaitReady()
	wantPage(t, client, p.url("here", "/"), http.StatusOK, "still here")

	gate.set(true)
	eventually(t, 2*time.Minute, "the site has an instance again", func() error {
		if ids := containers(t, label); len(ids) != 1 {
			return fmt.Errorf("containers: %v", ids)
		}
		return checkPage(client, p.url("here", "/"), http.StatusOK, "still here")
	})
}

// dockerCommand runs the command line against the real engine, whatever gate berth looks through.
func dockerCommand(args ...string) (string, error) {
	cmd := exec.Command("docker", append([]string{"--host", "unix://" + engineSocket}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func containers(t *testing.T, filter string) []string {
	t.Helper()
	out, err := dockerCommand("ps", "-q", "--filter", filter)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.Fields(out)
}

const engineSocket = "/var/run/docker.sock"

// gate is a socket that leads to the engine while it is open.
type gate struct {
	path  string
	mu    sync.Mutex
	open  bool
	conns map[net.Conn]struct{}
	wg    sync.WaitGroup
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{path: filepath.Join(t.TempDir(), "engine.sock"), open: true, conns: map[net.Conn]struct{}{}}
	l, err := net.Listen("unix", g.path)
	if err != nil {
		t.Fatal(err)
	}
	g.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			g.wg.Go(func() { g.pass(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		g.set(false)
		g.wg.Wait()
	})
	return g
}

// set opens the gate, or closes it with all that passes through.
func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = open
	for conn := range g.conns {
		if !open {
			conn.Close()
		}
	}
}

func (g *gate) pass(conn net.Conn) {
	defer conn.Close()
	engine, err := net.Dial("unix", engineSocket)
	if err != nil {
		return
	}
	defer engine.Close()
	g.mu.Lock()
	open := g.open
	g.conns[conn], g.conns[engine] = struct{}{}, struct{}{}
	g.mu.Unlock()
	defer g.forget(conn, engine)
	if !open {
		return
	}
	g.wg.Go(func() {
		_, _ = io.Copy(engine, conn)
		engine.Close()
	})
	_, _ = io.Copy(conn, engine)
}

func (g *gate) forget(conns ...net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, conn := range conns {
		delete(g.conns, conn)
	}
}
