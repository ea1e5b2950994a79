package dnsserver

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/dnsserver/dnstest"
	"berth/sites"
)

// dnsviz follows zones down from their parent, at rest and while their keys are replaced, to what exists and what does not, and
// finds neither an error nor a warning.
func TestDNSVizFindsNoFault(t *testing.T) {
	dnstest.Need(t, "dnsviz")
	w := newVizWorld(t)
	want := map[string]verdict{
		"example.test": {"NOERROR", "SECURE"}, "plain.test": {"NOERROR", "INSECURE"},
		"zsk-comes.test": {"NOERROR", "SECURE"}, "zsk-goes.test": {"NOERROR", "SECURE"},
		"ksk-comes.test": {"NOERROR", "SECURE"}, "ksk-goes.test": {"NOERROR", "SECURE"},
		"hello.example.test":        {"NOERROR", ""},
		"big.example.test":          {"NOERROR", ""},
		"alias.example.test":        {"NOERROR", ""},
		"nowhere.example.test":      {"NOERROR", ""},
		"x.y.wild.example.test":     {"NOERROR", ""},
		"wild.example.test":         {"NOERROR", ""}, // an empty name between others
		"no.such.example.test":      {"NXDOMAIN", ""},
		"missing.zsk-goes.test":     {"NXDOMAIN", ""},
		"missing.plain.test":        {"NXDOMAIN", ""},
		"signed.child.example.test": {"NOERROR", "SECURE"},
		"plain.child.example.test":  {"NOERROR", "INSECURE"},
	}
	var faults []string
	for range 3 { // on a machine that is too busy, dnsviz takes packets for lost, and says so
		var got map[string]verdict
		if got, faults = w.look(t, slices.Sorted(maps.Keys(want))...); len(faults) > 0 {
			continue
		}
		for name, v := range want {
			if got[name] != v {
				t.Errorf("%s is %v, want %v", name, got[name], v)
			}
		}
		return
	}
	t.Error(strings.Join(faults, "\n"))
}

// What dnsviz finds is heard: a parent with another key's DS record, and one with a digest that is no longer good enough.
func TestDNSVizFindsFaults(t *testing.T) {
	dnstest.Need(t, "dnsviz")
	w := newVizWorld(t)
	w.upper.Apply(sites.Change{Revision: 9, RRSets: []sites.RRSet{
		dsSet("example.test", w.lower.ZoneStatus("zsk-comes.test").DS),
		dsSet("ksk-goes.test", []sites.DS{{KeyTag: 1, Algorithm: 13, DigestType: 1, Digest: strings.Repeat("AB", 20)}, w.lower.ZoneStatus("ksk-goes.test").DS[0]}),
	}})
	got, faults := w.look(t, "example.test", "ksk-goes.test")
	if v := got["example.test"]; v.delegation != "BOGUS" {
		t.Errorf("example.test is %v", v)
	}
	for _, kind := range []string{"example.test errors", "ksk-goes.test warnings"} {
		if !slices.ContainsFunc(faults, func(fault string) bool { return strings.HasPrefix(fault, kind) }) {
			t.Errorf("no %s in\n%s", kind, strings.Join(faults, "\n"))
		}
	}
}

// vizWorld is the zone test on one server, and on another the zones below it, in different states. What the latter delegate on is
// on the first one again.
type vizWorld struct {
	upper, lower *Server
	at           map[*Server]string // where each answers, as dnsviz is told
}

func newVizWorld(t *testing.T) *vizWorld {
	t.Helper()
	w := &vizWorld{at: make(map[*Server]string)}
	w.upper, w.lower = w.start(t, "test"), w.start(t, "example.test")
	ch := full(7)
	ch.Zones = []sites.PublishedZone{
		keyed(1, sites.ZoneMain, "test", atRest(t)...),
		keyed(2, sites.ZonePrimary, "signed.child.example.test", atRest(t)...),
		keyed(3, sites.ZonePrimary, "plain.child.example.test"),
	}
	w.upper.Apply(ch)
	ch = full(7, "hello")
	ch.Zones = []sites.PublishedZone{keyed(1, sites.ZoneMain, "example.test", atRest(t)...), keyed(2, sites.ZonePrimary, "plain.test")}
	for name, keys := range keyStates(t) {
		ch.Zones = append(ch.Zones, keyed(3, sites.ZonePrimary, name, keys...))
	}
	var bulk []string
	for i := range 12 {
		bulk = append(bulk, fmt.Sprintf("%0200d", i))
	}
	ch.RRSets = []sites.RRSet{
		recordSet("big.example.test 300 TXT " + strings.Join(bulk, "|")),
		recordSet("alias.example.test 300 CNAME x.wild.example.test."),
		recordSet("nowhere.example.test 300 CNAME missing.example.test."),
		recordSet("*.wild.example.test 300 A 192.0.2.1"),
		recordSet("signed.child.example.test 300 NS ns1.test."),
		recordSet("plain.child.example.test 300 NS ns1.test."),
		dsSet("signed.child.example.test", w.upper.ZoneStatus("signed.child.example.test").DS),
	}
	w.lower.Apply(ch)
	w.upper.Apply(sites.Change{Revision: 8, RRSets: w.delegations()})
	return w
}

