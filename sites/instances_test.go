package sites_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/sites"
)

// scale sets a site's number of instances and waits until nothing is under way.
func (b *berth) scale(name string, instances int) sites.SiteStatus {
	b.t.Helper()
	if _, err := b.UpdateSite(b.t.Context(), b.ann, name, sites.SiteUpdate{Instances: &instances}); err != nil {
		b.t.Fatal(err)
	}
	return b.await(name)
}

// scaled boots with a site of so many instances, all of which serve.
func scaled(t *testing.T, instances int) *berth {
	t.Helper()
	b := boot(t)
	b.create("hello")
	b.scale("hello", instances)
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	if got := b.addresses("hello"); len(got) != instances || b.runtime.count() != instances {
		t.Fatalf("%v are published and %d run, want %d", got, b.runtime.count(), instances)
	}
	return b
}

func (b *berth) addresses(name string) []netip.AddrPort {
	p, _ := b.edge.at(name + "." + zone)
	return p.Instances
}

// changesOf are the published states of a site from the n-th change on, in the order in which they were applied.
func (b *berth) changesOf(name string, n int) (all []sites.Published) {
	b.edge.mu.Lock()
	defer b.edge.mu.Unlock()
	for _, ch := range b.edge.changes[n:] {
		for _, p := range ch.Sites {
			if p.Name == name {
				all = append(all, p)
			}
		}
	}
	return all
}

func (b *berth) countChanges() int {
	b.edge.mu.Lock()
	defer b.edge.mu.Unlock()
	return len(b.edge.changes)
}

func holdsAll(all, some []netip.AddrPort) bool {
	return !slices.ContainsFunc(some, func(a netip.AddrPort) bool { return !slices.Contains(all, a) })
}

func TestMoreAndFewerInstances(t *testing.T) {
	b := scaled(t, 1)
	first := b.addresses("hello")
	if st := b.scale("hello", 3); len(st.Serving) != 3 || st.Instances != 3 {
		t.Fatalf("after scaling up: %+v", st)
	}
	three := b.addresses("hello")
	if len(three) != 3 || !holdsAll(three, first) {
		t.Errorf("%v serve, and the first was %v: it must not be touched", three, first)
	}
	b.scale("hello", 2)
	if two := b.addresses("hello"); len(two) != 2 || !holdsAll(three, two) || !holdsAll(two, first) || b.runtime.count() != 2 {
		t.Errorf("%v serve of %v, and %d run", two, three, b.runtime.count())
	}
}

func TestEachInstanceIsPublishedWhenItAnswers(t *testing.T) {
	b := boot(t)
	b.create("hello")
	b.scale("hello", 4)
	since := b.countChanges()
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	most := 0
	for _, p := range b.changesOf("hello", since) {
		if len(p.Instances) < most {
			t.Errorf("%d instances are published after %d", len(p.Instances), most)
		}
		most = max(most, len(p.Instances))
	}
	if most != 4 {
		t.Errorf("at most %d are published", most)
	}
}

func TestASwapKeepsHalfAndMixesNoReleases(t *testing.T) {
	b := scaled(t, 4)
	old := b.addresses("hello")
	since := b.countChanges()
	most := 0
	b.runtime.set(func() {
		b.runtime.onStart = func() { most = max(most, len(b.runtime.running)) }
	})
	if _, err := b.upload("hello", "two"); err != nil {
		t.Fatal(err)
	}
	for _, p := range b.changesOf("hello", since) {
		for _, addr := range p.Instances {
			if slices.Contains(old, addr) != (p.Release == 1) {
				t.Errorf("release %d is served from %v; the old one's were %v", p.Release, p.Instances, old)
			}
		}
		if len(p.Instances) < 2 {
			t.Errorf("release %d is served by %d of 4 instances", p.Release, len(p.Instances))
		}
	}
	if got := b.addresses("hello"); len(got) != 4 || b.runtime.count() != 4 {
		t.Errorf("%v serve and %d run", got, b.runtime.count())
	}
	if b.runtime.set(func() {}); most > 6 {
		t.Errorf("%d instances ran at a time: half as many again as the site has would do", most)
	}
}

func TestAReleaseThatStartsHereAndThereServes(t *testing.T) {
	b := scaled(t, 4)
	b.runtime.set(func() { b.runtime.refuseAfter(1, sites.Refuse(sites.ErrConflict, "No room.")) })
	if r, err := b.upload("hello", "two"); err != nil || r.State != sites.ReleaseReady {
		t.Fatalf("%+v, %v", r, err)
	}
	if st := b.await("hello"); st.Active != 2 || st.State != sites.StateRunning || st.Reason != "No room." || len(st.Serving) != 1 {
		t.Errorf("with room for one: %+v", st)
	}
	b.runtime.set(func() { b.runtime.refuse = nil })
	b.conclude("hello")
	if st := b.await("hello"); len(st.Serving) != 4 || st.Reason != "" {
		t.Errorf("with room for all: %d serve, reason %q", len(st.Serving), st.Reason)
	}
}

