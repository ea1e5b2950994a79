package analytics

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"berth/sites"
)

// running is Counts with a file, as berth has them.
type running struct {
	*Counts
	stop func()
}

// start begins counting where others have ended.
func start(t *testing.T, store Store, file string) *running {
	t.Helper()
	c := New(Config{Store: store, File: file, Logger: discard()})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { c.Run(ctx); close(ended) }()
	return &running{c, func() { cancel(); <-ended }}
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// visit has visitors come to a site, each from an address of its own.
func visit(c *running, site sites.SiteID, from, to int) {
	for i := from; i < to; i++ {
		hit := hitAt(time.Now(), fmt.Sprintf("10.0.%d.%d", i/250, i%250), "/")
		hit.Site = site
		c.Take([]sites.Hit{hit})
	}
}

func (k *kept) dayVisitors(site sites.SiteID) (n int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for at, part := range k.hours {
		if at.site == site {
			n += part.DayVisitors
		}
	}
	return n
}

// TestARestartCountsNobodyTwice has few and many visitors before a stop, and the same and others after it.
func TestARestartCountsNobodyTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, file := newKept(), filepath.Join(t.TempDir(), "visitors-today")
		c := start(t, store, file)
		visit(c, 1, 0, 5)
		visit(c, 2, 0, 1000)
		c.stop()
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("the file: %v, %v", info, err)
		}
		before := store.dayVisitors(2)

		c = start(t, store, file)
		visit(c, 1, 0, 7)
		visit(c, 2, 0, 1000)
		c.stop()
		if got := store.dayVisitors(1); got != 7 {
			t.Errorf("5 visitors and, after a restart, 2 others are %d", got)
		}
		if got := store.dayVisitors(2); got != before {
			t.Errorf("%d visitors are %d after a restart", before, got)
		}
		if part := store.hour(1, time.Now()); part.Visitors != 7 || part.Requests != 12 {
			t.Errorf("of the hour is kept %+v", part.Traffic)
		}
	})
}

// TestACrashCountsFewTwice ends without a word, some time after the last save.
func TestACrashCountsFewTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, file := newKept(), filepath.Join(t.TempDir(), "visitors-today")
		c := start(t, store, file)
		visit(c, 1, 0, 20)
		time.Sleep(90 * time.Second)
		synctest.Wait()
		crashed, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c.stop()
		if err := errors.Join(os.WriteFile(file, crashed, 0o600), os.WriteFile(file+".new", crashed[:10], 0o600)); err != nil {
			t.Fatal(err)
		}

		c = start(t, store, file)
		if exists(t, file+".new") {
			t.Error("what was half written is still there")
		}
		visit(c, 1, 0, 20)
		c.stop()
		if got := store.dayVisitors(1); got != 20 {
			t.Errorf("20 visitors are %d after a crash", got)
		}
	})
}

func saltIn(t *testing.T, file string) salt {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var head savedDay
	if err := gob.NewDecoder(f).Decode(&head); err != nil {
		t.Fatal(err)
	}
	return head.Salt
}

// TestNothingOutlivesTheDay looks for the secret of a day on the next one: with visitors and without, and after a night's stop.
func TestNothingOutlivesTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, file := newKept(), filepath.Join(t.TempDir(), "visitors-today")
		c := start(t, store, file)
		visit(c, 1, 0, 3)
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		first := c.salt
		if !exists(t, file) {
			t.Fatal("there is no file on the day")
		}
		time.Sleep(time.Hour + 2*time.Minute)
		synctest.Wait()
		if exists(t, file) {
			t.Error("the file is there on the next day, when nobody has come")
		}
		visit(c, 1, 0, 3)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if saved := saltIn(t, file); saved == first || saved != c.salt {
			t.Error("the file of the next day has another secret than that day's")
		}
		c.stop()

		time.Sleep(24 * time.Hour)
		c = start(t, store, file)
		if exists(t, file) {
			t.Error("a start leaves the file of the day before")
		}
		visit(c, 1, 0, 3)
		c.stop()
		if got := store.dayVisitors(1); got != 9 {
			t.Errorf("3 visitors on each of 3 days are %d", got)
		}
	})
}