// start serves a main zone on the loopback addresses.
func (w *vizWorld) start(t *testing.T, zone string) *Server {
	t.Helper()
	cfg := Config{Zone: zone, IPv4: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}
	udp, tcp := samePort(t)
	if probe, err := net.Listen("tcp", "[::1]:0"); err == nil {
		_ = probe.Close()
		cfg.IPv6 = []netip.Addr{netip.IPv6Loopback()}
		udp6, tcp6 := samePortOf(t, "::1")
		udp, tcp = append(udp, udp6...), append(tcp, tcp6...)
	}
	s := newServer(t, cfg)
	serveOn(t, s, udp, tcp)
	var at []string
	for _, listener := range tcp {
		at = append(at, fmt.Sprintf("ns1.%s=%s", zone, listener.Addr()))
	}
	w.at[s] = strings.Join(at, ",")
	return s
}

// delegations are what the zone test says of the zones below it.
func (w *vizWorld) delegations() (sets []sites.RRSet) {
	sets = append(sets, sites.RRSet{Name: "ns1.example.test", Type: "A", TTL: 300, Data: []string{"127.0.0.1"}})
	if len(w.lower.cfg.IPv6) > 0 {
		sets = append(sets, sites.RRSet{Name: "ns1.example.test", Type: "AAAA", TTL: 300, Data: []string{"::1"}})
	}
	for h := range w.lower.zones.Load().all() {
		sets = append(sets, recordSet(h.published.Name+" 300 NS ns1.example.test."))
		if ds := w.lower.ZoneStatus(h.published.Name).DS; len(ds) > 0 {
			sets = append(sets, dsSet(h.published.Name, ds))
		}
	}
	return sets
}

func dsSet(name string, ds []sites.DS) sites.RRSet {
	set := sites.RRSet{Name: name, Type: "DS", TTL: 300}
	for _, d := range ds {
		set.Data = append(set.Data, fmt.Sprintf("%d %d %d %s", d.KeyTag, d.Algorithm, d.DigestType, d.Digest))
	}
	return set
}

// keyed is a zone with keys, unsigned without.
func keyed(id sites.ZoneID, kind sites.ZoneKind, name string, keys ...sites.ZoneKey) sites.PublishedZone {
	return sites.PublishedZone{Zone: sites.Zone{ID: id, Name: name, Kind: kind, Signed: len(keys) > 0}, Keys: keys}
}

func atRest(t *testing.T) []sites.ZoneKey {
	from := time.Now().Add(-100 * 24 * time.Hour)
	return []sites.ZoneKey{newKey(t, 1, sites.KeySigning, from), newKey(t, 2, sites.ZoneSigning, from)}
}

// keyStates are zones in whose keys a rollover is under way.
func keyStates(t *testing.T) map[string][]sites.ZoneKey {
	now, rest := time.Now(), atRest(t)
	ksk, zsk := rest[0], rest[1]
	next := newKey(t, 3, sites.ZoneSigning, now.Add(-time.Hour))
	ahead, stays, goes := next, zsk, zsk
	ahead.ActiveAt = now.Add(time.Hour)
	stays.RetiredAt, stays.RemovedAt = ahead.ActiveAt, now.Add(24*time.Hour)
	goes.RetiredAt, goes.RemovedAt = next.ActiveAt, now.Add(24*time.Hour)
	return map[string][]sites.ZoneKey{
		"zsk-comes.test": {ksk, stays, ahead},
		"zsk-goes.test":  {ksk, goes, next},
		"ksk-comes.test": {ksk, newKey(t, 3, sites.KeySigning, now.Add(-time.Hour)), zsk}, // the parent is not to know it as yet
		"ksk-goes.test":  {ksk, newKey(t, 3, sites.KeySigning, now.Add(-48*time.Hour)), zsk},
	}
}

// verdict is what dnsviz says of a name: whether it exists, and if it is a zone how its parent vouches for it.
type verdict struct{ status, delegation string }

// look has dnsviz examine names. It returns its verdicts, and what it finds wrong, each with the name and kind before it.
func (w *vizWorld) look(t *testing.T, names ...string) (map[string]verdict, []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "answers")
	args := []string{"probe", "-A", "-E", "-o", file, "-x", "test+:" + w.at[w.upper]}
	for _, s := range []*Server{w.upper, w.lower} {
		for h := range s.zones.Load().all() {
			if name := h.published.Name; name != "test" {
				args = append(args, "-x", name+":"+w.at[s])
			}
		}
	}
	dnsviz(t, append(args, names...)...)
	var analysis map[string]any
	if err := json.Unmarshal(dnsviz(t, "grok", "-P", "-r", file, "-l", "info"), &analysis); err != nil {
		t.Fatal(err)
	}
	verdicts := make(map[string]verdict)
	var faults []string
	for fqdn, found := range analysis {
		name := strings.TrimSuffix(fqdn, ".")
		var v verdict
		if of, ok := found.(map[string]any); ok {
			v.status, _ = of["status"].(string)
			delegation, _ := of["delegation"].(map[string]any)
			v.delegation, _ = delegation["status"].(string)
		}
		verdicts[name] = v
		faults = append(faults, complaints(name, found)...)
	}
	slices.Sort(faults)
	return verdicts, faults
}

// complaints are the errors and warnings in a part of dnsviz's analysis.
func complaints(name string, part any) (found []string) {
	switch part := part.(type) {
	case []any:
		for _, p := range part {
			found = append(found, complaints(name, p)...)
		}
	case map[string]any:
		for key, p := range part {
			list, ok := p.([]any)
			if !ok || key != "errors" && key != "warnings" {
				found = append(found, complaints(name, p)...)
				continue
			}
			for _, fault := range list {
				found = append(found, fmt.Sprintf("%s %s: %v", name, key, fault))
			}
		}
	}
	return found
}

func dnsviz(t *testing.T, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var log strings.Builder
	cmd := exec.CommandContext(ctx, dnstest.Need(t, "dnsviz"), args...)
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("dnsviz %s: %v\n%s", args[0], err, log.String())
	}
	return out
}
