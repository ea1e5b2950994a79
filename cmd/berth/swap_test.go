package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// swaps is how many releases a site gets under load.
const swaps = 100

// TestSwapsLoseNoRequest uploads release after release while visitors keep coming: none may meet an error.
func TestSwapsLoseNoRequest(t *testing.T) {
	skipShort(t)
	for _, runtime := range []string{"docker", "embedded"} {
		t.Run(runtime, func(t *testing.T) {
			if runtime == "docker" {
				needDocker(t)
			}
			p := startBerth(t, "--runtime", runtime, "--acme-ca", "internal", "--certificates", "wildcard", "--network-pool", "10.84.0.0/20")
			swapUnderLoad(t, p)
		})
	}
}

func swapUnderLoad(t *testing.T, p *process) {
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "busy"}, http.StatusCreated, nil)
	upload := func(n int) {
		p.api(client, "POST", "/sites/busy/releases?wait=live", zipped(t, "index.html", fmt.Sprint("version ", n)), http.StatusCreated, nil)
	}
	upload(0)
	load := startLoad(t, p, p.url("busy", "/"))
	for n := 1; n <= swaps; n++ {
		upload(n)
		if err := checkPage(client, p.url("busy", "/"), http.StatusOK, fmt.Sprint("version ", n)); err != nil {
			t.Errorf("after upload %d: %v", n, err)
		}
	}
	served, failed := load.stop()
	t.Logf("%d requests were served during %d swaps", served, swaps)
	if failed > 0 || served < swaps {
		t.Errorf("%d requests failed and %d were served", failed, served)
	}
}

// pace is how often each of four visitors asks: steady, and a load that leaves the machine room for the swaps.
const pace = 5 * time.Millisecond

// load is visitors that keep asking for a page.
type load struct {
	t              *testing.T
	quit           chan struct{}
	wg             sync.WaitGroup
	served, failed atomic.Int64
}

func startLoad(t *testing.T, p *process, url string) *load {
	l := &load{t: t, quit: make(chan struct{})}
	for range 4 {
		l.wg.Go(func() { l.visit(p.client(nil), url) })
	}
	return l
}

func (l *load) visit(client *http.Client, url string) {
	defer client.CloseIdleConnections()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-l.quit:
			return
		case <-tick.C:
		}
		status, body, err := get(client, url)
		if err != nil || status != http.StatusOK || !strings.HasPrefix(body, "version ") {
			if l.failed.Add(1) == 1 {
				l.t.Errorf("a visitor got status %d, %v: %s", status, err, body)
			}
			continue
		}
		l.served.Add(1)
	}
}

func (l *load) stop() (served, failed int64) {
	close(l.quit)
	l.wg.Wait()
	return l.served.Load(), l.failed.Load()
}
