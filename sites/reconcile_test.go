package sites_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"berth/sites"
)

func TestAnEngineThatIsAwayDoesNotCostAnUpload(t *testing.T) {
	b := boot(t)
	b.create("hello")
	b.runtime.set(func() { b.runtime.refuse = sites.Refuse(sites.ErrUnavailable, "The engine does not answer.") })
	r, err := b.upload("hello", "one")
	if err != nil || r.State != sites.ReleasePreparing {
		t.Fatalf("%+v, %v", r, err)
	}
	if st := b.await("hello"); st.State != sites.StateEmpty || st.Reason != "The engine does not answer." {
		t.Errorf("state %s because %q", st.State, st.Reason)
	}
	b.runtime.set(func() { b.runtime.refuse = nil })
	eventually(t, "the release is live", func() bool {
		p, _ := b.edge.at("hello." + zone)
		return p.Release == 1 && len(p.Instances) == 1
	})
}

func TestReconcileRepairs(t *testing.T) {
	b := boot(t)
	st := b.create("hello")
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	before, _ := b.edge.at("hello." + zone)

	b.runtime.set(func() {
		clear(b.runtime.running) // the instance dies
		b.runtime.running["stray"] = sites.Instance{ID: "stray", Site: st.ID + 77, Release: 1}
	})
	eventually(t, "a new instance serves and the stray one is gone", func() bool {
		p, _ := b.edge.at("hello." + zone)
		return len(p.Instances) == 1 && !slices.Equal(p.Instances, before.Instances) && b.runtime.count() == 1
	})

	b.runtime.set(func() { b.runtime.down, b.runtime.listed = true, 0 })
	eventually(t, "the list was asked for three times in vain", func() bool {
		b.runtime.mu.Lock()
		defer b.runtime.mu.Unlock()
		return b.runtime.listed >= 3
	})
	if p, _ := b.edge.at("hello." + zone); len(p.Instances) == 0 {
		t.Error("an engine that does not answer had its instances forgotten")
	}
}

func TestBootHealsWhatACrashLeft(t *testing.T) {
	dir, runtime := t.TempDir(), newStage()
	b := bootIn(t, dir, runtime, zone)
	b.create("hello")
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	served, _ := b.edge.at("hello." + zone)
	hold := make(chan struct{})
	runtime.set(func() { runtime.hold = hold })
	if _, err := b.Upload(t.Context(), b.ann, "hello", strings.NewReader("two")); err != nil {
		t.Fatal(err)
	}
	b.stop() // the second release is recorded and not started
	close(hold)
	for _, orphan := range []string{"uploads/upload-1.zip", "releases/99/1/index.html", "releases/junk/x"} {
		path := filepath.Join(dir, orphan)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}

	b = bootIn(t, dir, runtime, zone)
	eventually(t, "the accepted release goes on", func() bool {
		p, _ := b.edge.at("hello." + zone)
		return p.Release == 2 && p.Root != served.Root && p.State == sites.StateRunning
	})
	eventually(t, "one instance runs", func() bool { return runtime.count() == 1 })
	for _, gone := range []string{"uploads/upload-1.zip", "releases/99", "releases/junk"} {
		if _, err := os.Stat(filepath.Join(dir, gone)); !os.IsNotExist(err) {
			t.Errorf("%s is still there", gone)
		}
	}
}

func TestRestartTakesUpRunningInstances(t *testing.T) {
	dir, runtime := t.TempDir(), newStage()
	b := bootIn(t, dir, runtime, zone)
	b.create("hello")
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	before, _ := b.edge.at("hello." + zone)
	b.stop()
	b = bootIn(t, dir, runtime, zone)
	if after, _ := b.edge.at("hello." + zone); !slices.Equal(after.Instances, before.Instances) {
		t.Errorf("before %v, after %v", before.Instances, after.Instances)
	}
}

func TestAnotherZoneRenamesTheSites(t *testing.T) {
	dir, runtime := t.TempDir(), newStage()
	b := bootIn(t, dir, runtime, zone)
	b.create("hello")
	b.stop()
	b = bootIn(t, dir, runtime, "other.example")
	if _, ok := b.edge.at("hello.other.example"); !ok {
		t.Error("the site has no host in the new zone")
	}
	if _, ok := b.edge.at("hello." + zone); ok {
		t.Error("the old host still routes")
	}
}

// A full change is read while others change things; it must not bring back the state before them.
func TestAFullChangeDoesNotUndoWhatHappensMeanwhile(t *testing.T) {
	b := boot(t)
	var read, entered atomic.Int64
	fn := func(q sites.RecordQuery) {
		// Not each time: then the last attempt would have other changes wait, this one included.
		if q != (sites.RecordQuery{}) || entered.Load() == 20 || read.Add(1)%3 == 0 {
			return
		}
		if _, err := b.enter(b.root, fmt.Sprintf("late.@ 60 TXT %d", entered.Add(1))); err != nil {
			t.Error(err)
		}
	}
	b.fault.reading.Store(&fn)
	last := 0
	b.edge.mu.Lock()
	b.edge.onApply = func(ch sites.Change) {
		for _, set := range ch.RRSets {
			if set.Type == "TXT" && len(set.Data) < last {
				t.Errorf("%d of %d records after a change, full: %v", len(set.Data), last, ch.Full)
			}
			last = len(set.Data)
		}
	}
	b.edge.mu.Unlock()
	eventually(t, "records are entered while everything is read", func() bool { return entered.Load() == 20 })
	full := func() (n int) {
		b.edge.mu.Lock()
		defer b.edge.mu.Unlock()
		for _, ch := range b.edge.changes {
			if ch.Full && len(ch.RRSets) > 0 && len(ch.RRSets[0].Data) == 20 {
				n++
			}
		}
		return n
	}
	eventually(t, "a full change has them all", func() bool { return full() > 0 })
}
