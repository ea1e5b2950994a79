package sites_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"berth/sites"
)

// keep has an upload arrive whose sender is told so and leaves.
func (b *berth) keep(actor sites.Actor, name, content string) {
	b.t.Helper()
	arrival, err := b.Receive(b.t.Context(), actor, name, strings.NewReader(content))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := arrival.Keep(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// crash boots on what a kill would have left of a berth's directory, once change has had its way with it. Held says that unpacking never
// gets to its end there.
func (b *berth) crash(change func(dir string), held bool) *berth {
	b.t.Helper()
	dir := b.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(b.dir)); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "berth.db-shm")); err != nil { // it is of the process
		b.t.Fatal(err)
	}
	change(dir)
	ended := make(chan struct{})
	b = bootWith(b.t, dir, newStage(), zone, func(c *sites.Config) {
		if held {
			c.Unpack = func(context.Context, string, string) (sites.Manifest, error) {
				<-ended
				return sites.Manifest{}, errors.New("the test has ended")
			}
		}
	})
	b.t.Cleanup(func() { close(ended) })
	return b
}

// settled waits until nothing of an upload is left over beside releases.
func (b *berth) settled() {
	b.t.Helper()
	eventually(b.t, "nothing is left over", func() bool {
		left, err := os.ReadDir(filepath.Join(b.dir, "uploads"))
		kept, keptErr := b.store.Arrivals(b.t.Context())
		return errors.Join(err, keptErr) == nil && len(left) == 0 && len(kept) == 0
	})
}

func (b *berth) actions(site string) (all []string) {
	b.t.Helper()
	events, err := b.Events(b.t.Context(), b.root, sites.EventFilter{Subject: site})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range slices.Backward(events) {
		all = append(all, e.Action)
	}
	return all
}

func asItIs(string) {}

// TestWhatIsSaidToHaveArrivedOutlastsACrash kills a berth that has three uploads of one site, of which two are kept.
func TestWhatIsSaidToHaveArrivedOutlastsACrash(t *testing.T) {
	b, _ := holdUnpacking(t, unpack)
	b.create("hello")
	b.keep(b.ann, "hello", "one")
	b.keep(b.root, "hello", "two")
	b.receive("hello", "three")
	b = b.crash(asItIs, false)
	b.settled()
	if st := b.await("hello"); st.Active != 2 || st.Unpacking || st.Lost != "" {
		t.Errorf("%+v", st)
	}
	p, _ := b.edge.at("hello." + zone)
	if content, err := os.ReadFile(filepath.Join(p.Root, "index.html")); string(content) != "two" {
		t.Errorf("%q serves, %v", content, err)
	}
	list, err := b.Releases(t.Context(), b.ann, "hello")
	if err != nil || len(list) != 2 || list[0].CreatedBy != "root" || list[1].CreatedBy != "ann" {
		t.Errorf("releases %+v, %v", list, err)
	}
	log := b.actions("hello")
	resumed := slices.DeleteFunc(slices.Clone(log), func(action string) bool { return action != "release.resume" })
	if !slices.Equal(log[:4], []string{"site.create", "release.arrive", "release.arrive", "release.resume"}) || len(resumed) != 2 {
		t.Errorf("the log has %q", log)
	}
}

