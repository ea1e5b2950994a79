package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"berth/sites"
	"berth/sites/embedded"
	"berth/sites/sqlite"
)

// bareProgram has a store and what choosing a runtime needs.
func bareProgram(t *testing.T, cfg *config) *program {
	t.Helper()
	cfg.DataDir = t.TempDir()
	cfg.NetworkPool = netip.MustParsePrefix("10.90.0.0/20")
	log := slog.New(slog.DiscardHandler)
	store, err := sqlite.Open(t.Context(), databasePath(cfg.DataDir), log)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{cfg: cfg, log: log, store: store, inProcess: embedded.New(log)}
	t.Cleanup(func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// rootlessEngine answers like an engine that berth cannot use.
func rootlessEngine(t *testing.T) (host string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.45")
		_ = json.NewEncoder(w).Encode(map[string]any{"ServerVersion": "27.0", "SecurityOptions": []string{"name=rootless"}})
	}))
	t.Cleanup(server.Close)
	return "tcp://" + server.Listener.Addr().String()
}

func TestAutoSaysWhyItTookEmbedded(t *testing.T) {
	for _, tc := range []struct{ engine, want string }{
		{rootlessEngine(t), "rootless"},
		{"unix:///nonexistent/engine.sock", "does not answer"},
	} {
		t.Setenv("DOCKER_HOST", tc.engine)
		p := bareProgram(t, &config{Runtime: "auto"})
		var warnings strings.Builder
		p.log = slog.New(slog.NewTextHandler(&warnings, &slog.HandlerOptions{Level: slog.LevelWarn}))
		runtime, err := p.chooseRuntime(t.Context())
		if warnings.Len() > 0 {
			t.Errorf("%s: warned of what may be meant: %s", tc.engine, &warnings)
		}
		if err != nil || runtime != sites.Runtime(p.inProcess) {
			t.Errorf("%s: %T, %v", tc.engine, runtime, err)
		}
		reason, ok := strings.CutPrefix(p.runtimeNote, "embedded. ")
		if !ok || !strings.Contains(reason, tc.want) || strings.Count(reason, ".") != 1 {
			t.Errorf("%s: %q, want one sentence with %q", tc.engine, p.runtimeNote, tc.want)
		}
	}
}

// TestLeavingAnEngineThatIsAway starts all the same, and the next start tries again.
func TestLeavingAnEngineThatIsAway(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nonexistent/engine.sock")
	p := bareProgram(t, &config{Runtime: "embedded"})
	if err := p.put(t.Context(), "runtime", "docker"); err != nil {
		t.Fatal(err)
	}
	if runtime, err := p.chooseRuntime(t.Context()); err != nil || runtime != sites.Runtime(p.inProcess) {
		t.Fatalf("%T, %v", runtime, err)
	}
	if still, err := p.store.Setting(t.Context(), "runtime"); err != nil || still != "docker" {
		t.Errorf("setting %q, %v; the containers would be forgotten", still, err)
	}
}

// TestFromDockerToEmbedded changes the runtime of an installation: its sites go on and nothing of it stays on the engine.
func TestFromDockerToEmbedded(t *testing.T) {
	needDocker(t)
	p := startBerth(t, "--runtime", "docker", "--acme-ca", "internal", "--certificates", "wildcard", "--network-pool", "10.91.0.0/20")
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "here"}, http.StatusCreated, nil)
	p.api(client, "POST", "/sites/here/releases?wait=live", zipped(t, "index.html", "still here"), http.StatusCreated, nil)
	label := p.engineLabel()
	if left := onEngine(t, label); len(left) != 3 {
		t.Errorf("on the engine: %v, want a container, a network and an image", left)
	}
	if err := p.terminate(); err != nil {
		t.Fatal(err)
	}
	p.args[1] = "embedded"
	p.start()
	p.awaitReady()
	if left := onEngine(t, label); len(left) > 0 {
		t.Errorf("left on the engine: %v", left)
	}
	eventually(t, time.Minute, "the site is served in process", func() error {
		return checkPage(client, p.url("here", "/"), http.StatusOK, "still here")
	})
}

// onEngine lists the containers, networks and images with a label.
func onEngine(t *testing.T, label string) (objects []string) {
	t.Helper()
	var errs []error
	for _, list := range []string{"ps -aq", "network ls -q", "images -q"} {
		out, err := dockerCommand(append(strings.Fields(list), "--filter", label)...)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w: %s", list, err, out))
		}
		for _, id := range strings.Fields(out) {
			objects = append(objects, list+" "+id)
		}
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return objects
}