// conclude has a site that waits for its next attempt try at once.
func (b *berth) conclude(name string) {
	b.t.Helper()
	if _, err := b.StartSite(b.t.Context(), b.ann, name); err != nil {
		b.t.Fatal(err)
	}
}

func TestACrashedInstanceComesBackAlone(t *testing.T) {
	b := scaled(t, 3)
	before := b.addresses("hello")
	b.runtime.set(func() {
		delete(b.runtime.running, b.runtime.at(before[1]).ID)
	})
	eventually(t, "three serve again", func() bool {
		after := b.addresses("hello")
		return len(after) == 3 && !slices.Contains(after, before[1])
	})
	if after := b.addresses("hello"); !holdsAll(after, []netip.AddrPort{before[0], before[2]}) {
		t.Errorf("before %v, after %v: those that ran were touched", before, after)
	}
}

func TestARestartReplacesOneByOne(t *testing.T) {
	for name, act := range map[string]func(b *berth) error{
		"restart": func(b *berth) error {
			_, err := b.RestartSite(b.t.Context(), b.ann, "hello")
			return err
		},
		"limits": func(b *berth) error {
			_, err := b.UpdateSite(b.t.Context(), b.root, "hello", sites.SiteUpdate{Limits: to(sites.Limits{MemoryMB: 99, CPUs: 1, Pids: 99})})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := scaled(t, 3)
			before, since := b.addresses("hello"), b.countChanges()
			if err := act(b); err != nil {
				t.Fatal(err)
			}
			b.await("hello")
			for _, p := range b.changesOf("hello", since) {
				if len(p.Instances) != 3 {
					t.Errorf("%d of 3 are published", len(p.Instances))
				}
			}
			after := b.addresses("hello")
			if slices.ContainsFunc(after, func(a netip.AddrPort) bool { return slices.Contains(before, a) }) || b.runtime.count() != 3 {
				t.Errorf("before %v, after %v, and %d run", before, after, b.runtime.count())
			}
		})
	}
}

func TestStopAndStartOfSeveral(t *testing.T) {
	b := scaled(t, 3)
	if _, err := b.StopSite(t.Context(), b.ann, "hello"); err != nil {
		t.Fatal(err)
	}
	if st := b.await("hello"); len(st.Serving) != 0 || b.runtime.count() != 0 || len(b.addresses("hello")) != 0 {
		t.Errorf("stopped: %+v, %d run", st, b.runtime.count())
	}
	b.conclude("hello")
	if st := b.await("hello"); len(st.Serving) != 3 || b.runtime.count() != 3 {
		t.Errorf("started: %+v, %d run", st, b.runtime.count())
	}
}

func TestBootAdoptsSeveralAndStopsTheRest(t *testing.T) {
	dir, runtime := t.TempDir(), newStage()
	b := bootIn(t, dir, runtime, zone)
	b.create("hello")
	b.scale("hello", 3)
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	before := b.addresses("hello")
	b.stop()
	runtime.set(func() {
		old := runtime.at(before[0])
		delete(runtime.running, old.ID)
		old.ID, old.Stale = "stale", true // it is now of a former berth, and there is a fourth
		runtime.running["stale"] = old
		runtime.running["more"] = sites.Instance{
			ID: "more", Site: 1, Release: 1, Addr: netip.MustParseAddrPort("10.1.9.9:8080"), Limits: old.Limits,
		}
	})
	b = bootIn(t, dir, runtime, zone)
	want := []netip.AddrPort{before[1], before[2], netip.MustParseAddrPort("10.1.9.9:8080")}
	if after := b.addresses("hello"); len(after) != 3 || !holdsAll(after, want) {
		t.Errorf("adopted %v, want %v", after, want)
	}
	eventually(t, "the one too many is stopped", func() bool { return runtime.count() == 3 })
	if after := b.addresses("hello"); !holdsAll(after, want) {
		t.Errorf("%v serve then, want %v", after, want)
	}
}

