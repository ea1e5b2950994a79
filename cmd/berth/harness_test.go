package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"berth/sites/sqlite"
)

// binary is the real executable, built once: static, or with the race detector when the tests have it.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "berth-e2e-")
	if err != nil {
		return "", err
	}
	builtIn = dir
	path := filepath.Join(dir, "berth")
	cmd := exec.Command("go", "build", "-o", path, "berth/cmd/berth")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if raceDetector {
		cmd = exec.Command("go", "build", "-race", "-o", path, "berth/cmd/berth")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build berth: %w\n%s", err, out)
	}
	return path, nil
})

// builtIn is the directory of the executable, empty where no test has needed it.
var builtIn string

func TestMain(m *testing.M) {
	code := m.Run()
	if builtIn != "" {
		_ = os.RemoveAll(builtIn)
	}
	os.Exit(code)
}

// required tells whether BERTH_REQUIRE wants a test that needs the thing to fail where the thing is missing.
func required(thing string) bool {
	return slices.Contains(strings.Split(os.Getenv("BERTH_REQUIRE"), ","), thing)
}

// need skips the test when the thing is missing, or fails it where it is required.
func need(t testing.TB, thing string, err error) {
	t.Helper()
	switch {
	case err == nil:
	case required(thing):
		t.Fatalf("BERTH_REQUIRE names %s, but: %v", thing, err)
	default:
		t.Skipf("needs %s: %v", thing, err)
	}
}

// needDocker comes before what BERTH_REQUIRE says in one case: with the race detector there cannot be a container of berth, and
// the same tests run without it, too.
func needDocker(t testing.TB) {
	t.Helper()
	if raceDetector {
		t.Skip("an executable with the race detector is not static, so it cannot be a container's")
	}
	out, err := exec.Command("docker", "info", "--format", "{{.ServerVersion}}").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	need(t, "docker", err)
}

const (
	testZone     = "e2e.test"
	testPassword = "correct horse battery"
)

// process is a running berth serve.
type process struct {
	t      testing.TB
	args   []string
	dir    string
	http   string // addresses that it listens on
	https  string
	dns    string
	token  string // an admin's API token
	pinned bool   // to the processor of the servers that are measured
	cmd    *exec.Cmd
	log    *logFile
	ended  chan error
}

// startBerth runs berth serve on free loopback ports with an admin account, and waits until it is ready.
func startBerth(t testing.TB, args ...string) *process {
	t.Helper()
	return startBerthIn(t, t.TempDir(), args...)
}

// startBerthIn is startBerth with a data directory of the caller's.
func startBerthIn(t testing.TB, dir string, args ...string) *process {
	t.Helper()
	p := newProcess(t, dir, args...)
	p.begin()
	return p
}

func newProcess(t testing.TB, dir string, args ...string) *process {
	return &process{t: t, args: args, dir: dir, http: "127.0.0.1:0", https: "127.0.0.1:0", dns: "127.0.0.1:0"}
}

// begin is the first start.
func (p *process) begin() {
	p.t.Helper()
	p.run(testPassword+"\n", "user", "add", "admin", "--admin", "--data-dir", p.dir)
	p.token = strings.TrimSpace(p.run("", "token", "add", "--user", "admin", "--name", "test", "--data-dir", p.dir))
	p.start()
	p.t.Cleanup(p.cleanUp)
	p.awaitReady()
}

