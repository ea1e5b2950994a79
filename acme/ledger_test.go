package acme

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"berth/acme/acmetest"
	"berth/sites"
)

func reopen(t *testing.T, dir string, now time.Time) (*ledger, []entry, string) {
	t.Helper()
	var logged bytes.Buffer
	l, entries, err := openLedger(dir, now, slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.close() })
	return l, entries, logged.String()
}

func TestLedgerSurvivesACutInTheMiddleOfALine(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	l, _, _ := reopen(t, dir, now)
	for _, host := range []string{"a", "b"} {
		if err := l.record(entry{At: now, Event: eventIssued, CA: "ca", Host: host, Domain: host}); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(l.path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range content {
		if err := os.WriteFile(l.path, content[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		again, entries, logged := reopen(t, dir, now)
		whole := bytes.Count(content[:cut], []byte("\n"))
		if len(entries) < whole || len(entries) > whole+1 || logged != "" {
			t.Fatalf("cut after %d bytes: %d entries of %d, log %q", cut, len(entries), whole, logged)
		}
		if err := again.record(entry{At: now, Event: eventRenewed, CA: "ca", Host: "c"}); err != nil {
			t.Fatal(err)
		}
		if _, entries, _ = reopen(t, dir, now); len(entries) == 0 || entries[len(entries)-1].Host != "c" {
			t.Fatalf("cut after %d bytes: what is added later is lost: %+v", cut, entries)
		}
	}
}

func TestDamagedLedgerIsPutAside(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	l, _, _ := reopen(t, dir, now)
	if err := l.record(entry{At: now, Event: eventIssued, CA: "ca", Host: "a"}); err != nil {
		t.Fatal(err)
	}
	content, _ := os.ReadFile(l.path)
	damaged := append([]byte("\x00\x00 nonsense\n{}\n"), content...)
	if err := os.WriteFile(l.path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	_, entries, logged := reopen(t, dir, now)
	if len(entries) != 1 || entries[0].Host != "a" {
		t.Errorf("of a damaged ledger %+v is kept", entries)
	}
	aside, _ := filepath.Glob(l.path + ".unreadable-*")
	if len(aside) != 1 || !strings.Contains(logged, "put aside") {
		t.Fatalf("put aside: %q, log %q", aside, logged)
	}
	if kept, _ := os.ReadFile(aside[0]); !bytes.Equal(kept, damaged) {
		t.Error("what is put aside is not what was damaged")
	}
	if _, _, logged = reopen(t, dir, now); logged != "" {
		t.Errorf("the mended ledger is not quiet: %s", logged)
	}
}

func TestLedgerIsBounded(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	l, _, _ := reopen(t, dir, now)
	failing := func(i int) {
		at := now.Add(time.Duration(i) * time.Second)
		for _, e := range []entry{{Event: eventOrdered}, {Event: eventFailed, Budgeted: true, Until: at.Add(time.Hour), Failures: i}} {
			e.At, e.CA, e.Host = at, "ca", "a"
			if err := l.record(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 20 {
		failing(i)
	}
	l.added = ledgerGrowth // as if it had grown
	failing(20)
	if content, err := os.ReadFile(l.path); err != nil || bytes.Count(content, []byte("\n")) != 3 {
		t.Errorf("after a look back the file holds %q, %v", content, err)
	}
	_, entries, _ := reopen(t, dir, now)
	if len(entries) != 1 || entries[0].Event != eventFailed {
		t.Errorf("of one failure over and over, %d entries are kept", len(entries))
	}
	if _, entries, _ = reopen(t, dir, now.Add(ledgerKeeps+24*time.Hour)); len(entries) != 0 {
		t.Errorf("%d entries are kept for ever", len(entries))
	}
}

func TestBudgetsSurviveARestart(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1})
	front := ca.NewFront(t)
	cfg := Config{Dir: t.TempDir(), CA: at(front), Challenges: zone, PerSite: true}
	cfg.CA.WeeklyLimit = 4
	first := run(t, cfg)
	first.Apply(full())
	first.zoneValid(t)
	for range ratePerName.burst - 1 { // a third time it would be the week's limit
		first.Apply(create(site("again")))
		first.valid(t, "again."+testZone)
		first.Apply(gone("again"))
		eventually(t, wait, "it is gone and revoked", func() bool {
			first.mu.Lock()
			defer first.mu.Unlock()
			return first.table["again."+testZone] == nil
		})
	}
	want := []sites.CertificateBudget{{Authority: strings.TrimSuffix(strings.TrimPrefix(front.DirectoryURL(), "https://"), "/dir"), Domain: testZone, Issued: 4, Limit: 4}}
	if got := first.Budget(); len(got) != 1 || got[0] != want[0] {
		t.Errorf("budget %+v, want %+v", got, want)
	}
	first.stop()
	before := front.Orders()

	second := run(t, cfg)
	if got := second.Budget(); len(got) != 1 || got[0] != want[0] {
		t.Errorf("budget after a restart %+v, want %+v", got, want)
	}
	second.Apply(full(site("other")))
	second.valid(t, testZone)
	second.waits(t, "other."+testZone, week)
	if got := front.Orders() - before; got != 0 {
		t.Errorf("%d orders though the week's limit is used up", got)
	}
	second.stop()

	cfg.CA.WeeklyLimit = 0
	third := run(t, cfg)
	third.Apply(full(site("other"), site("again")))
	third.valid(t, "other."+testZone, "again."+testZone)
	third.Apply(gone("again"))
	third.Apply(create(site("again")))
	third.waits(t, "again."+testZone, ratePerName.every)
}

func TestRetryAfterSurvivesARestart(t *testing.T) {
	for kind, c := range map[string]struct {
		text  string
		hosts []string // that are not asked for after the restart
	}{
		"the account": {limitAccount, []string{"a", "b"}},
		"the domain":  {limitDomain, []string{"a", "b"}},
		"one name":    {limitExactSet, []string{"a"}},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			zone := newZoneServer(t)
			ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1})
			front := ca.NewFront(t)
			cfg := Config{Dir: t.TempDir(), CA: at(front), Challenges: zone, PerSite: true}
			first := run(t, cfg)
			first.Apply(full())
			first.zoneValid(t)
			limitName(front, "a."+testZone, c.text)
			first.Apply(create(site("a")))
			eventually(t, wait, "the order has failed", func() bool { return first.state("a."+testZone) == sites.CertificateFailed })
			first.stop()
			front.Fail(nil)

			before := front.Orders()
			second := run(t, cfg)
			second.Apply(full(site("a"), site("b"), site("c")))
			if len(c.hosts) == 1 {
				second.valid(t, "b."+testZone, "c."+testZone)
				before += 2
			}
			second.mu.Lock()
			_, pause := second.queue.next(time.Now())
			second.mu.Unlock()
			if pause < 50*time.Minute || pause > time.Hour {
				t.Errorf("after the restart the CA is left alone for %v, want the hour that it asked for", pause)
			}
			if got := front.Orders() - before; got != 0 {
				t.Errorf("%d orders that the CA does not want", got)
			}
			if err := second.Renew("a." + testZone); err == nil || !strings.Contains(err.Error(), "UTC") {
				t.Errorf("somebody who wants it now is told: %v", err)
			}
		})
	}
}

// What a failed order has not cost is given back once, and not once more at each start.
func TestAFailedOrderIsGivenBackOnce(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	l, _, _ := reopen(t, dir, now)
	for _, e := range []entry{
		{Event: eventOrdered},
		{Event: eventIssued},
		{Event: eventOrdered},
		{Event: eventFailed, Budgeted: true, Counted: true, Failures: 1, Until: now.Add(time.Minute)},
	} {
		e.At, e.CA, e.Host = now, "ca", "a"
		if err := l.record(e); err != nil {
			t.Fatal(err)
		}
	}
	for start := range 3 {
		_, entries, _ := reopen(t, dir, now)
		after := line{budget: newBudget()}
		for _, e := range entries {
			after.remember(e)
		}
		name, all := after.budget.names["a"].full.Sub(now), after.budget.full.Sub(now)
		if name.Round(time.Second) != ratePerName.every || all.Round(time.Second) != 2*rateOfSites.every {
			t.Errorf("start %d: %v of the name and %v of all are spent, want one order of the name and two of all", start, name, all)
		}
	}
}

// A line that did not fit on the disk must not spoil the next one.
func TestAnUnfinishedLineSpoilsNoOther(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	l, _, _ := reopen(t, dir, now)
	file := l.file
	if _, err := file.WriteString(`{"at":"20`); err != nil { // what a full disk leaves
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.record(entry{At: now, Event: eventIssued, CA: "ca", Host: "lost"}); err == nil {
		t.Fatal("nothing is written, and nobody is told")
	}
	if err := l.record(entry{At: now, Event: eventIssued, CA: "ca", Host: "a"}); err != nil {
		t.Fatal(err)
	}
	if _, entries, logged := reopen(t, dir, now); len(entries) != 1 || entries[0].Host != "a" || logged != "" {
		t.Errorf("kept %+v, log %q", entries, logged)
	}
}
