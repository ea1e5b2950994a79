package sites_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"berth/sites"
)

func TestCreateIsPublishedWhenItReturns(t *testing.T) {
	b := boot(t)
	st := b.create("Hello")
	if st.Name != "hello" || st.State != sites.StateEmpty || len(st.Hosts) != 1 || st.Hosts[0].Name != "hello."+zone {
		t.Errorf("status = %+v", st)
	}
	if p, ok := b.edge.at("hello." + zone); !ok || p.State != sites.StateEmpty || p.Root != "" {
		t.Errorf("published %+v, %v", p, ok)
	}
}

func TestCreateRefusals(t *testing.T) {
	b := boot(t)
	b.create("hello")
	for _, tc := range []struct {
		actor sites.Actor
		name  string
		want  error
	}{
		{b.bob, "hello", sites.ErrTaken},
		{b.bob, "HELLO", sites.ErrTaken},
		{b.bob, "control", sites.ErrReserved},
		{b.bob, "a_b", sites.ErrInvalid},
	} {
		_, err := b.CreateSite(t.Context(), tc.actor, sites.NewSite{Name: tc.name})
		var refusal *sites.Refusal
		if !errors.Is(err, tc.want) || !errors.As(err, &refusal) || refusal.Field != "name" {
			t.Errorf("%s: %v, want %v at field name", tc.name, err, tc.want)
		}
	}
	b.create("second")
	if _, err := b.CreateSite(t.Context(), b.ann, sites.NewSite{Name: "third"}); !errors.Is(err, sites.ErrQuota) {
		t.Errorf("third site over a quota of two: %v", err)
	}
}

func TestStopStartRestart(t *testing.T) {
	b := boot(t)
	b.create("hello")
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	first, _ := b.edge.at("hello." + zone)

	if _, err := b.RestartSite(t.Context(), b.ann, "hello"); err != nil {
		t.Fatal(err)
	}
	b.await("hello")
	second, _ := b.edge.at("hello." + zone)
	if slices.Equal(second.Instances, first.Instances) || len(second.Instances) == 0 {
		t.Errorf("restart kept %v", first.Instances)
	}
	if _, err := b.StopSite(t.Context(), b.ann, "hello"); err != nil {
		t.Fatal(err)
	}
	if p, _ := b.edge.at("hello." + zone); p.State != sites.StateStopped || len(p.Instances) != 0 {
		t.Errorf("stopped is published as %+v", p)
	}
	eventually(t, "no instance runs", func() bool { return b.runtime.count() == 0 })
	if _, err := b.RestartSite(t.Context(), b.ann, "hello"); !errors.Is(err, sites.ErrConflict) {
		t.Errorf("restart of a stopped site: %v", err)
	}
	if _, err := b.StartSite(t.Context(), b.ann, "hello"); err != nil {
		t.Fatal(err)
	}
	if st := b.await("hello"); st.State != sites.StateRunning || b.runtime.count() != 1 {
		t.Errorf("after start: %s, %d instances", st.State, b.runtime.count())
	}
}

func TestDeleteTakesEverything(t *testing.T) {
	b := boot(t)
	b.create("hello")
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	p, _ := b.edge.at("hello." + zone)
	if err := b.DeleteSite(t.Context(), b.ann, "hello"); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.edge.at("hello." + zone); ok {
		t.Error("still routed")
	}
	if _, err := b.Site(t.Context(), b.ann, "hello"); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("still there: %v", err)
	}
	eventually(t, "instance and files are gone", func() bool {
		_, err := os.Stat(filepath.Dir(p.Root))
		return b.runtime.count() == 0 && os.IsNotExist(err)
	})
	if st := b.create("hello"); st.ID == p.ID || st.Active != 0 {
		t.Errorf("a new site under the old name shares with it: %+v", st)
	}
}

