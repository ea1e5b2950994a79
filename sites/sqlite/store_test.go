package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/sites"
	"berth/sites/sqlite"
)

func open(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func write(t *testing.T, s *sqlite.Store, fn func(sites.Tx) error) int64 {
	t.Helper()
	revision, err := s.Write(t.Context(), &sites.Event{Actor: "test", Action: "test.write"}, fn)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// fixture is an owner with one site that has a host and a release.
func fixture(t *testing.T, s *sqlite.Store) (owner sites.AccountID, site sites.SiteID) {
	t.Helper()
	write(t, s, func(tx sites.Tx) (err error) {
		ctx := t.Context()
		owner, err = tx.InsertAccount(ctx, sites.Account{Name: "ann", Role: sites.RoleOwner, PasswordHash: "x", Quota: sites.Quota{Sites: 3, Bytes: 5}})
		if err != nil {
			return err
		}
		site, err = tx.InsertSite(ctx, sites.Site{Name: "hello", Owner: owner, Template: sites.TemplateStatic, Desired: sites.DesiredRunning, Limits: sites.Limits{MemoryMB: 64, CPUs: 0.5, Pids: 64}})
		if err != nil {
			return err
		}
		return errors.Join(
			tx.InsertHost(ctx, sites.Host{Name: "hello.example.org", Site: site, Kind: sites.HostOwn}),
			tx.InsertRelease(ctx, sites.Release{Site: site, Number: 1, State: sites.ReleaseReady, Files: 2, Bytes: 10, CreatedBy: "ann"}),
			tx.InsertRelease(ctx, sites.Release{Site: site, Number: 2, State: sites.ReleaseFailed, Reason: "no", Bytes: 90, Remarks: []sites.Remark{{File: "_redirects", Line: 3, Sentence: "“Odd”."}, {File: "_headers", Sentence: "All."}}}),
		)
	})
	return owner, site
}

func TestRowsSurviveReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with space & ?odd%.db")
	first := open(t, path)
	owner, id := fixture(t, first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	site, err := s.Site(t.Context(), "hello")
	if err != nil {
		t.Fatal(err)
	}
	if site.ID != id || site.Owner != owner || site.OwnerName != "ann" || site.Limits.CPUs != 0.5 || time.Since(site.CreatedAt) > time.Minute {
		t.Errorf("site came back as %+v", site)
	}
	releases, err := s.Releases(t.Context(), id)
	if err != nil || len(releases) != 2 || releases[0].Number != 2 || !releases[0].ActivatedAt.IsZero() {
		t.Errorf("releases came back as %+v, %v", releases, err)
	}
	want := []sites.Remark{{File: "_redirects", Line: 3, Sentence: "“Odd”."}, {File: "_headers", Sentence: "All."}}
	if !slices.Equal(releases[0].Remarks, want) || releases[1].Remarks != nil {
		t.Errorf("remarks came back as %+v", releases)
	}
	for _, whose := range []sites.AccountID{0, owner} {
		heads, err := s.HeadReleases(t.Context(), whose)
		if err != nil || len(heads) != 1 || heads[0].Number != 2 {
			t.Errorf("heads of %d: %+v, %v; none is active, so the newest alone", whose, heads, err)
		}
		hosts, err := s.HostsOf(t.Context(), whose)
		if err != nil || len(hosts) != 1 {
			t.Errorf("hosts of %d: %+v, %v", whose, hosts, err)
		}
	}
	usage, err := s.Usage(t.Context(), owner)
	if err != nil || usage != (sites.Usage{Sites: 1, Bytes: 10}) {
		t.Errorf("usage = %+v, %v; failed releases must not count", usage, err)
	}
}

func TestFailedWriteChangesNothing(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	fixture(t, s)
	before, _ := s.Revision(t.Context())
	boom := errors.New("boom")
	_, err := s.Write(t.Context(), &sites.Event{Action: "x"}, func(tx sites.Tx) error {
		if err := tx.PutSetting(t.Context(), "k", "v"); err != nil {
			t.Error(err)
		}
		if v, err := tx.Setting(t.Context(), "k"); v != "v" {
			t.Errorf("the transaction does not see its own write: %q, %v", v, err)
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("err = %v", err)
	}
	if _, err := s.Setting(t.Context(), "k"); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("setting of a failed write: %v", err)
	}
	after, _ := s.Revision(t.Context())
	events, _ := s.Events(t.Context(), sites.EventFilter{})
	if before != after || len(events) != 1 {
		t.Errorf("revision %d → %d, %d events", before, after, len(events))
	}
}

func TestEveryWriteHasOneEventAndOneRevision(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	for range 3 {
		write(t, s, func(sites.Tx) error { return nil })
	}
	event := &sites.Event{Actor: "ann", Origin: "cli", Action: "late", Subject: "hello"}
	revision, err := s.Write(t.Context(), event, func(sites.Tx) error { event.Detail = "completed inside"; return nil })
	if err != nil || revision != 4 {
		t.Fatalf("revision %d, %v", revision, err)
	}
	events, err := s.Events(t.Context(), sites.EventFilter{Subject: "hello", Limit: 5})
	if err != nil || len(events) != 1 || events[0].Detail != "completed inside" || events[0].Revision != 4 {
		t.Errorf("events = %+v, %v", events, err)
	}
}

func TestUniqueNamesAreTaken(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	owner, site := fixture(t, s)
	for name, insert := range map[string]func(context.Context, sites.Tx) error{
		"site": func(ctx context.Context, tx sites.Tx) error {
			_, err := tx.InsertSite(ctx, sites.Site{Name: "hello", Owner: owner, Template: "static", Desired: "running"})
			return err
		},
		"host": func(ctx context.Context, tx sites.Tx) error {
			return tx.InsertHost(ctx, sites.Host{Name: "hello.example.org", Site: site, Kind: sites.HostCustom})
		},
		"account": func(ctx context.Context, tx sites.Tx) error {
			_, err := tx.InsertAccount(ctx, sites.Account{Name: "ann", Role: sites.RoleAdmin})
			return err
		},
	} {
		_, err := s.Write(t.Context(), &sites.Event{}, func(tx sites.Tx) error { return insert(t.Context(), tx) })
		if !errors.Is(err, sites.ErrTaken) {
			t.Errorf("%s twice: %v, want ErrTaken", name, err)
		}
	}
}

func TestDeletingASiteTakesItsRowsAndNeverReusesItsID(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	owner, old := fixture(t, s)
	write(t, s, func(tx sites.Tx) error { return tx.DeleteSite(t.Context(), old) })
	if hosts, err := s.HostsOf(t.Context(), 0); err != nil || len(hosts) != 0 {
		t.Errorf("hosts left: %v, %v", hosts, err)
	}
	if releases, err := s.Releases(t.Context(), 0); err != nil || len(releases) != 0 {
		t.Errorf("releases left: %v, %v", releases, err)
	}
	write(t, s, func(tx sites.Tx) error {
		again, err := tx.InsertSite(t.Context(), sites.Site{Name: "hello", Owner: owner, Template: "static", Desired: "running"})
		if again == old {
			t.Errorf("id %d used twice", again)
		}
		return err
	})
	_, err := s.Write(t.Context(), &sites.Event{}, func(tx sites.Tx) error { return tx.DeleteSite(t.Context(), old) })
	if !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("deleting twice: %v", err)
	}
}

func TestTokensAndSessions(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	owner, _ := fixture(t, s)
	write(t, s, func(tx sites.Tx) error {
		_, err := tx.InsertToken(t.Context(), sites.Token{Account: owner, Label: "ci"}, []byte("hash"))
		return err
	})
	account, token, err := s.AccountByToken(t.Context(), []byte("hash"))
	if err != nil || account.Name != "ann" || token.Label != "ci" {
		t.Errorf("by token: %+v %+v %v", account, token, err)
	}
	if _, _, err := s.AccountByToken(t.Context(), []byte("other")); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("unknown token: %v", err)
	}

	sessions := s.Sessions()
	if err := sessions.Commit("live", []byte("data"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := sessions.Commit("over", []byte("data"), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if data, found, err := sessions.Find("live"); err != nil || !found || string(data) != "data" {
		t.Errorf("live session: %q %v %v", data, found, err)
	}
	if _, found, err := sessions.Find("over"); found || err != nil {
		t.Errorf("expired session found: %v %v", found, err)
	}
	if err := sessions.Delete("live"); err != nil {
		t.Fatal(err)
	}
	if _, found, _ := sessions.Find("live"); found {
		t.Error("deleted session found")
	}
}

func TestAPanicInATransactionFreesTheWriter(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	func() {
		defer func() { _ = recover() }()
		_, _ = s.Write(context.Background(), &sites.Event{}, func(sites.Tx) error { panic("boom") })
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := s.Write(ctx, &sites.Event{}, func(sites.Tx) error { return nil }); err != nil {
		t.Errorf("the write after it: %v", err)
	}
}

func TestTheDatabaseIsPrivate(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := open(t, filepath.Join(dir, "berth.db"))
	fixture(t, s)
	files, err := filepath.Glob(filepath.Join(dir, "berth.db*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v; want the database and its write-ahead log", files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", f, info.Mode(), err)
		}
	}
}

func TestADatabaseOfANewerBerthIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "berth.db")
	s := open(t, path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Open(t.Context(), path, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("err = %v", err)
	}
}

func TestOptionsOfASiteSurviveReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "berth.db")
	first := open(t, path)
	_, id := fixture(t, first)
	want := sites.Options{
		Canonical: "hello.example.org", TrailingSlash: sites.SlashAdd, HSTS: sites.HSTSHost,
		Login:       sites.Login{User: "ann \"x\"", PasswordHash: "$2a$10$x"},
		Allow:       []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")},
		Maintenance: true, Pages: sites.ErrorPages{Down: "/a", Maintenance: "/b"},
		Bounds: sites.Bounds{RequestsPerSecond: 1, Connections: 2, BodyMB: 3},
	}
	site, err := first.SiteByID(t.Context(), id)
	if err != nil || !site.Options.Zero() {
		t.Fatalf("a new site has options %+v, %v", site.Options, err)
	}
	site.Options = want
	write(t, first, func(tx sites.Tx) error {
		return errors.Join(tx.UpdateSite(t.Context(), site), func() error {
			site.Name = "second"
			_, err := tx.InsertSite(t.Context(), site)
			return err
		}())
	})
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	for _, name := range []string{"hello", "second"} {
		if site, err := s.Site(t.Context(), name); err != nil || !site.Options.Equal(want) {
			t.Errorf("options of %s came back as %+v, %v", name, site.Options, err)
		}
	}
}

func TestDomainsAndWhoHadNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "berth.db")
	s := open(t, path)
	owner, site := fixture(t, s)
	at := time.UnixMilli(1_700_000_000_000)
	d := sites.Domain{Name: "www.example.net", Site: site, State: sites.DomainWaiting, Token: "token", CreatedAt: at}
	write(t, s, func(tx sites.Tx) error {
		return errors.Join(tx.InsertDomain(t.Context(), d), tx.InsertHost(t.Context(), sites.Host{Name: d.Name, Site: site, Kind: sites.HostCustom}))
	})
	_, err := s.Write(t.Context(), &sites.Event{}, func(tx sites.Tx) error { return tx.InsertDomain(t.Context(), d) })
	if !errors.Is(err, sites.ErrTaken) {
		t.Errorf("the same domain twice: %v", err)
	}
	d.State, d.ProvenAt, d.StrayedAt = sites.DomainLapsed, at.Add(time.Hour), at.Add(2*time.Hour)
	write(t, s, func(tx sites.Tx) error { return tx.UpdateDomain(t.Context(), d) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if got, err := s.Domain(t.Context(), site, d.Name); err != nil || got != d {
		t.Errorf("came back as %+v, %v; want %+v", got, err, d)
	}
	if h, err := s.Host(t.Context(), d.Name); err != nil || !h.Lapsed {
		t.Errorf("its host is %+v, %v", h, err)
	}

	held := sites.HeldName{Name: d.Name, Account: owner, Until: at.Add(time.Hour)}
	write(t, s, func(tx sites.Tx) error {
		return errors.Join(
			tx.PutHeldName(t.Context(), held, at), tx.PutHeldName(t.Context(), sites.HeldName{Name: "later.example", Account: 99, Until: at.Add(3 * time.Hour)}, at.Add(2*time.Hour)),
			tx.PutFormerOwner(t.Context(), "one", owner), tx.PutFormerOwner(t.Context(), "one", owner),
			tx.PutFormerOwner(t.Context(), "two", owner), tx.PutFormerOwner(t.Context(), "two", 99), tx.PutFormerOwner(t.Context(), "two", owner),
			tx.DeleteSite(t.Context(), site),
		)
	})
	if all, err := s.HeldNames(t.Context()); err != nil || len(all) != 1 || all[0].Name != "later.example" || all[0].AccountName != "" {
		t.Errorf("held: %+v, %v; the one whose time is over should be forgotten", all, err)
	}
	for name, want := range map[string]sites.AccountID{"one": owner, "two": 0} {
		if got, err := s.FormerOwner(t.Context(), name); err != nil || got != want {
			t.Errorf("%s was %d's, %v; want %d", name, got, err, want)
		}
	}
	if _, err := s.FormerOwner(t.Context(), "three"); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("a name that nobody had: %v", err)
	}
	if all, err := s.Domains(t.Context(), 0); err != nil || len(all) > 0 {
		t.Errorf("the deleted site has %+v, %v", all, err)
	}
}
