package sites_test

import (
	"slices"
	"testing"
	"time"

	"berth/sites"
)

// TestTheAuditLogIsPruned has a berth that keeps nothing, not even of this moment, start on the log of another.
func TestTheAuditLogIsPruned(t *testing.T) {
	b := boot(t)
	b.create("hello")
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	b.await("hello")
	b.create("gone")
	if err := b.DeleteSite(t.Context(), b.ann, "gone"); err != nil {
		t.Fatal(err)
	}
	b.stop()

	b = bootWith(t, b.dir, b.runtime, zone, func(c *sites.Config) { c.KeepEvents = -time.Hour })
	eventually(t, "what is old has gone", func() bool {
		events, err := b.Events(t.Context(), b.root, sites.EventFilter{})
		if err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(events, func(e sites.Event) bool { return e.Action == "release.upload" || e.Subject == "gone" })
	})
	events, err := b.SiteEvents(t.Context(), b.ann, "hello", 10)
	if err != nil || len(events) != 1 || events[0].Action != "site.create" {
		t.Errorf("of the site is left %+v, %v", events, err)
	}
}

// TestAClockThatLeapsDoesNotEmptyTheAuditLog starts a berth two years later, and lets it run for long.
func TestAClockThatLeapsDoesNotEmptyTheAuditLog(t *testing.T) {
	timeline(t, nil, func(t *testing.T, b *berth) {
		b.create("hello")
		if _, err := b.StopSite(t.Context(), b.ann, "hello"); err != nil {
			t.Fatal(err)
		}
		b.stop()
		time.Sleep(730 * day)
		b = bootWith(t, b.dir, b.runtime, zone, func(c *sites.Config) { c.Heal = 10_000 * day })
		defer b.stop()
		pass(0)
		kept := func() bool { return slices.Contains(b.actions("hello"), "site.stop") }
		if !kept() {
			t.Error("the log has lost what may be of yesterday")
		}
		pass(410 * day)
		if kept() {
			t.Error("the log is not pruned any more")
		}
	})
}
