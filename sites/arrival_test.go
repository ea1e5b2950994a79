package sites_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"berth/sites"
)

// holdUnpacking boots a berth whose unpacking waits for the channel, and then does what then says.
func holdUnpacking(t *testing.T, then func(ctx context.Context, archive, dir string) (sites.Manifest, error)) (*berth, chan struct{}) {
	t.Helper()
	hold, ended := make(chan struct{}), make(chan struct{})
	b := bootWith(t, t.TempDir(), newStage(), zone, func(c *sites.Config) {
		c.Unpack = func(ctx context.Context, archive, dir string) (sites.Manifest, error) {
			select {
			case <-hold:
			case <-ended:
				return sites.Manifest{}, errors.New("the test has ended")
			}
			return then(ctx, archive, dir)
		}
	})
	t.Cleanup(func() { close(ended) }) // before berth is stopped, which would wait
	return b, hold
}

// receive has an upload arrive that nobody waits for.
func (b *berth) receive(name, content string) {
	b.t.Helper()
	arrival, err := b.Receive(b.t.Context(), b.ann, name, strings.NewReader(content))
	if err != nil {
		b.t.Fatal(err)
	}
	impatient, cancel := context.WithCancel(b.t.Context())
	cancel()
	if r, err := arrival.Wait(impatient); !errors.Is(err, context.Canceled) {
		b.t.Fatalf("who does not wait gets %+v, %v", r, err)
	}
}

func TestWhoHasUploadedNeedNotWait(t *testing.T) {
	b, hold := holdUnpacking(t, unpack)
	b.create("hello")
	b.receive("hello", "one")
	if st := b.await("hello"); !st.Unpacking || st.Latest != nil {
		t.Errorf("after the arrival: %+v", st)
	}
	close(hold)
	eventually(t, "the release serves", func() bool { st := b.await("hello"); return st.Active == 1 && !st.Unpacking })
	eventually(t, "nothing is left over", func() bool {
		left, err := os.ReadDir(filepath.Join(b.dir, "uploads"))
		return err == nil && len(left) == 0
	})
}

// TestAnUploadThatCameToNothingIsTold has unpacking fail for want of room, which no release can record.
func TestAnUploadThatCameToNothingIsTold(t *testing.T) {
	full := true
	b, hold := holdUnpacking(t, func(ctx context.Context, archive, dir string) (sites.Manifest, error) {
		if full {
			return sites.Manifest{}, syscall.ENOSPC
		}
		return unpack(ctx, archive, dir)
	})
	b.create("hello")
	b.receive("hello", "one")
	close(hold)
	eventually(t, "it is told", func() bool { st := b.await("hello"); return strings.Contains(st.Lost, "full") && !st.Unpacking })
	if _, err := b.Upload(t.Context(), b.ann, "hello", strings.NewReader("one")); !errors.Is(err, sites.ErrNoSpace) {
		t.Errorf("who waits gets %v", err)
	}
	if st := b.await("hello"); st.Lost != "" {
		t.Errorf("what its sender was told is told again: %q", st.Lost)
	}
	full = false
	if _, err := b.upload("hello", "one"); err != nil {
		t.Error(err)
	}
	if st := b.await("hello"); st.Lost != "" || st.Active != 1 {
		t.Errorf("after one that went well: %+v", st)
	}
}

// stopWith has berth be stopping when what is called.
func (b *berth) stopWith(what func()) {
	b.t.Helper()
	watched := func(want bool) func() bool {
		return func() (is bool) {
			b.runtime.set(func() { is = b.runtime.watched == want })
			return is
		}
	}
	eventually(b.t, "the runtime is watched", watched(true))
	stopped := make(chan struct{})
	go func() { b.stop(); close(stopped) }()
	eventually(b.t, "berth is stopping", watched(false))
	what()
	<-stopped
}

// TestAStopWaitsForWhatHasArrived unpacks while berth stops, and finds the release after a start.
func TestAStopWaitsForWhatHasArrived(t *testing.T) {
	b, hold := holdUnpacking(t, unpack)
	b.create("hello")
	b.receive("hello", "one")
	b.stopWith(func() {
		if _, err := b.Receive(t.Context(), b.ann, "hello", strings.NewReader("two")); !errors.Is(err, sites.ErrNotReady) {
			t.Errorf("an upload to a berth that stops: %v", err)
		}
		close(hold)
	})
	b = bootIn(t, b.dir, b.runtime, zone)
	eventually(t, "the release serves", func() bool { return b.await("hello").Active == 1 })
}