// TestADayThatEndsDuringAStartLeavesNothing takes up the file in the last second of its day, and begins to count in the next one.
func TestADayThatEndsDuringAStartLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, file := newKept(), filepath.Join(t.TempDir(), "visitors-today")
		c := start(t, store, file)
		visit(c, 1, 0, 3)
		c.stop()
		time.Sleep(24*time.Hour - time.Second)
		next := New(Config{Store: store, File: file, Logger: discard()})
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go next.Run(ctx)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if exists(t, file) {
			t.Error("the file of the day before is still there")
		}
	})
}

// TestTheFileOfYesterdayGoesWhileTheStoreFails has the store take nothing when the day ends.
func TestTheFileOfYesterdayGoesWhileTheStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, file := newKept(), filepath.Join(t.TempDir(), "visitors-today")
		c := start(t, store, file)
		defer c.stop()
		visit(c, 1, 0, 3)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		store.setBroken(errors.New("disk full"))
		time.Sleep(24 * time.Hour)
		visit(c, 1, 0, 3)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if exists(t, file) {
			t.Error("the file of the day before is still there")
		}
	})
}

func TestAFileThatIsNoneIsNoHarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, file := newKept(), filepath.Join(t.TempDir(), "visitors-today")
		c := start(t, store, file)
		visit(c, 1, 0, 100)
		c.stop()
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 10, len(whole) / 2, len(whole) - 1} {
			if err := os.WriteFile(file, whole[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			c := New(Config{Store: store, File: file, Logger: discard()})
			if c.day != 0 || len(c.sites) != 0 || exists(t, file) {
				t.Errorf("of %d bytes of %d are taken up %d sites", n, len(whole), len(c.sites))
			}
		}
	})
}

// TestManySitesAreSavedLessOften has the file of very many busy sites written at a bounded rate, and whole.
func TestManySitesAreSavedLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, file := newKept(), filepath.Join(t.TempDir(), "visitors-today")
		c := start(t, store, file)
		saves, last := 0, time.Time{}
		const minutes = 20
		for range minutes {
			for site := range 1500 {
				visit(c, sites.SiteID(site+1), 0, exact+1)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if info, err := os.Stat(file); err == nil && !info.ModTime().Equal(last) {
				saves, last = saves+1, info.ModTime()
			}
		}
		c.stop()
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if rate := int64(saves) * info.Size() / (minutes * 60); saves == 0 || rate > savedPerSecond {
			t.Errorf("%d saves of %d bytes in %d minutes", saves, info.Size(), minutes)
		}
		if again := New(Config{Store: store, File: file, Logger: discard()}); len(again.sites) != 1500 {
			t.Errorf("%d sites are taken up", len(again.sites))
		}
	})
}

func TestSketchesAreSavedAsTheyAre(t *testing.T) {
	for _, n := range []uint64{0, 1, exact, exact + 1, 5000} {
		var s, restored sketch
		for i := range n {
			s.add(i * 0x9e3779b97f4a7c15)
		}
		if err := restored.restore(s.saved()); err != nil || restored.count() != s.count() {
			t.Errorf("of %d is restored %d, %v", s.count(), restored.count(), err)
		}
		s.add(1 << 63)
		restored.add(1 << 63)
		if restored.count() != s.count() {
			t.Errorf("after another one there are %d, want %d", restored.count(), s.count())
		}
	}
	for _, bad := range []savedSketch{{Ranks: []byte{1}}, {Few: make([]uint64, exact+1)}, {Ranks: append(make([]byte, registers-1), 200)}} {
		if err := new(sketch).restore(bad); err == nil {
			t.Errorf("a sketch of %d and %d is taken", len(bad.Few), len(bad.Ranks))
		}
	}
}
