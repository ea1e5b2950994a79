package main

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"berth/panel/auth"
	"berth/sites"
	"berth/sites/bundle"
	"berth/sites/embedded"
)

// tryOut is a program with a Service, as dev has it.
func tryOut(t *testing.T, runtime func(*embedded.Runtime) sites.Runtime) *program {
	t.Helper()
	p := bareProgram(t, &config{Zone: devZone})
	var err error
	p.service, err = sites.New(sites.Config{
		Store: p.store, Runtime: runtime(p.inProcess), Unpack: unpacker(bundle.DefaultLimits()), Drainer: noRequests{},
		Zone: devZone, DataDir: p.cfg.DataDir, MaxUpload: 1 << 20, Logger: p.log,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type noRequests struct{}

func (noRequests) Drain(context.Context, netip.AddrPort) error { return nil }

func asItIs(r *embedded.Runtime) sites.Runtime { return r }

// wantPassword wants the admin's password to be this one.
func (p *program) wantPassword(t *testing.T, password string) {
	t.Helper()
	account, err := p.service.Account(t.Context(), devAdmin)
	if err != nil {
		t.Fatal(err)
	}
	ok, _, err := auth.NewHasher(1).Verify(t.Context(), netip.IPv6Loopback(), account.PasswordHash, password)
	if err != nil || !ok {
		t.Errorf("%q is not the password of %s (%v)", password, account.Name, err)
	}
}

func (p *program) devPassword(t *testing.T) string {
	t.Helper()
	password, err := p.devAccount(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return password
}

func TestThePasswordOfATryOut(t *testing.T) {
	p := tryOut(t, asItIs)
	first := p.devPassword(t)
	p.wantPassword(t, first)
	if again := p.devPassword(t); again != first {
		t.Errorf("the second start prints %q, the first %q", again, first)
	}

	// A kill between account and file leaves an account whose password nobody knows.
	if err := os.Remove(passwordPath(p.cfg.DataDir)); err != nil {
		t.Fatal(err)
	}
	second := p.devPassword(t)
	if second == first {
		t.Error("the lost password is printed")
	}
	p.wantPassword(t, second)

	hash, err := auth.NewHasher(1).Hash(t.Context(), testPassword)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.service.SetPassword(t.Context(), sites.Operator, devAdmin, hash); err != nil {
		t.Fatal(err)
	}
	if printed := p.devPassword(t); printed != "" {
		t.Errorf("prints %q after its owner has set another", printed)
	}
	p.wantPassword(t, testPassword)
}

// failing is a runtime that starts nothing.
type failing struct{ sites.Runtime }

func (failing) Start(context.Context, sites.Spec) (sites.Instance, error) {
	return sites.Instance{}, sites.Refuse(sites.ErrConflict, "No room.")
}

func TestTheSampleIsDoneWhenItIsLive(t *testing.T) {
	for _, tc := range []struct {
		name    string
		runtime func(*embedded.Runtime) sites.Runtime
		done    bool
	}{
		{"it fails", func(r *embedded.Runtime) sites.Runtime { return failing{r} }, false},
		{"it serves", asItIs, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := tryOut(t, tc.runtime)
			p.devPassword(t)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- p.service.Run(ctx) }()
			<-p.service.Booted()
			for range 2 { // the second time is that of the next start
				if err := p.addSample(ctx); err != nil {
					t.Error(err)
				}
			}
			sample, err := p.service.Setting(ctx, "sample")
			if done := err == nil && sample != ""; done != tc.done {
				t.Errorf("setting %q, %v", sample, err)
			}
			if releases, err := p.service.Releases(ctx, sites.Operator, devSample); err != nil || tc.done != (len(releases) == 1) {
				t.Errorf("%d releases, %v", len(releases), err)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestResetSparesWhatIsNoTryOut(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard")
	dir := p.dir
	if err := run(t.Context(), []string{"dev", "--reset", "--data-dir", dir}, console{out: io.Discard, err: io.Discard}); err == nil || !strings.Contains(err.Error(), "holds no try-out") {
		t.Errorf("reset of a service's data directory: %v", err)
	}
	if err := p.terminate(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(databasePath(dir)); err != nil {
		t.Error(err)
	}
}

// TestResetKeepsWhatItCannotRemove does not forget which containers are its own.
func TestResetKeepsWhatItCannotRemove(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nonexistent/engine.sock")
	p := tryOut(t, asItIs)
	p.devPassword(t)
	if err := p.put(t.Context(), "runtime", "docker"); err != nil {
		t.Fatal(err)
	}
	if err := reset(t.Context(), p.cfg, p.log); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("reset without the engine: %v", err)
	}
	if _, err := os.Stat(databasePath(p.cfg.DataDir)); err != nil {
		t.Error(err)
	}
	if err := p.put(t.Context(), "runtime", "embedded"); err != nil {
		t.Fatal(err)
	}
	if err := reset(t.Context(), p.cfg, p.log); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p.cfg.DataDir); !os.IsNotExist(err) {
		t.Errorf("after the reset: %v", err)
	}
}

func TestRemoveLeavesNothingAndEnds(t *testing.T) {
	p := tryOut(t, asItIs)
	p.devPassword(t)
	if err := run(t.Context(), []string{"dev", "--remove", "--data-dir", p.cfg.DataDir}, console{out: io.Discard, err: io.Discard}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p.cfg.DataDir); !os.IsNotExist(err) {
		t.Errorf("after the removal: %v", err)
	}
}

// trial is a running berth dev.
type trial struct {
	t      *testing.T
	cmd    *exec.Cmd
	banner string
	panel  string // address of the panel, without the scheme
}

var panelLine = regexp.MustCompile(`Panel +https://(\S+)`)

func startTrial(t *testing.T, dir string, args ...string) *trial {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"dev", "--data-dir", dir, "--http-port", "0", "--https-port", "0", "--dns-port", "0"}, args...)
	d := &trial{t: t, cmd: exec.Command(path, args...)}
	var errs bytes.Buffer
	d.cmd.Stderr = &errs
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill() // unless it has ended by itself
		_ = d.cmd.Wait()
		if t.Failed() {
			t.Logf("berth dev wrote:\n%s%s", d.banner, errs.String())
		}
	})
	d.readBanner(out)
	return d
}

func (d *trial) readBanner(out io.Reader) {
	d.t.Helper()
	part := make([]byte, 4096)
	for !strings.Contains(d.banner, "begins anew") {
		n, err := out.Read(part)
		d.banner += string(part[:n])
		if err != nil {
			d.t.Fatalf("no banner: %v: %s", err, d.banner)
		}
	}
	found := panelLine.FindStringSubmatch(d.banner)
	if found == nil {
		d.t.Fatalf("no address of the panel: %s", d.banner)
	}
	d.panel = found[1]
}

// awaitSample waits until the sample site is live, as a visitor on this machine sees it.
func (d *trial) awaitSample() {
	d.t.Helper()
	visitor := (&process{t: d.t}).client(nil)
	visitor.Transport.(*http.Transport).DialContext = dialLoopback
	eventually(d.t, 2*time.Minute, "the sample site is live", func() error {
		return checkPage(visitor, "https://"+devSample+"."+d.panel+"/", http.StatusOK, "<h1")
	})
}

func (d *trial) stop() {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGINT); err != nil {
		d.t.Fatal(err)
	}
	if err := d.cmd.Wait(); err != nil {
		d.t.Errorf("after an interrupt: %v", err)
	}
}

// TestATryOutAndItsReset is what a new user does: start, look, stop, begin anew.
func TestATryOutAndItsReset(t *testing.T) {
	for _, runtime := range []string{"docker", "embedded"} {
		t.Run(runtime, func(t *testing.T) {
			if runtime == "docker" {
				needDocker(t)
			}
			p := &process{t: t, dir: filepath.Join(t.TempDir(), "data")}
			args := []string{"--runtime", runtime, "--network-pool", "10.92.0.0/20"}
			d := startTrial(t, p.dir, args...)
			t.Cleanup(p.removeFromEngine)
			if again := "dev --reset --data-dir " + p.dir; !strings.Contains(d.banner, again) {
				t.Errorf("the banner does not say %q", again)
			}
			d.awaitSample()
			before, label := passwordIn(t, p.dir), p.engineLabel()
			if !strings.Contains(d.banner, before) {
				t.Errorf("the banner does not say the password %q", before)
			}
			d.stop()
			if objects := onEngineIf(t, runtime, label); (runtime == "docker") != (len(objects) == 3) {
				t.Errorf("on the engine: %v", objects)
			}

			d = startTrial(t, p.dir, append(args, "--reset")...)
			if left := onEngineIf(t, runtime, label); len(left) > 0 {
				t.Errorf("after the reset, the engine still has %v", left)
			}
			if after := passwordIn(t, p.dir); after == before {
				t.Error("the password has outlived the reset")
			}
			d.awaitSample()
			d.stop()
		})
	}
}

func passwordIn(t *testing.T, dir string) string {
	t.Helper()
	password, err := fs.ReadFile(os.DirFS(dir), filepath.Base(passwordPath(dir)))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(password))
}

func onEngineIf(t *testing.T, runtime, label string) []string {
	if runtime != "docker" {
		return nil
	}
	return onEngine(t, label)
}

// dialLoopback finds every name below localhost where browsers find it.
func dialLoopback(ctx context.Context, network, addr string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
}