// run runs a subcommand to its end and returns what it printed.
func (p *process) run(stdin string, args ...string) string {
	p.t.Helper()
	path, err := binary()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		p.t.Fatalf("berth %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String()
}

func (p *process) start() {
	p.t.Helper()
	path, err := binary()
	if err != nil {
		p.t.Fatal(err)
	}
	args := append([]string{
		"serve", "--zone", testZone, "--data-dir", p.dir, "--public-ipv4", "127.0.0.1",
		"--http-addr", p.http, "--https-addr", p.https, "--dns-addr", p.dns, "--log-format", "json",
	}, p.args...)
	p.cmd = exec.Command(path, args...)
	if p.pinned {
		p.cmd = onServerCPU(path, args...)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.log = &logFile{listening: make(chan struct{})}
	p.ended = make(chan error, 1)
	go func(cmd *exec.Cmd, log *logFile, ended chan error) {
		log.read(stderr)
		ended <- cmd.Wait()
	}(p.cmd, p.log, p.ended)
	select {
	case <-p.log.listening:
		p.http, p.https, p.dns = p.log.http, p.log.https, p.log.dns
	case err := <-p.ended:
		p.t.Fatalf("berth ended: %v\n%s", err, p.log)
	case <-time.After(time.Minute):
		p.t.Fatalf("berth does not listen\n%s", p.log)
	}
}

// logFile collects what a process writes to its log.
type logFile struct {
	mu               sync.Mutex
	text             bytes.Buffer
	listening        chan struct{}
	http, https, dns string
	admin            string // empty: none
}

func (l *logFile) read(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Msg              string
			HTTP, HTTPS, DNS []string
			Admin            []string
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			l.http, l.https, l.dns = line.HTTP[0], line.HTTPS[0], line.DNS[0]
			if len(line.Admin) > 0 {
				l.admin = line.Admin[0]
			}
			close(l.listening)
		}
		l.mu.Lock()
		l.text.Write(lines.Bytes())
		l.text.WriteByte('\n')
		l.mu.Unlock()
	}
}

func (l *logFile) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// kill ends the process as a crash would, and waits until it is gone.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	<-p.ended
}

// terminate asks the process to stop and returns how it ended.
func (p *process) terminate() error {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	return p.awaitEnd()
}

// awaitEnd waits until the process is gone.
func (p *process) awaitEnd() error {
	p.t.Helper()
	select {
	case err := <-p.ended:
		p.ended <- err
		return err
	case <-time.After(time.Minute):
		return fmt.Errorf("still running a minute after SIGTERM\n%s", p.log)
	}
}

func (p *process) cleanUp() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	if p.t.Failed() {
		p.t.Logf("log of berth:\n%s", p.log)
	}
	p.removeFromEngine()
}

// engineLabel is the filter that finds what this installation has on the container engine; empty when it has no id yet.
func (p *process) engineLabel() string {
	store, err := sqlite.Open(context.Background(), databasePath(p.dir), slog.New(slog.DiscardHandler))
	if err != nil {
		p.t.Errorf("engine label: %v", err)
		return ""
	}
	defer store.Close()
	id, err := store.Setting(context.Background(), "installation")
	if err != nil {
		return ""
	}
	return "label=berth.installation=" + id
}

// removeFromEngine deletes what the installation has left on the container engine.
func (p *process) removeFromEngine() {
	label := p.engineLabel()
	if label == "" {
		return
	}
	if nft, err := exec.LookPath("nft"); err == nil {
		sum := sha256.Sum256([]byte(strings.TrimPrefix(label, "label=berth.installation=")))
		table := "berth_" + hex.EncodeToString(sum[:4])
		for _, family := range []string{"inet", "bridge"} {
			_ = exec.Command(nft, "delete", "table", family, table).Run() // there is none without the docker runtime
		}
	}
	for _, kind := range [][2]string{
		{"docker ps -aq --filter " + label, "docker rm -f"},
		{"docker network ls -q --filter " + label, "docker network rm"},
		{"docker images -q --filter " + label, "docker rmi -f"},
	} {
		list := strings.Fields(kind[0])
		out, err := exec.Command(list[0], list[1:]...).Output()
		if ids := strings.Fields(string(out)); err == nil && len(ids) > 0 {
			remove := append(strings.Fields(kind[1]), ids...)
			if out, err := exec.Command(remove[0], remove[1:]...).CombinedOutput(); err != nil {
				p.t.Logf("cleaning the engine: %v: %s", err, out)
			}
		}
	}
}

// skipShort leaves a test of many repetitions to the runs without -short.
func skipShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("repeats a fault many times; run without -short")
	}
}
