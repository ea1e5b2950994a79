package sites_test

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"berth/sites"
	"berth/sites/sqlite"
)

func TestRecordsMoveToAnotherZoneWithTheirSites(t *testing.T) {
	dir, runtime := t.TempDir(), newStage()
	b := bootIn(t, dir, runtime, zone)
	b.create("hello")
	b.mustEnter(b.ann, "a.hello.@ 60 MX 10 mail.@")
	b.mustEnter(b.root, "@ 60 TXT apex")
	b.addZone(custom)
	b.mustEnter(b.root, custom+" 60 TXT stays")
	key := b.keys(sites.KeySigning)[0]
	b.stop()

	b = bootIn(t, dir, runtime, "other.example")
	for key, want := range map[string]string{
		"a.hello.other.example MX": "60 10 mail." + zone + ".",
		"other.example TXT":        `60 "apex"`,
		custom + " TXT":            `60 "stays"`,
	} {
		name, rrtype, _ := strings.Cut(key, " ")
		if got := b.edge.answer(name, rrtype); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if _, ok := b.edge.zone(zone); ok {
		t.Error("the old zone is still answered for")
	}
	if z, _ := b.edge.zone("other.example"); z.Kind != sites.ZoneMain || len(z.Keys) != 2 || z.Keys[0].ID != key.ID {
		t.Errorf("the new one: %+v", z)
	}
	events, err := b.Events(t.Context(), b.root, sites.EventFilter{Subject: "other.example"})
	if err != nil || len(events) != 2 || !strings.Contains(events[1].Detail, "was "+zone) || !strings.Contains(events[1].Detail, "2 DNS records") {
		t.Errorf("events: %+v, %v", events, err)
	}
	if found, err := b.Records(t.Context(), b.ann, sites.RecordFilter{}); err != nil || len(found) != 1 || found[0].Name != "a.hello.other.example" {
		t.Errorf("the owner sees %+v, %v", found, err)
	}
}

// TestRecordsMoveDownAndUp has a zone below, then above itself, where the same records stand at names one below the other.
func TestRecordsMoveDownAndUp(t *testing.T) {
	dir, runtime := t.TempDir(), newStage()
	b := bootIn(t, dir, runtime, zone)
	b.mustEnter(b.root, "@ 60 TXT same", "x.@ 60 TXT same", "x.x.@ 60 TXT same")
	for _, next := range []string{"x." + zone, zone} {
		b.stop()
		b = bootIn(t, dir, runtime, next)
		for _, name := range []string{next, "x." + next, "x.x." + next} {
			if got := b.edge.answer(name, "TXT"); got != `60 "same"` {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
}

func TestAMainZoneInAnotherHostedOneDoesNotBoot(t *testing.T) {
	dir := t.TempDir()
	b := bootIn(t, dir, newStage(), zone)
	b.addZone(custom)
	b.stop()
	log := slog.New(slog.DiscardHandler)
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "berth.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s, err := sites.New(sites.Config{Store: store, Runtime: newStage(), Drainer: newEdge(), Zone: "sites." + custom, DataDir: dir, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), custom) {
		t.Errorf("Run: %v", err)
	}
}

func TestRevisionsRiseOverARestart(t *testing.T) {
	dir, runtime := t.TempDir(), newStage()
	b := bootIn(t, dir, runtime, zone)
	var revised int64
	if err := b.Revise(t.Context(), func(revision int64) { revised = revision }); err != nil {
		t.Fatal(err)
	}
	last := b.edge.last
	b.stop()
	again := bootIn(t, dir, runtime, zone)
	first := again.edge.changes[0]
	if !first.Full || first.Revision <= revised || first.Revision <= last {
		t.Errorf("the first change has revision %d, after %d and %d", first.Revision, last, revised)
	}
}

// TestRevisionsAreTakenInTheOrderOfChanges has servers take revisions while people make changes.
func TestRevisionsAreTakenInTheOrderOfChanges(t *testing.T) {
	b := boot(t)
	var taken []int64 // what each change and revision had, in the order that they were applied in
	b.edge.mu.Lock()
	b.edge.onApply = func(ch sites.Change) { taken = append(taken, ch.Revision) }
	b.edge.mu.Unlock()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				if err := b.Revise(t.Context(), func(revision int64) { b.edge.Apply(sites.Change{Revision: revision}) }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 20 {
		b.mustEnter(b.root, "text.@ 60 TXT "+strings.Repeat("x", i+1))
	}
	wg.Wait()
	b.edge.mu.Lock()
	defer b.edge.mu.Unlock()
	if len(b.edge.wrong) > 0 {
		t.Error(b.edge.wrong)
	}
	seen := map[int64]bool{}
	for _, revision := range taken {
		seen[revision] = true
	}
	if len(seen) < 60 {
		t.Errorf("%d revisions for 60 changes", len(seen))
	}
}

// TestManyAtOnceKeepTheRules has admins enter what excludes each other.
func TestManyAtOnceKeepTheRules(t *testing.T) {
	b := boot(t)
	lines := []string{"x.@ 60 CNAME a.example.net", "x.@ 60 CNAME b.example.net", "x.@ 60 TXT hi", "x.@ 60 NS ns.example.net", "y.x.@ 60 TXT hi"}
	var wg sync.WaitGroup
	for _, line := range lines {
		wg.Go(func() { _, _ = b.enter(b.root, line) })
	}
	wg.Wait()
	types := map[string]int{}
	found, err := b.Records(t.Context(), b.root, sites.RecordFilter{Zone: zone})
	if err != nil {
		t.Fatal(err)
	}
	below := 0
	for _, r := range found {
		if r.Name == "x."+zone {
			types[r.Type]++
		} else {
			below++
		}
	}
	if len(types) != 1 || types["CNAME"] > 1 || types["NS"] > 0 && below > 0 {
		t.Errorf("entered together: %+v", found)
	}
}

func TestARecordThatIsNotWrittenIsNotPublished(t *testing.T) {
	b := boot(t)
	b.fault.fail.Store(true)
	_, entered := b.enter(b.root, "text.@ 60 TXT hi")
	_, added := b.AddZone(t.Context(), b.root, sites.NewZone{Name: custom, Kind: sites.ZonePrimary})
	b.fault.fail.Store(false)
	if entered == nil || added == nil {
		t.Fatalf("%v, %v", entered, added)
	}
	if _, ok := b.edge.zone(custom); ok || b.edge.answer("text."+zone, "TXT") != "" {
		t.Error("published")
	}
}

func TestRecordsThatAServersNameShadowsAreLogged(t *testing.T) {
	dir := t.TempDir()
	b := bootIn(t, dir, newStage(), zone)
	b.mustEnter(b.root, "ns9.@ 60 A 192.0.2.9", "ns9.@ 60 TXT hi", "sub.@ 60 NS ns.example.net")
	b.stop()
	var log bytes.Buffer
	b = bootWith(t, dir, newStage(), zone, func(cfg *sites.Config) {
		cfg.ReservedHosts = append(cfg.ReservedHosts, "ns9."+zone, "ns1.sub."+zone)
		cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	})
	b.stop()
	told := log.String()
	if !strings.Contains(told, "ns9."+zone+" 60 A 192.0.2.9") || strings.Contains(told, "TXT") || !strings.Contains(told, "name=ns1.sub."+zone+" delegated=sub."+zone) {
		t.Errorf("logged:\n%s", told)
	}
}
