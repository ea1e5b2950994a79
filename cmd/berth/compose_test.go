package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTheComposeFile does with deploy/Dockerfile and deploy/compose.yaml what the manual says.
func TestTheComposeFile(t *testing.T) {
	needDocker(t)
	p := newComposed(t)
	p.compose(testPassword+"\n", "run", "--rm", "-T", "berth", "user", "add", "admin", "--admin")
	p.token = strings.TrimSpace(p.run("", "token", "add", "--user", "admin", "--name", "test", "--data-dir", p.dir))
	p.compose("", "up", "--detach")
	p.container = strings.TrimSpace(p.compose("", "ps", "--quiet", "berth"))
	p.awaitReady()
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "afloat"}, http.StatusCreated, nil)
	p.api(client, "POST", "/sites/afloat/releases?wait=live", zipped(t, "index.html", "in a container, by a container"), http.StatusCreated, nil)
	wantPage(t, client, p.url("afloat", "/"), http.StatusOK, "by a container")
	wantAddress(t, p.process, "afloat."+testZone, "127.0.0.1")
	instance := p.wantInstance()
	p.wantHealthy()

	p.compose("", "stop")
	if state := p.inspect(p.container, "{{.State.Status}} {{.State.ExitCode}}"); state != "exited 0" {
		t.Errorf("after the stop berth's container is %q", state)
	}
	if log, err := dockerCommand("logs", p.container); err != nil || !strings.Contains(log, "berth has stopped") {
		t.Errorf("its log does not say that it has stopped (%v):\n%s", err, log)
	}
	p.compose("", "start")
	p.awaitReady()
	wantPage(t, client, p.url("afloat", "/"), http.StatusOK, "by a container")
	if now := p.wantInstance(); now != instance {
		t.Errorf("the site's instance was %s and is %s: a restart of berth has to leave it alone", instance, now)
	}
}

// composed is berth as a service of Compose.
type composed struct {
	*process
	t         *testing.T
	program   string
	project   string // directory of .env, whose name is the project's
	container string // id of berth's own
}

// newComposed builds the image and writes the settings. Image and project have names of their own.
func newComposed(t *testing.T) *composed {
	t.Helper()
	program, err := exec.LookPath("docker-compose")
	need(t, "docker-compose", err)
	if os.Getuid() != 0 {
		t.Skip("what berth writes there as root, only root can clean up")
	}
	executable, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	name := "berth-test-" + strings.ToLower(rand.Text()[:8])
	p := &composed{process: newProcess(t, t.TempDir()), t: t, program: program, project: filepath.Join(t.TempDir(), name)}
	p.http, p.https, p.dns = freePort(t), freePort(t), freePort(t)
	settings := map[string]string{
		"IMAGE": name, "DATA_DIR": p.dir, "ZONE": testZone, "PUBLIC_IPV4": "127.0.0.1", "HTTP_ADDR": p.http, "HTTPS_ADDR": p.https,
		"DNS_ADDR": p.dns, "ACME_CA": "internal", "CERTIFICATES": "wildcard", "RUNTIME": "docker", "NETWORK_POOL": "10.79.0.0/20",
	}
	var env strings.Builder
	for key, value := range settings {
		fmt.Fprintf(&env, "BERTH_%s=%s\n", key, value)
	}
	if err := os.Mkdir(p.project, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.project, ".env"), []byte(env.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := dockerCommand("build", "--file", filepath.Join(moduleRoot, "deploy", "Dockerfile"), "--tag", name, filepath.Dir(executable)); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := dockerCommand("rmi", name); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Cleanup(p.removeFromEngine)
	t.Cleanup(p.down)
	return p
}

// down removes berth's container, after what it wrote has been kept where the test failed.
func (p *composed) down() {
	if p.t.Failed() {
		log, _ := dockerCommand("logs", p.container)
		p.t.Logf("log of berth:\n%s", log)
	}
	p.compose("", "down")
}

// compose runs a command of Compose to its end and returns what it printed.
func (p *composed) compose(stdin string, args ...string) string {
	p.t.Helper()
	cmd := exec.Command(p.program, append([]string{"--project-directory", p.project, "--file", filepath.Join(moduleRoot, "deploy", "compose.yaml")}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		p.t.Fatalf("docker-compose %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String()
}

func (p *composed) inspect(container, format string) string {
	p.t.Helper()
	out, err := dockerCommand("inspect", "--format", format, container)
	if err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(out)
}

// wantInstance asks the site's only instance itself, past the edge and its cache, and returns its id.
func (p *composed) wantInstance() string {
	p.t.Helper()
	var ids []string
	eventually(p.t, time.Minute, "the site's instance is the only one", func() error { // at a start another container cuts the bridges off
		if ids = containers(p.t, p.engineLabel()); len(ids) != 1 {
			return fmt.Errorf("the engine runs %v", ids)
		}
		return nil
	})
	addr := p.inspect(ids[0], "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")
	wantPage(p.t, http.DefaultClient, "http://"+addr+":8080/", http.StatusOK, "by a container")
	return ids[0]
}

// wantHealthy runs what the image says is to be run.
func (p *composed) wantHealthy() {
	p.t.Helper()
	var check []string
	text := p.inspect(p.container, "{{json .Config.Healthcheck.Test}}")
	if err := json.Unmarshal([]byte(text), &check); err != nil || len(check) < 2 || check[0] != "CMD" {
		p.t.Fatalf("health check %s: %v", text, err)
	}
	if out, err := dockerCommand(append([]string{"exec", p.container}, check[1:]...)...); err != nil || out != "ready\n" {
		p.t.Errorf("the health check says %q: %v", out, err)
	}
}
