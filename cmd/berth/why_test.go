package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"berth/acme/acmetest"
	"berth/sites"
	"berth/sites/sqlite"
)

// why runs berth why and returns its exit status and what it printed.
func (p *process) why(args ...string) (status int, out, errs string) {
	p.t.Helper()
	path, err := binary()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(path, append([]string{"why", "--data-dir", p.dir}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var ended *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
		p.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// checkWhy wants a status, a finding of a level and topic whose sentence or remedy contains a text, and that text in what is printed for people.
func (p *process) checkWhy(status int, level, topic, want string, name ...string) error {
	p.t.Helper()
	got, out, errs := p.why(append([]string{"--json"}, name...)...)
	var found report
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		return fmt.Errorf("status %d: %s%s: %w", got, out, errs, err)
	}
	if got != status || found.Works != (status == 0) {
		return fmt.Errorf("status %d, want %d: %s", got, status, out)
	}
	for _, f := range found.Findings {
		if (f.Level == "ok") != (f.Remedy == "") {
			return fmt.Errorf("the finding is %s and its remedy %q: %s", f.Level, f.Remedy, f.Sentence)
		}
		if f.Level == level && f.Topic == topic && strings.Contains(f.Sentence+" "+f.Remedy, want) {
			return nil
		}
	}
	return fmt.Errorf("no %s of %s has %q: %s", level, topic, want, out)
}

func (p *process) wantWhy(status int, level, topic, want string, name ...string) {
	p.t.Helper()
	if err := p.checkWhy(status, level, topic, want, name...); err != nil {
		p.t.Errorf("berth why %s: %v", strings.Join(name, " "), err)
	}
}

// TestWhyNamesWhatIsWrong breaks a site in the ways that its owner can, and asks.
func TestWhyNamesWhatIsWrong(t *testing.T) {
	nameserver := freePort(t)
	outside := startOutsideDNS(t, nameserver)
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal", "--dns-addr", nameserver, "--resolver", outside.addr, "--domain-interval", "1s")
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "hello"}, http.StatusCreated, nil)
	p.wantWhy(0, "warning", "site", "Nothing has been uploaded", "hello")
	p.api(client, "POST", "/sites/hello/releases?wait=live", zipped(t, "index.html", "It floats"), http.StatusCreated, nil)
	p.wantWhy(0, "ok", "site", "The site runs.", "hello")
	p.wantWhy(0, "ok", "route", "go to the site hello", "HELLO."+testZone+".")
	p.wantWhy(0, "ok", "name", "127.0.0.1", "hello")
	p.wantWhy(0, "ok", "route", "the panel", testZone)

	p.api(client, "POST", "/sites/hello/stop", nil, http.StatusAccepted, nil)
	p.wantWhy(1, "fault", "site", "Start it", "hello")
	if status, out, _ := p.why("hello"); status != 1 || !strings.Contains(out, "\n1 fault: site.") || !strings.Contains(out, "→ Start it on its page") {
		t.Errorf("of a stopped site, with status %d: %s", status, out)
	}
	p.api(client, "POST", "/sites/hello/start?wait=live", nil, http.StatusOK, nil)
	p.api(client, "PATCH", "/sites/hello", map[string]any{"options": map[string]any{"maintenance": true, "allow": []string{"192.0.2.0/24"}}}, http.StatusOK, nil)
	p.wantWhy(1, "fault", "site", "Maintenance is on", "hello")
	p.wantWhy(1, "warning", "site", "1 network", "hello")
	p.api(client, "PATCH", "/sites/hello", map[string]any{"options": map[string]any{"maintenance": false, "allow": []string{}}}, http.StatusOK, nil)

	p.api(client, "POST", "/sites/hello/releases?wait=live", []byte("this is no zip"), http.StatusUnprocessableEntity, nil)
	p.wantWhy(0, "warning", "content", "Release 2 is not live", "hello")
	p.wantWhy(0, "warning", "content", "Release 1 goes on", "hello")

	p.wantWhy(1, "fault", "route", "nobody's", "nobody")
	p.wantWhy(1, "warning", "name", "NXDOMAIN", "nobody."+testZone)
	p.wantWhy(1, "warning", "name", "REFUSED", "www.customer.example")
	outside.set(t, "www.example.test", "A 203.0.113.9")
	p.api(client, "POST", "/sites/hello/domains", map[string]string{"name": "www.example.test"}, http.StatusCreated, nil)
	eventually(t, time.Minute, "the domain was looked at", func() error {
		return p.checkWhy(1, "fault", "domain", "points at 203.0.113.9", "www.example.test")
	})
	p.wantWhy(1, "fault", "domain", "set www.example.test CNAME hello."+testZone, "www.example.test")
	p.wantWhy(0, "warning", "domain", "points at 203.0.113.9", "hello")

	p.wantWhy(0, "ok", "sites", "1 site", "")
	p.wantWhy(0, "warning", "zone", "was not found", "") // the DNS outside has no parent of it
	p.wantWhy(0, "ok", "servers", "127.0.0.1 leads to this process", "")
}

