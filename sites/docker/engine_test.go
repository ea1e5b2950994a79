package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/sites"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if dir := programDir(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

var programDir = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "berth-docker-test")
	if err != nil {
		return ""
	}
	return dir
})

var buildProgram = sync.OnceValues(func() (string, error) {
	path := filepath.Join(programDir(), "berth")
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, "./testdata/berth")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// program is a static executable with berth's command line.
func program(t *testing.T) string {
	t.Helper()
	path, err := buildProgram()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// engine returns a client of the real engine, of the test's own.
func engine(t *testing.T) *client.Client {
	t.Helper()
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err == nil {
		t.Cleanup(func() { _ = cli.Close() })
		_, err = cli.Ping(t.Context())
	}
	if err == nil {
		return cli
	}
	if strings.Contains(os.Getenv("BERTH_REQUIRE"), "docker") {
		t.Fatalf("BERTH_REQUIRE names docker: %v", err)
	}
	t.Skipf("no Docker engine answers: %v", err)
	return nil
}

// rig is a Runtime of its own installation on the real engine.
type rig struct {
	*Runtime
	t   *testing.T
	cli *client.Client
	log *record
}

func newRig(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	cli := engine(t)
	log := &record{}
	cfg := Config{
		Installation: fmt.Sprintf("test-%d-%d", os.Getpid(), rand.Uint64()),
		Version:      "0.0.0+test", Executable: program(t), Pool: somePool(),
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&cfg)
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	rig := &rig{Runtime: r, t: t, cli: cli, log: log}
	t.Cleanup(rig.purge)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return rig
}

// somePool is a small pool that other tests on this machine hardly ever use at the same time.
func somePool() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, byte(rand.UintN(200)), byte(64 * rand.UintN(4))}), 26)
}

// purge removes all that the installation has on the engine and in the packet filter.
func (r *rig) purge() {
	purger, err := New(r.cfg) // the test may have turned its own client elsewhere
	if err != nil {
		r.t.Fatal(err)
	}
	purger.adopt(r.cli)
	if err := purger.Uninstall(context.Background()); err != nil {
		r.t.Errorf("purge: %v", err)
	}
}

// reconnect makes the Runtime follow a change of DOCKER_HOST.
func (r *rig) reconnect() {
	r.t.Helper()
	cli, err := newClient()
	if err != nil {
		r.t.Fatal(err)
	}
	r.adopt(cli)
	if err := r.Ping(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// content makes a release's directory of pairs of name and text.
func content(t *testing.T, files ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "release")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func spec(t *testing.T, site sites.SiteID, release int, files ...string) sites.Spec {
	t.Helper()
	return sites.Spec{
		Site: site, Name: fmt.Sprintf("site%d", site), Release: release, Root: content(t, files...),
		Template: sites.Template{Name: sites.TemplateStatic, Port: 8080},
		Limits:   sites.Limits{MemoryMB: 64, CPUs: 0.5, Pids: 32},
	}
}

func (r *rig) start(s sites.Spec) sites.Instance {
	r.t.Helper()
	instance, err := r.Start(r.t.Context(), s)
	if err != nil {
		r.t.Fatalf("start: %v", err)
	}
	return instance
}

// containers lists the installation's containers whatever their state.
func (r *rig) containers(label ...string) []container.Summary {
	r.t.Helper()
	all, err := r.cli.ContainerList(r.t.Context(), container.ListOptions{All: true, Filters: r.ours(label...)})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

func (r *rig) instances() []sites.Instance {
	r.t.Helper()
	instances, err := r.Instances(r.t.Context())
	if err != nil {
		r.t.Fatalf("instances: %v", err)
	}
	return instances
}

// get asks an instance from the host.
func get(t *testing.T, addr netip.AddrPort, path string, query ...string) string {
	t.Helper()
	values := url.Values{}
	for i := 0; i < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	httpClient := http.Client{Timeout: 20 * time.Second}
	resp, err := httpClient.Get("http://" + addr.String() + path + "?" + values.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func facts(t *testing.T, addr netip.AddrPort) map[string]string {
	t.Helper()
	var facts map[string]string
	if err := json.Unmarshal([]byte(get(t, addr, "/-/facts")), &facts); err != nil {
		t.Fatal(err)
	}
	return facts
}

// await polls until ok, or fails.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within 30 seconds", what)
		}
	}
}

// record keeps what was logged, for tests that fail.
type record struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

// grown is a copy of the executable that does the same and is another file.
func grown(t *testing.T, executable string) string {
	t.Helper()
	data, err := os.ReadFile(executable)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "berth")
	if err := os.WriteFile(path, append(data, 0), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