func TestHowManyInstancesMayBeHad(t *testing.T) {
	b := bootWith(t, t.TempDir(), newStage(), zone, func(c *sites.Config) { c.MostInstances = 3 })
	b.create("hello")
	for _, tc := range []struct {
		actor     sites.Actor
		instances int
		want      error
		says      string
	}{
		{b.ann, 3, nil, ""},
		{b.ann, 4, sites.ErrQuota, "up to 3 instances"},
		{b.ann, 0, sites.ErrInvalid, "between 1 and 8"},
		{b.root, 9, sites.ErrInvalid, "between 1 and 8"},
		{b.bob, 2, sites.ErrNotFound, "no site"},
		{b.root, 8, nil, ""},
		{b.ann, 8, nil, ""}, // as it is
		{b.ann, 7, nil, ""},
		{b.ann, 8, sites.ErrQuota, "up to 3"},
	} {
		_, err := b.UpdateSite(t.Context(), tc.actor, "hello", sites.SiteUpdate{Instances: &tc.instances})
		if !errors.Is(err, tc.want) || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s, %d: %v, want %v that says %q", tc.actor.Name, tc.instances, err, tc.want, tc.says)
		}
	}
	events, err := b.Events(t.Context(), b.ann, sites.EventFilter{Subject: "hello", Limit: 1})
	if err != nil || len(events) != 1 || events[0].Action != "site.update" || events[0].Detail != "7 instances" {
		t.Errorf("events: %+v, %v", events, err)
	}
}

func TestHealthPaths(t *testing.T) {
	b := boot(t)
	b.create("hello")
	for path, ok := range map[string]bool{
		"": true, "/": true, "/healthz?deep=1": true, "/a%20b": true, "healthz": false, "//else.example/": false, "/a b": false,
		"/x\r\nHost: y": false, "/#top": false, "/" + strings.Repeat("x", 200): false,
	} {
		_, err := b.UpdateSite(t.Context(), b.ann, "hello", sites.SiteUpdate{HealthPath: &path})
		if (err == nil) != ok || err != nil && !errors.Is(err, sites.ErrInvalid) {
			t.Errorf("%q: %v", path, err)
		}
		if p, _ := b.edge.at("hello." + zone); ok && p.HealthPath != path {
			t.Errorf("%q is published as %q", path, p.HealthPath)
		}
	}
}

func TestOneInstanceIsEnoughInThisProcess(t *testing.T) {
	b := bootWith(t, t.TempDir(), newStage(), zone, func(c *sites.Config) { c.InProcess = true })
	b.create("hello")
	b.scale("hello", 3)
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	if st := b.await("hello"); b.runtime.count() != 1 || st.Instances != 3 {
		t.Errorf("%d run of %d", b.runtime.count(), st.Instances)
	}
}

func TestLogsOfSeveralTellThemApart(t *testing.T) {
	b := scaled(t, 3)
	var text strings.Builder
	if err := b.Logs(t.Context(), b.ann, "hello", sites.LogQuery{}, &text); err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for i, instance := range b.await("hello").Serving {
		fmt.Fprintf(&want, "%d | log of %s\n", i+1, instance.ID)
	}
	if text.String() != want.String() {
		t.Errorf("got %q, want %q", text.String(), want.String())
	}
}

// Scaling to and fro while releases come and instances die must end with what was asked for last.
func TestScalingInAStorm(t *testing.T) {
	b := scaled(t, 2)
	for round := range 12 {
		n := []int{4, 1, 3}[round%3]
		if _, err := b.UpdateSite(t.Context(), b.ann, "hello", sites.SiteUpdate{Instances: &n}); err != nil {
			t.Fatal(err)
		}
		switch round % 4 {
		case 1:
			if _, err := b.Upload(t.Context(), b.ann, "hello", strings.NewReader(fmt.Sprint("v", round))); err != nil {
				t.Fatal(err)
			}
		case 2:
			b.runtime.set(func() {
				for id := range b.runtime.running {
					delete(b.runtime.running, id)
					break
				}
			})
		case 3:
			if _, err := b.RestartSite(t.Context(), b.ann, "hello"); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "three serve and no other runs", func() bool {
		st := b.await("hello")
		if len(st.Serving) != 3 || b.runtime.count() != 3 || len(b.addresses("hello")) != 3 {
			return false
		}
		return !slices.ContainsFunc(st.Serving, func(i sites.Instance) bool { return i.Release != st.Active })
	})
}

// A WebSocket that never ends holds up the stop of its instance until the deadline, and no other instance.
func TestRequestsThatDoNotEndAreCutOffAtTheDeadline(t *testing.T) {
	b := bootWith(t, t.TempDir(), newStage(), zone, func(c *sites.Config) { c.DrainTimeout = 50 * time.Millisecond })
	b.create("hello")
	b.scale("hello", 3)
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	before := b.addresses("hello")
	b.edge.mu.Lock()
	b.edge.endless = true
	b.edge.mu.Unlock()
	b.scale("hello", 2)
	if after := b.addresses("hello"); b.runtime.count() != 2 || !holdsAll(before, after) {
		t.Errorf("after scaling down %d run, %v of %v serve", b.runtime.count(), after, before)
	}
	if _, err := b.upload("hello", "two"); err != nil {
		t.Fatal(err)
	}
	if after := b.addresses("hello"); b.runtime.count() != 2 || len(after) != 2 || holdsAll(before, after) {
		t.Errorf("after a swap %d run, %v serve; before it were %v", b.runtime.count(), after, before)
	}
}
