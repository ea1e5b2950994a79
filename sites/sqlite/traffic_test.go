package sqlite_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"berth/sites"
	"berth/sites/sqlite"
)

var hour = time.Date(2026, 3, 14, 22, 0, 0, 0, time.UTC)

// part is an hour with so many requests, by as many visitors.
func part(site sites.SiteID, at time.Time, n int64, paths ...string) sites.TrafficPart {
	p := sites.TrafficPart{
		Site: site, Traffic: sites.Traffic{At: at, Requests: n, Bytes: 10 * n, Visitors: n, Classes: [5]int64{0, n}}, DayVisitors: n,
	}
	for _, path := range paths {
		p.Paths.Add(path, n, 0)
	}
	return p
}

func addTraffic(t *testing.T, s *sqlite.Store, parts ...sites.TrafficPart) {
	t.Helper()
	if err := s.AddTraffic(t.Context(), parts); err != nil {
		t.Fatal(err)
	}
}

func traffic(t *testing.T, s *sqlite.Store, q sites.TrafficQuery) []sites.Traffic {
	t.Helper()
	got, err := s.Traffic(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// requests are those of each step, with the step's beginning.
func requests(list []sites.Traffic) (all []string) {
	for _, step := range list {
		all = append(all, fmt.Sprintf("%s %d", step.At.Format("02T15"), step.Requests))
	}
	return all
}

func TestTrafficAddsUp(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	_, id := fixture(t, s)
	before, err := s.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	addTraffic(t, s, part(id, hour, 3, "/a", "/b"), part(id, hour.Add(time.Hour), 2, "/a"))
	addTraffic(t, s, part(id, hour, 4, "/a"), part(id, hour.Add(2*time.Hour), 1), part(id+1000, hour, 50, "/gone"))

	all := sites.TrafficQuery{Site: id, From: hour.AddDate(0, 0, -1), To: hour.AddDate(0, 0, 2), Step: sites.StepHour}
	hours := traffic(t, s, all)
	if got, want := requests(hours), []string{"14T22 7", "14T23 2", "15T00 1"}; !slices.Equal(got, want) {
		t.Errorf("the hours are %v, want %v", got, want)
	}
	if want := (sites.Traffic{At: hour, Requests: 7, Bytes: 70, Visitors: 7, Classes: [5]int64{0, 7}}); hours[0] != want {
		t.Errorf("an hour came back as %+v, want %+v", hours[0], want)
	}
	all.Step = sites.StepDay
	if got, want := requests(traffic(t, s, all)), []string{"14T00 9", "15T00 1"}; !slices.Equal(got, want) {
		t.Errorf("the days are %v, want %v", got, want)
	}
	all.Site = 0
	if got, want := requests(traffic(t, s, all)), []string{"14T00 9", "15T00 1"}; !slices.Equal(got, want) {
		t.Errorf("of all sites, the days are %v, want %v: a site that is gone counts", got, want)
	}
	paths, referrers, err := s.TrafficRanks(t.Context(), sites.TrafficQuery{Site: id, From: hour, To: hour.Add(time.Hour), Step: sites.StepHour})
	if err != nil || referrers.Len() != 0 || !slices.Equal(paths.Top(5), []sites.Rank{{Key: "/a", Count: 9}, {Key: "/b", Count: 3}}) {
		t.Errorf("the paths are %v, the referrers %v, %v", paths.Top(5), referrers.Top(5), err)
	}
	if after, err := s.Revision(t.Context()); err != nil || after != before {
		t.Errorf("counting made revision %d of %d, %v", after, before, err)
	}
}

func TestTrafficQueryBounds(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	_, id := fixture(t, s)
	for i := range 4 {
		addTraffic(t, s, part(id, hour.Add(time.Duration(i)*time.Hour), 1))
	}
	q := sites.TrafficQuery{Site: id, From: hour.Add(time.Hour), To: hour.Add(3 * time.Hour), Step: sites.StepHour}
	if got, want := requests(traffic(t, s, q)), []string{"14T23 1", "15T00 1"}; !slices.Equal(got, want) {
		t.Errorf("the hours are %v, want %v", got, want)
	}
}

func TestTrafficGoesWithItsSite(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	_, id := fixture(t, s)
	addTraffic(t, s, part(id, hour, 1, "/"))
	q := sites.TrafficQuery{From: hour, To: hour.Add(time.Hour), Step: sites.StepDay}
	busiest, err := s.BusiestSites(t.Context(), q, 10)
	if err != nil || len(busiest) != 1 || busiest[0].Name != "hello" || busiest[0].Owner != "ann" || busiest[0].Requests != 1 {
		t.Errorf("the busiest sites are %+v, %v", busiest, err)
	}
	write(t, s, func(tx sites.Tx) error { return tx.DeleteSite(t.Context(), id) })
	for _, step := range []sites.TrafficStep{sites.StepHour, sites.StepDay} {
		if got := traffic(t, s, sites.TrafficQuery{From: hour.AddDate(0, 0, -1), To: hour.AddDate(0, 0, 1), Step: step}); len(got) != 0 {
			t.Errorf("by the %s there is %v", step, got)
		}
	}
}

func TestTrafficIsPruned(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	_, id := fixture(t, s)
	for _, days := range []int{-800, -100, -10, 0} {
		addTraffic(t, s, part(id, hour.AddDate(0, 0, days), 1, fmt.Sprint("/", -days)))
	}
	if err := s.PruneTraffic(t.Context(), hour.Add(-sites.KeepHours), hour.Add(-sites.KeepDays)); err != nil {
		t.Fatal(err)
	}
	all := sites.TrafficQuery{Site: id, From: hour.AddDate(-5, 0, 0), To: hour.AddDate(0, 0, 1)}
	for step, want := range map[sites.TrafficStep]int{sites.StepHour: 2, sites.StepDay: 3} {
		all.Step = step
		if got := traffic(t, s, all); len(got) != want {
			t.Errorf("by the %s there are %v", step, requests(got))
		}
	}
	paths, _, err := s.TrafficRanks(t.Context(), all)
	if err != nil || !slices.Equal(paths.Top(5), []sites.Rank{{Key: "/0", Count: 1}, {Key: "/10", Count: 1}}) {
		t.Errorf("the paths are %v, %v", paths.Top(5), err)
	}
}

// BenchmarkAddTraffic keeps a minute of a thousand sites.
func BenchmarkAddTraffic(b *testing.B) {
	s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "berth.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	parts := make([]sites.TrafficPart, 1000)
	_, err = s.Write(b.Context(), &sites.Event{Action: "test.write"}, func(tx sites.Tx) error {
		owner, err := tx.InsertAccount(b.Context(), sites.Account{Name: "ann", Role: sites.RoleOwner, PasswordHash: "x"})
		for i := range parts {
			if err != nil {
				return err
			}
			var id sites.SiteID
			id, err = tx.InsertSite(b.Context(), sites.Site{Name: fmt.Sprint("site", i), Owner: owner, Template: sites.TemplateStatic, Desired: sites.DesiredRunning})
			parts[i] = part(id, hour, 1, "/", "/about", "/style.css", "/logo.svg")
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := s.AddTraffic(b.Context(), parts); err != nil {
			b.Fatal(err)
		}
	}
}
