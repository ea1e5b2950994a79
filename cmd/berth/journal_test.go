package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/dnsserver/dnstest"
)

// replica is a nameserver of Debian that follows the zone of a running berth.
type replica struct {
	*dnstest.Server
	name  string
	whole *regexp.Regexp // what it logs of a whole transfer
}

func (r *replica) wholes() int { return len(r.whole.FindAllString(r.Log(), -1)) }

// startReplicas has BIND, NSD and Knot follow the zone, of which berth is told.
func startReplicas(t *testing.T, p *process, client *http.Client) (replicas []*replica) {
	t.Helper()
	var peers []map[string]any
	primary := dnstest.Peer{Addr: netip.MustParseAddrPort(p.dns)}
	for _, kind := range []struct {
		name, whole string
		launch      func(testing.TB, dnstest.Config) *dnstest.Server
	}{
		{"named", "got nonincremental response", dnstest.Named},
		{"nsd", `received update to serial .* of \d{5,} bytes`, dnstest.NSD},
		{"knotd", "AXFR, incoming, .* finished", dnstest.Knot},
	} {
		s := kind.launch(t, dnstest.Config{
			Addr: dnstest.FreePort(t), Debug: true,
			Zones: []dnstest.Zone{{Name: testZone, Primaries: []dnstest.Peer{primary}, Allow: []dnstest.Peer{primary}}},
		})
		replicas = append(replicas, &replica{s, kind.name, regexp.MustCompile(kind.whole)})
		peers = append(peers, map[string]any{"name": kind.name, "from": []string{"127.0.0.1"}, "notify": []string{s.Addr.String()}})
	}
	p.api(client, "PATCH", "/zones/"+testZone, map[string]any{"peers": peers}, http.StatusOK, nil)
	return replicas
}

// wantSame waits until all hold the zone that berth has, and returns it.
func wantSame(t *testing.T, p *process, replicas []*replica) (zone []string) {
	t.Helper()
	primary := netip.MustParseAddrPort(p.dns)
	dnstest.Eventually(t, "all replicas hold berth's zone", func() bool {
		serial := dnstest.Serial(primary, testZone)
		behind := func(r *replica) bool { return dnstest.Serial(r.Addr, testZone) != serial }
		if serial == 0 || slices.ContainsFunc(replicas, behind) {
			return false
		}
		zone = dnstest.Dump(t, primary, testZone, nil)
		differs := func(r *replica) bool { return !slices.Equal(dnstest.Dump(t, r.Addr, testZone, nil), zone) }
		return !slices.ContainsFunc(replicas, differs)
	})
	return zone
}

// TestReplicasFollowOverKills kills berth with SIGKILL, in the middle of changes and without any, and looks after each start whether
// nameservers that follow by what has changed hold the zone as a whole transfer gives it.
func TestReplicasFollowOverKills(t *testing.T) {
	skipShort(t)
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard")
	client := p.client(nil)
	for i := range 100 {
		p.api(client, "POST", "/sites", map[string]string{"name": fmt.Sprint("site", i)}, http.StatusCreated, nil)
	}
	replicas := startReplicas(t, p, client)
	wantSame(t, p, replicas)
	var zone []string
	for round := range 6 {
		quiet := round%2 == 0
		var before []int
		for _, r := range replicas {
			before = append(before, r.wholes())
		}
		if quiet {
			p.kill()
		} else {
			killAmidChanges(p)
		}
		p.start()
		p.awaitReady()
		wantSame(t, p, replicas)
		for i, r := range replicas {
			if n := r.wholes() - before[i]; quiet && n > 0 {
				t.Errorf("round %d: %s has transferred the whole zone %d times", round, r.name, n)
			}
		}
		client = p.client(nil)
		name := fmt.Sprint("after", round)
		p.api(client, "POST", "/sites", map[string]string{"name": name}, http.StatusCreated, nil)
		p.api(client, "POST", "/records", map[string]string{"name": name + "." + testZone, "type": "TXT", "data": name}, http.StatusCreated, nil)
		zone = wantSame(t, p, replicas)
	}
	wantValid(t, zone)
	for _, r := range replicas {
		t.Logf("%s has transferred the whole zone %d times", r.name, r.wholes())
	}
}

// killAmidChanges kills berth while sites come and go.
func killAmidChanges(p *process) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		client := p.client(nil)
		defer client.CloseIdleConnections()
		for err := error(nil); err == nil; {
			name := fmt.Sprint("flicker", rand.IntN(10))
			if _, _, err = p.call(client, "POST", "/sites", map[string]string{"name": name}); err == nil && rand.IntN(2) == 0 {
				_, _, err = p.call(client, "DELETE", "/sites/"+name, nil)
			}
		}
	}()
	<-time.After(time.Duration(rand.IntN(1500)) * time.Millisecond)
	p.kill()
	<-done
}

// wantValid has the validators of ldns and BIND check a zone.
func wantValid(t *testing.T, zone []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "zone")
	if err := os.WriteFile(path, []byte(strings.Join(zone, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"ldns-verify-zone", "-V", "2", path}, {"dnssec-verify", "-o", testZone, path}} {
		if out, err := exec.Command(dnstest.Need(t, command[0]), command[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command[0], err, out[:min(len(out), 2000)])
		}
	}
}