// TestWhyWithoutAService asks where nobody answers, before a first start and after a crash, and again once there is somebody.
func TestWhyWithoutAService(t *testing.T) {
	p := newProcess(t, filepath.Join(t.TempDir(), strings.Repeat("a-long-name/", 12)), "--runtime", "embedded", "--acme-ca", "internal")
	if status, out, errs := p.why(); status != 2 || out != "" || !strings.Contains(errs, "there is no data of berth in "+p.dir) {
		t.Errorf("without data: status %d, %s%s", status, out, errs)
	}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p.begin()
	p.wantWhy(0, "ok", "runtime", "embedded", "")
	if info, err := os.Stat(operatorSocket(p.dir)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is open to others: %v, %v", info, err)
	}

	p.kill()
	if _, err := os.Stat(operatorSocket(p.dir)); err != nil {
		t.Fatalf("a crash leaves no socket: %v", err)
	}
	other, err := net.Listen("tcp", p.http)
	if err != nil {
		t.Fatal(err)
	}
	status, _, errs := p.why("--http-addr", p.http)
	taken := fmt.Sprintf("%s, which it listens on, is taken over TCP by %s (process %d).", p.http, filepath.Base(os.Args[0]), os.Getpid())
	if status != 2 || !strings.Contains(errs, "does not run with the data directory "+p.dir) || !strings.Contains(errs, "Start it: systemctl start berth") || !strings.Contains(errs, taken) {
		t.Errorf("after a crash: status %d, %s\nwant %s", status, errs, taken)
	}
	other.Close()
	p.start()
	p.awaitReady()
	p.wantWhy(0, "ok", "servers", "DNS is up at "+p.dns, "")

	if err := p.terminate(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(operatorSocket(p.dir)); err == nil {
		t.Error("the socket is still there after the end")
	}
	if status, _, errs := p.why("hello"); status != 2 || !strings.Contains(errs, "does not run") {
		t.Errorf("after the end: status %d, %s", status, errs)
	}
}

// TestTheOperatorActsWithoutAToken calls the API by the operator's socket.
func TestTheOperatorActsWithoutAToken(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal")
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "hello"}, http.StatusCreated, nil)
	operator := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialOperator(ctx, p.dir) }, DisableKeepAlives: true,
	}}
	for _, tc := range []struct {
		method, path string
		want         int
	}{
		{"POST", "/api/v1/sites/hello/stop", http.StatusAccepted},
		{"POST", "/api/v1/sites", http.StatusForbidden}, // there is no account that could own it
		{"GET", "/", http.StatusNotFound},               // no pages
	} {
		req, err := http.NewRequest(tc.method, "http://berth"+tc.path, strings.NewReader(`{"name":"mine"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := operator.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tc.want {
			t.Errorf("%s %s: status %d, want %d", tc.method, tc.path, resp.StatusCode, tc.want)
		}
	}
	if err := p.terminate(); err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), databasePath(p.dir), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	events, err := store.Events(t.Context(), sites.EventFilter{Subject: "hello", Limit: 1})
	if err != nil || len(events) != 1 || events[0].Action != "site.stop" || events[0].Actor != "operator" || events[0].Origin != "cli" {
		t.Errorf("the audit log has %+v, %v", events, err)
	}
}

// TestWhyTellsOfCertificatesThatAreRefused has an authority that does not find the zone in the DNS.
func TestWhyTellsOfCertificatesThatAreRefused(t *testing.T) {
	outside := startOutsideDNS(t, freePort(t)) // where nobody is
	authority := acmetest.Start(t, acmetest.Options{DNS: outside.addr})
	root := filepath.Join(t.TempDir(), "acme-root.pem")
	if err := os.WriteFile(root, authority.HTTPSRootPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", authority.DirectoryURL(), "--acme-root", root, "--resolver", outside.addr)
	p.api(p.client(nil), "POST", "/sites", map[string]string{"name": "hello"}, http.StatusCreated, nil)
	eventually(t, time.Minute, "the order of the wildcard has failed", func() error {
		return p.checkWhy(1, "fault", "certificates", "did not find our answer in the DNS for *."+testZone)
	})
	eventually(t, time.Minute, "the order of the site's certificate has failed", func() error {
		return p.checkWhy(1, "fault", "certificate", "is the zone delegated to this server? It is tried again at ", "hello")
	})
}

// TestWhyTellsOfInstancesAndEngine has one of two containers hang, and then the engine go.
func TestWhyTellsOfInstancesAndEngine(t *testing.T) {
	needDocker(t)
	gate := newGate(t)
	t.Setenv("DOCKER_HOST", "unix://"+gate.path)
	p := startBerth(t, "--runtime", "docker", "--acme-ca", "internal", "--certificates", "wildcard", "--network-pool", "10.97.0.0/20")
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "busy"}, http.StatusCreated, nil)
	p.api(client, "PATCH", "/sites/busy", map[string]int{"instances": 2}, http.StatusOK, nil)
	p.api(client, "POST", "/sites/busy/releases?wait=live", zipped(t, "index.html", "It floats"), http.StatusCreated, nil)
	ids := p.awaitInstances(client, p.engineLabel(), 2)
	p.wantWhy(0, "ok", "instances", "2 instances answer", "busy")

	if out, err := dockerCommand("kill", "--signal", "STOP", ids[0]); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	eventually(t, 2*time.Minute, "the one that hangs is told of", func() error {
		return p.checkWhy(0, "warning", "instances", "does not answer when it is asked for the health path", "busy")
	})
	p.wantWhy(0, "warning", "sites", "Of the 2 instances of busy, 1 gets no requests", "")
	if out, err := dockerCommand("kill", "--signal", "CONT", ids[0]); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	gate.set(false)
	p.wantWhy(1, "fault", "runtime", "Start the engine", "")
	p.wantWhy(0, "warning", "instances", "Start the engine", "busy")
	gate.set(true)
	eventually(t, time.Minute, "the engine is back", func() error { return p.checkWhy(0, "ok", "runtime", "docker", "") })
}

// TestWhySaysThatAServiceIsOnlyStarting asks while somebody has the directory's lock and no socket.
func TestWhySaysThatAServiceIsOnlyStarting(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lockDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	ask := func() error {
		_, err := whyCommand{local: local{DataDir: dir}}.ask(t.Context())
		return err
	}
	if err := ask(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("berth (process %d) runs with %s, but does not answer yet", os.Getpid(), dir)) {
		t.Errorf("with the lock: %v", err)
	}
	unlock()
	if err := ask(); err == nil || !strings.Contains(err.Error(), "there is no data of berth in "+dir) {
		t.Errorf("without: %v", err)
	}
}