// TestKeptArrivalsComeInTheOrderOfArrival has the later upload be kept before the one that came before it, which may take longer to
// reach the disk, and berth end twice.
func TestKeptArrivalsComeInTheOrderOfArrival(t *testing.T) {
	b, _ := holdUnpacking(t, unpack)
	b.create("hello")
	var arrivals []*sites.Arrival
	for _, content := range []string{"one", "two"} {
		arrival, err := b.Receive(t.Context(), b.ann, "hello", strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		arrivals = append(arrivals, arrival)
	}
	for _, arrival := range slices.Backward(arrivals) {
		if err := arrival.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b = b.crash(asItIs, true)
	b.keep(b.ann, "hello", "three")
	b = b.crash(asItIs, false)
	b.settled()
	p, _ := b.edge.at("hello." + zone)
	for number, want := range []string{"one", "two", "three"} {
		file := filepath.Join(filepath.Dir(p.Root), strconv.Itoa(number+1), "index.html")
		if content, err := os.ReadFile(file); string(content) != want {
			t.Errorf("release %d is %q, %v; want %q", number+1, content, err, want)
		}
	}
	if st := b.await("hello"); st.Active != 3 {
		t.Errorf("%+v", st)
	}
}

// TestWhoseAKeptArrivalIs has its site or its sender go before the crash, or the site change hands.
func TestWhoseAKeptArrivalIs(t *testing.T) {
	for what, before := range map[string]func(b *berth) error{
		"handed over": func(b *berth) error {
			_, err := b.UpdateSite(t.Context(), b.root, "hello", sites.SiteUpdate{Owner: new("bob")})
			return err
		},
		"site deleted":   func(b *berth) error { return b.DeleteSite(t.Context(), b.ann, "hello") },
		"sender deleted": func(b *berth) error { return b.DeleteAccount(t.Context(), b.root, "admin") },
	} {
		b, _ := holdUnpacking(t, unpack)
		b.create("hello")
		sender := b.ann
		if what == "sender deleted" {
			sender = b.account("admin", sites.RoleAdmin, sites.Quota{})
		}
		b.keep(sender, "hello", "one")
		if err := before(b); err != nil {
			t.Fatal(err)
		}
		b = b.crash(asItIs, false)
		b.settled()
		if what == "site deleted" {
			continue
		}
		st, err := b.Site(t.Context(), b.root, "hello")
		if err != nil || st.Latest != nil || st.Lost != "" || st.Unpacking {
			t.Errorf("%s: %+v, %v", what, st, err)
		}
	}
}

// TestAKeptArrivalThatCannotBeGoneOnWithIsTold has the zip go, and has berth end again and again.
func TestAKeptArrivalThatCannotBeGoneOnWithIsTold(t *testing.T) {
	b, _ := holdUnpacking(t, unpack)
	b.create("hello")
	b.keep(b.ann, "hello", "one")
	again := b
	told := func(b *berth, says string) {
		t.Helper()
		b.settled()
		eventually(t, "it is told", func() bool { return strings.Contains(b.await("hello").Lost, says) })
		if got := b.actions("hello"); got[len(got)-1] != "release.lose" {
			t.Errorf("the log has %q", got)
		}
	}
	told(b.crash(func(dir string) {
		found, err := filepath.Glob(filepath.Join(dir, "uploads", "*.zip"))
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		if err := os.Remove(found[0]); err != nil {
			t.Fatal(err)
		}
	}, false), "not on the server any more")
	for range 3 {
		again = again.crash(asItIs, true)
		if st := again.await("hello"); !st.Unpacking || st.Lost != "" {
			t.Errorf("after a start: %+v", st)
		}
	}
	told(again.crash(asItIs, true), "ended 4 times")
}

// TestAKeptArrivalThatComesToNothingIsTold has no room for what is in it.
func TestAKeptArrivalThatComesToNothingIsTold(t *testing.T) {
	b, hold := holdUnpacking(t, func(context.Context, string, string) (sites.Manifest, error) { return sites.Manifest{}, syscall.ENOSPC })
	b.create("hello")
	b.keep(b.ann, "hello", "one")
	close(hold)
	b.settled()
	eventually(t, "it is told", func() bool { return strings.Contains(b.await("hello").Lost, "full") })
	if got := b.lastEvent(b.ann, "hello"); !strings.HasPrefix(got, "release.lose The server's disk is full.") {
		t.Errorf("the log has %q", got)
	}
}

// TestWhatCannotBeKeptIsWaitedFor has the store fail.
func TestWhatCannotBeKeptIsWaitedFor(t *testing.T) {
	b, hold := holdUnpacking(t, func(context.Context, string, string) (sites.Manifest, error) { return sites.Manifest{}, syscall.ENOSPC })
	b.create("hello")
	arrival, err := b.Receive(t.Context(), b.ann, "hello", strings.NewReader("one"))
	if err != nil {
		t.Fatal(err)
	}
	b.fault.fail.Store(true)
	if err := arrival.Keep(t.Context()); err == nil {
		t.Error("kept by a store that fails")
	}
	b.fault.fail.Store(false)
	close(hold)
	if _, err := arrival.Wait(t.Context()); !errors.Is(err, sites.ErrNoSpace) {
		t.Errorf("its sender is told %v", err)
	}
	if st := b.await("hello"); st.Lost != "" {
		t.Errorf("and the site tells it again: %q", st.Lost)
	}
	b.settled()
}

// TestAStopLeavesWhatItIsNotTheTurnOfToTheNextStart stops a berth that unpacks one of two.
func TestAStopLeavesWhatItIsNotTheTurnOfToTheNextStart(t *testing.T) {
	b, hold := holdUnpacking(t, unpack)
	b.create("hello")
	b.keep(b.ann, "hello", "one")
	b.keep(b.ann, "hello", "two")
	b.stopWith(func() { close(hold) })
	if left, err := filepath.Glob(filepath.Join(b.dir, "uploads", "*.zip")); err != nil || len(left) != 1 {
		t.Errorf("left are %v, %v", left, err)
	}
	b = bootIn(t, b.dir, b.runtime, zone)
	b.settled()
	if st := b.await("hello"); st.Active != 2 {
		t.Errorf("%+v", st)
	}
}

// TestKeepingWhatIsJustRecorded has both happen at a time: nothing is recorded twice, and nothing is kept for ever.
func TestKeepingWhatIsJustRecorded(t *testing.T) {
	b := boot(t)
	b.create("hello")
	for i := range 30 {
		arrival, err := b.Receive(t.Context(), b.ann, "hello", strings.NewReader(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		var keeping sync.WaitGroup
		keeping.Go(func() {
			if err := arrival.Keep(t.Context()); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("keep: %v", err)
			}
		})
		if r, err := arrival.Wait(t.Context()); err != nil || r.Number != i+1 {
			t.Errorf("release %d, %v", r.Number, err)
		}
		keeping.Wait()
	}
	b.settled()
}
