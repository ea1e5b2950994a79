package main

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"
)

// TestInstancesComeAndGoUnderLoad has a site run on several containers, kills one, and has more and fewer of them, while
// visitors keep coming: none may meet an error.
func TestInstancesComeAndGoUnderLoad(t *testing.T) {
	needDocker(t)
	p := startBerth(t, "--runtime", "docker", "--acme-ca", "internal", "--certificates", "wildcard", "--network-pool", "10.92.0.0/20")
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "busy"}, http.StatusCreated, nil)
	p.api(client, "PATCH", "/sites/busy", map[string]int{"instances": 3}, http.StatusOK, nil)
	p.api(client, "POST", "/sites/busy/releases?wait=live", zipped(t, "index.html", "version 1"), http.StatusCreated, nil)
	label := p.engineLabel()
	first := p.awaitInstances(client, label, 3)
	load := startLoad(t, p, p.url("busy", "/"))

	if out, err := dockerCommand("kill", first[0]); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	eventually(t, 2*time.Minute, "another container has taken its place", func() error {
		if now := containers(t, label); len(now) != 3 || slices.Contains(now, first[0]) {
			return fmt.Errorf("containers %v, at first %v", now, first)
		}
		return nil
	})
	second := p.awaitInstances(client, label, 3)
	if !slices.Contains(second, first[1]) || !slices.Contains(second, first[2]) {
		t.Errorf("at first %v ran, then %v: one was killed and the others must not be touched", first, second)
	}

	p.api(client, "PATCH", "/sites/busy", map[string]int{"instances": 1}, http.StatusOK, nil)
	p.awaitInstances(client, label, 1)
	p.api(client, "PATCH", "/sites/busy", map[string]int{"instances": 3}, http.StatusOK, nil)
	p.awaitInstances(client, label, 3)
	p.api(client, "POST", "/sites/busy/releases?wait=live", zipped(t, "index.html", "version 2"), http.StatusCreated, nil)
	p.api(client, "POST", "/sites/busy/restart?wait=live", nil, http.StatusOK, nil)
	last := p.awaitInstances(client, label, 3)

	served, failed := load.stop()
	t.Logf("%d requests were served", served)
	if failed > 0 || served == 0 {
		t.Errorf("%d requests failed and %d were served", failed, served)
	}

	p.kill()
	p.start()
	p.awaitReady()
	if now := p.awaitInstances(client, label, 3); !slices.Equal(now, last) {
		t.Errorf("before berth was killed %v ran, and now %v", last, now)
	}
}

// awaitInstances waits until so many of the only site's containers run and answer, and returns their ids in order.
func (p *process) awaitInstances(client *http.Client, label string, n int) (ids []string) {
	p.t.Helper()
	eventually(p.t, 2*time.Minute, fmt.Sprint(n, " containers run and answer"), func() error {
		var site struct{ Instances, Answering int }
		p.api(client, "GET", "/sites/busy", nil, http.StatusOK, &site)
		ids = containers(p.t.(*testing.T), label)
		slices.Sort(ids)
		if len(ids) != n || site.Answering != n || site.Instances != n {
			return fmt.Errorf("containers %v, site %+v", ids, site)
		}
		return nil
	})
	return ids
}