// TestReleasesAreInTheOrderOfArrival has the second of two uploads be unpacked at once, and the first one not.
func TestReleasesAreInTheOrderOfArrival(t *testing.T) {
	hold := make(chan struct{})
	b := bootWith(t, t.TempDir(), newStage(), zone, func(c *sites.Config) {
		c.Unpack = func(ctx context.Context, archive, dir string) (sites.Manifest, error) {
			if content, _ := os.ReadFile(archive); string(content) == "large" {
				<-hold
			}
			return unpack(ctx, archive, dir)
		}
	})
	end := sync.OnceFunc(func() { close(hold) })
	t.Cleanup(end)
	b.create("hello")
	b.create("other")
	b.receive("hello", "large")
	var newer sync.WaitGroup
	newer.Go(func() {
		if r, err := b.Upload(t.Context(), b.ann, "hello", strings.NewReader("new")); err != nil || r.Number != 2 {
			t.Errorf("the newer upload is release %d, %v", r.Number, err)
		}
	})
	if _, err := b.upload("other", "new"); err != nil {
		t.Errorf("that of another site: %v", err)
	}
	eventually(t, "both have arrived", func() bool {
		found, err := filepath.Glob(filepath.Join(b.dir, "uploads", "*.zip"))
		return err == nil && len(found) == 2
	})
	end()
	newer.Wait()
	if p, _ := b.edge.at("hello." + zone); b.await("hello").Active != 2 {
		t.Errorf("release %d serves", p.Release)
	}
}

// TestAnUploadIsForWhoeverOwnsTheSiteWhenItEnds has the site change hands while its former owner's zip is being unpacked.
func TestAnUploadIsForWhoeverOwnsTheSiteWhenItEnds(t *testing.T) {
	for what, then := range map[string]func(ctx context.Context, archive, dir string) (sites.Manifest, error){
		"a good one": unpack,
		"a bad one": func(context.Context, string, string) (sites.Manifest, error) {
			return sites.Manifest{}, sites.Refuse(sites.ErrInvalid, "This is no zip.")
		},
	} {
		b, hold := holdUnpacking(t, then)
		b.create("hello")
		b.receive("hello", "one")
		if _, err := b.UpdateSite(t.Context(), b.root, "hello", sites.SiteUpdate{Owner: new("bob")}); err != nil {
			t.Fatal(err)
		}
		close(hold)
		eventually(t, "it is over", func() bool {
			st, err := b.Site(t.Context(), b.bob, "hello")
			return err == nil && !st.Unpacking
		})
		st, err := b.Site(t.Context(), b.bob, "hello")
		if list, listErr := b.Releases(t.Context(), b.bob, "hello"); err != nil || listErr != nil || len(list) != 0 || st.Lost != "" {
			t.Errorf("%s: the new owner has %+v of the former one's, and reads %q; %v, %v", what, list, st.Lost, err, listErr)
		}
	}
}

// TestAZipThatUnpackingCannotCopeWithEndsNothingElse has unpacking panic.
func TestAZipThatUnpackingCannotCopeWithEndsNothingElse(t *testing.T) {
	b, hold := holdUnpacking(t, func(context.Context, string, string) (sites.Manifest, error) { panic("no such case") })
	close(hold)
	b.create("hello")
	for range 20 { // more than are admitted at a time
		if _, err := b.Upload(t.Context(), b.ann, "hello", strings.NewReader("one")); err == nil || errors.Is(err, sites.ErrUnavailable) {
			t.Fatalf("who waits gets %v", err)
		}
	}
	if st := b.await("hello"); st.Unpacking || st.Latest != nil {
		t.Errorf("%+v", st)
	}
	eventually(t, "nothing is left over", func() bool {
		left, err := os.ReadDir(filepath.Join(b.dir, "uploads"))
		return err == nil && len(left) == 0
	})
}