func TestDeleteDuringAStartLeavesNothing(t *testing.T) {
	b := boot(t)
	b.create("hello")
	hold := make(chan struct{})
	b.runtime.set(func() { b.runtime.hold = hold })
	if _, err := b.Upload(t.Context(), b.ann, "hello", strings.NewReader("one")); err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteSite(t.Context(), b.ann, "hello"); err != nil {
		t.Fatal(err)
	}
	close(hold)
	eventually(t, "nothing of the site is left", func() bool {
		dirs, err := os.ReadDir(filepath.Join(b.dir, "releases"))
		return err == nil && len(dirs) == 0 && b.runtime.count() == 0
	})
}

func TestOthersSitesAreLikeNone(t *testing.T) {
	b := boot(t)
	b.create("hello")
	_, other := b.Site(t.Context(), b.bob, "hello")
	_, none := b.Site(t.Context(), b.bob, "nothing")
	if !errors.Is(other, sites.ErrNotFound) || other.Error() != none.Error() {
		t.Errorf("another's: %v, none: %v", other, none)
	}
	if err := b.DeleteSite(t.Context(), b.bob, "hello"); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("delete another's: %v", err)
	}
	if _, err := b.Sites(t.Context(), b.bob, 0); !errors.Is(err, sites.ErrForbidden) {
		t.Errorf("owner lists everybody's: %v", err)
	}
	if _, err := b.Site(t.Context(), b.root, "hello"); err != nil {
		t.Errorf("admin: %v", err)
	}
}

func TestANewOwnerOfANameSeesNothingOfTheFormerOne(t *testing.T) {
	b := boot(t)
	b.create("hello")
	if err := b.DeleteSite(t.Context(), b.ann, "HELLO"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.CreateSite(t.Context(), b.bob, sites.NewSite{Name: "hello"}); err != nil {
		t.Fatal(err)
	}
	events, err := b.Events(t.Context(), b.bob, sites.EventFilter{Subject: "hello"})
	if err != nil || len(events) != 1 || events[0].Actor != "bob" {
		t.Errorf("bob sees %+v, %v", events, err)
	}
	if all, err := b.Events(t.Context(), b.root, sites.EventFilter{Subject: "hello"}); err != nil || len(all) != 3 {
		t.Errorf("an admin sees %+v, %v", all, err)
	}
}

func TestEveryChangeHasAnEventAndRevisionsNeverGoBack(t *testing.T) {
	b := boot(t)
	b.create("hello")
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	limits := sites.Limits{MemoryMB: 128, CPUs: 1, Pids: 32}
	bob := "bob"
	if _, err := b.UpdateSite(t.Context(), b.root, "hello", sites.SiteUpdate{Limits: to(limits), Owner: &bob}); err != nil {
		t.Fatal(err)
	}
	if st, err := b.Await(t.Context(), b.bob, "hello"); err != nil || len(st.Serving) != 1 || st.Serving[0].Limits != limits || st.OwnerName != "bob" {
		t.Errorf("after update: %+v, %v", st, err)
	}
	if p, ok := b.edge.at("hello." + zone); !ok || p.Owner != b.bob.ID {
		t.Errorf("the servers are told that it is of account %d", p.Owner)
	}
	if err := b.DeleteSite(t.Context(), b.root, "hello"); err != nil {
		t.Fatal(err)
	}
	events, err := b.Events(t.Context(), b.root, sites.EventFilter{Subject: "hello"})
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for i := range events {
		actions = append(actions, events[len(events)-1-i].Action)
	}
	want := "site.create release.upload release.live site.update site.delete"
	if got := strings.Join(actions, " "); got != want {
		t.Errorf("events: %s, want: %s", got, want)
	}
	b.edge.mu.Lock()
	defer b.edge.mu.Unlock()
	if len(b.edge.wrong) > 0 {
		t.Error(b.edge.wrong)
	}
}

func TestWatchersSeeChanges(t *testing.T) {
	b := boot(t)
	w := b.Watch()
	defer w.Close()
	b.create("one")
	b.create("two")
	seen := map[string]bool{}
	for len(seen) < 2 {
		names, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			seen[n] = true
		}
	}
	b.HostChanged("one." + zone)
	if names, err := w.Next(t.Context()); err != nil || len(names) != 1 || names[0] != "one" {
		t.Errorf("Next = %v, %v", names, err)
	}
}
