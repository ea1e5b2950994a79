package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"berth/sites"
)

// TestASiteNamesReleasesThatAreThere has code that errs.
func TestASiteNamesReleasesThatAreThere(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	_, id := fixture(t, s) // with releases 1 and 2
	change := func(fn func(tx sites.Tx, site sites.Site) error) error {
		_, err := s.Write(t.Context(), &sites.Event{}, func(tx sites.Tx) error {
			site, err := tx.SiteByID(t.Context(), id)
			if err != nil {
				return err
			}
			return fn(tx, site)
		})
		return err
	}
	name := func(active, wanted int) func(tx sites.Tx, site sites.Site) error {
		return func(tx sites.Tx, site sites.Site) error {
			site.Active, site.Wanted = active, wanted
			return tx.UpdateSite(t.Context(), site)
		}
	}
	drop := func(number int) func(tx sites.Tx, site sites.Site) error {
		return func(tx sites.Tx, site sites.Site) error { return tx.DeleteRelease(t.Context(), site.ID, number) }
	}
	for _, tc := range []struct {
		what    string
		change  func(tx sites.Tx, site sites.Site) error
		allowed bool
	}{
		{"activating what is not there", name(3, 0), false},
		{"wanting what is not there", name(0, 3), false},
		{"activating one and wanting the other", name(1, 2), true},
		{"removing the active one", drop(1), false},
		{"removing the wanted one", drop(2), false},
		{"activating the wanted one", name(2, 0), true},
		{"removing the other", drop(1), true},
		{"removing the site", func(tx sites.Tx, site sites.Site) error { return tx.DeleteSite(t.Context(), site.ID) }, true},
	} {
		if err := change(tc.change); (err == nil) != tc.allowed {
			t.Errorf("%s: %v", tc.what, err)
		}
	}
}

// TestAWantedReleaseThatIsNotThereIsHealed opens what a berth has left that did not mind.
func TestAWantedReleaseThatIsNotThereIsHealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "berth.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("migrations"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	_, err = provider.UpTo(t.Context(), 6)
	for _, statement := range []string{
		`INSERT INTO accounts VALUES (1, 'ann', 'owner', 'x', 0, 0, 0)`,
		`INSERT INTO sites (id, name, owner_id, template, desired, active, wanted, memory_mb, cpus, pids, created_at) VALUES (1, 'hello', 1, 'static', 'running', 2, 1, 64, 0.5, 64, 0)`,
		`INSERT INTO sites (id, name, owner_id, template, desired, active, wanted, memory_mb, cpus, pids, created_at) VALUES (2, 'other', 1, 'static', 'running', 0, 2, 64, 0.5, 64, 0)`,
		`INSERT INTO releases (site_id, number, state, reason, warning, files, bytes, created_by, created_at, activated_at)
			VALUES (1, 2, 'ready', '', '', 1, 1, 'ann', 0, 0), (2, 2, 'preparing', '', '', 1, 1, 'ann', 0, 0)`,
	} {
		if err == nil {
			_, err = db.ExecContext(t.Context(), statement)
		}
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	hello, err := s.Site(t.Context(), "hello")
	if err != nil || hello.Wanted != 0 || hello.Active != 2 {
		t.Errorf("%+v, %v", hello, err)
	}
	other, err := s.Site(t.Context(), "other")
	if err != nil || other.Wanted != 2 {
		t.Errorf("%+v, %v", other, err)
	}
}

func TestKeptArrivals(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	owner, id := fixture(t, s)
	var kept [3]sites.KeptArrival
	write(t, s, func(tx sites.Tx) (err error) {
		for i := range kept {
			kept[i] = sites.KeptArrival{ID: int64(7 - i), Site: id, Account: owner, Origin: "192.0.2.1", File: string(rune('c' - i))}
			err = errors.Join(err, tx.InsertArrival(t.Context(), kept[i]))
		}
		kept[2].Starts = 2
		return errors.Join(err, tx.UpdateArrival(t.Context(), kept[2]), tx.DeleteArrival(t.Context(), kept[0].ID))
	})
	if all, err := s.Arrivals(t.Context()); err != nil || len(all) != 2 || all[0] != kept[2] || all[1] != kept[1] {
		t.Errorf("%+v, %v", all, err)
	}
	write(t, s, func(tx sites.Tx) error { return tx.DeleteSite(t.Context(), id) })
	if all, err := s.Arrivals(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("of a deleted site is kept %+v, %v", all, err)
	}
}

// TestMigrationsAreNumberedWithoutGaps: what fills a gap later is refused by every database that is beyond it.
func TestMigrationsAreNumberedWithoutGaps(t *testing.T) {
	files, err := os.ReadDir("migrations")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for i, file := range files {
		if want := fmt.Sprintf("%05d_", i+1); !strings.HasPrefix(file.Name(), want) {
			t.Errorf("%s, want %s…", file.Name(), want)
		}
	}
}
