package sqlite_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"berth/sites"
	"berth/sites/sqlite"
)

// note writes an event that changes nothing, or what change does.
func note(t *testing.T, s *sqlite.Store, action, subject string, change func(sites.Tx) error) {
	t.Helper()
	if change == nil {
		change = func(sites.Tx) error { return nil }
	}
	if _, err := s.Write(t.Context(), &sites.Event{Action: action, Subject: subject}, change); err != nil {
		t.Fatal(err)
	}
}

// actions lists the log, the oldest first.
func actions(t *testing.T, s *sqlite.Store) (all []string) {
	t.Helper()
	events, err := s.Events(t.Context(), sites.EventFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range slices.Backward(events) {
		all = append(all, e.Action+" "+e.Subject)
	}
	return all
}

// TestPruningLeavesTheBeginningOfEachSite has two sites of one name after each other, one that is gone, and an account of a
// site's name.
func TestPruningLeavesTheBeginningOfEachSite(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	owner, _ := fixture(t, s) // makes hello
	insert := func(name string) func(sites.Tx) error {
		return func(tx sites.Tx) error {
			_, err := tx.InsertSite(t.Context(), sites.Site{Name: name, Owner: owner, Template: sites.TemplateStatic, Desired: sites.DesiredRunning, Instances: 1})
			return err
		}
	}
	note(t, s, "site.create", "hello", nil) // of an earlier site
	note(t, s, "site.delete", "hello", nil)
	note(t, s, "account.create", "hello", nil)
	note(t, s, "site.create", "hello", nil)
	note(t, s, "site.stop", "hello", nil)
	note(t, s, "site.create", "gone", nil)
	note(t, s, "site.create", "shop", insert("shop"))
	note(t, s, "release.upload", "shop", nil)
	revision, err := s.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := actions(t, s)

	if last, err := s.PruneEvents(t.Context(), time.Now().Add(-time.Hour), 0, 100); err != nil || last != 0 || !slices.Equal(actions(t, s), before) {
		t.Errorf("of what is young is left %q, %d, %v", actions(t, s), last, err)
	}
	tries := 0
	for after := int64(0); ; tries++ {
		last, err := s.PruneEvents(t.Context(), time.Now().Add(time.Hour), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if last == 0 {
			break
		}
		if after = last; len(actions(t, s)) < len(before)-2*(tries+1) {
			t.Errorf("after %d transactions of 2 events there are %q", tries+1, actions(t, s))
		}
	}
	if want := []string{"site.create hello", "site.create shop"}; !slices.Equal(actions(t, s), want) {
		t.Errorf("left are %q, want %q", actions(t, s), want)
	}
	if events, err := s.Events(t.Context(), sites.EventFilter{Subject: "hello"}); err != nil || events[0].ID < 4 {
		t.Errorf("left is the beginning of an earlier site: %+v, %v", events, err)
	}
	if now, err := s.Revision(t.Context()); err != nil || now != revision {
		t.Errorf("the revision is %d after %d, %v", now, revision, err)
	}
}

// TestPruningStopsAtWhatIsYoung keeps the events from a time on.
func TestPruningStopsAtWhatIsYoung(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	newest := func() sites.Event {
		t.Helper()
		note(t, s, "session.open", "ann", nil)
		events, err := s.Events(t.Context(), sites.EventFilter{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		return events[0]
	}
	first := newest()
	young := newest()
	for !young.At.After(first.At) { // times have milliseconds
		young = newest()
	}
	if last, err := s.PruneEvents(t.Context(), young.At, 0, 1000); err != nil || last != 0 {
		t.Errorf("%d, %v", last, err)
	}
	if left, err := s.Events(t.Context(), sites.EventFilter{}); err != nil || !slices.Equal(left, []sites.Event{young}) {
		t.Errorf("left are %+v, want %+v, %v", left, young, err)
	}
}

// TestAClockIsBelievedStepByStep has it run, leap ahead and go back.
func TestAClockIsBelievedStepByStep(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	const day = 24 * time.Hour
	start := time.UnixMilli(1_800_000_000_000)
	for _, tc := range []struct{ says, believed time.Duration }{
		{0, 0}, {day, day}, {400 * day, 3 * day}, {401 * day, 5 * day}, {6 * day, 6 * day}, {2 * day, 2 * day}, {3 * day, 3 * day},
	} {
		at, err := s.PruneClock(t.Context(), start.Add(tc.says), 2*day)
		if err != nil || !at.Equal(start.Add(tc.believed)) {
			t.Errorf("at %s it is %s, %v; want %s", tc.says, at.Sub(start), err, tc.believed)
		}
	}
}
