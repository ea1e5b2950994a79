package sites_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"berth/sites"
)

func TestRollBackAndRetention(t *testing.T) {
	b := boot(t)
	b.create("hello")
	for i := range 5 {
		if _, err := b.upload("hello", fmt.Sprint("v", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	releases, _ := b.Releases(t.Context(), b.ann, "hello")
	if len(releases) != 3 || releases[0].Number != 5 || releases[2].Number != 3 {
		t.Fatalf("kept %+v, want 5, 4, 3", releases)
	}
	if _, err := b.Activate(t.Context(), b.ann, "hello", 3); err != nil {
		t.Fatal(err)
	}
	b.await("hello")
	p, _ := b.edge.at("hello." + zone)
	if content, _ := os.ReadFile(filepath.Join(p.Root, "index.html")); p.Release != 3 || string(content) != "v3" {
		t.Errorf("rolled back to %+v holding %q", p, content)
	}
	if _, err := b.Activate(t.Context(), b.ann, "hello", 1); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("activating a pruned release: %v", err)
	}
	if _, err := b.Activate(t.Context(), b.ann, "hello", 3); !errors.Is(err, sites.ErrConflict) {
		t.Errorf("activating the active release: %v", err)
	}
}

func TestAnActivationSurvivesARestart(t *testing.T) {
	dir, runtime := t.TempDir(), newStage()
	b := bootIn(t, dir, runtime, zone)
	b.create("hello")
	for _, content := range []string{"one", "two"} {
		if _, err := b.upload("hello", content); err != nil {
			t.Fatal(err)
		}
	}
	hold := make(chan struct{})
	runtime.set(func() { runtime.hold = hold })
	if _, err := b.Activate(t.Context(), b.ann, "hello", 1); err != nil {
		t.Fatal(err)
	}
	b.stop()
	close(hold)
	b = bootIn(t, dir, runtime, zone)
	eventually(t, "release 1 is active", func() bool {
		p, _ := b.edge.at("hello." + zone)
		return p.Release == 1 && len(p.Instances) == 1
	})
}

func TestTheLastActivationWins(t *testing.T) {
	b := boot(t)
	b.create("hello")
	for _, content := range []string{"one", "two", "three"} {
		if _, err := b.upload("hello", content); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		for _, number := range []int{1, 3, 2} {
			if _, err := b.Activate(t.Context(), b.ann, "hello", number); err != nil && !errors.Is(err, sites.ErrConflict) {
				t.Fatal(err)
			}
		}
		if st := b.await("hello"); st.Active != 2 {
			t.Fatalf("active release %d, want the one that was asked for last", st.Active)
		}
	}
}

func TestMistakesDoNotPushOutOldReleases(t *testing.T) {
	b := boot(t)
	b.create("hello")
	for _, content := range []string{"one", "two", "bad", "bad", "bad", "bad", "seven"} {
		if _, err := b.upload("hello", content); err != nil && content != "bad" {
			t.Fatal(err)
		}
	}
	releases, _ := b.Releases(t.Context(), b.ann, "hello")
	kept := map[sites.ReleaseState]int{}
	for _, r := range releases {
		kept[r.State]++
	}
	if kept[sites.ReleaseReady] != 3 || kept[sites.ReleaseFailed] != 3 {
		t.Errorf("kept %v of 3 that work and 4 mistakes; at most 3 of each kind are kept", kept)
	}
}

// TestWhatServedBeforeIsKept: who went back to an old release and uploads a mistake can go back to it again.
func TestWhatServedBeforeIsKept(t *testing.T) {
	b := boot(t)
	b.create("hello")
	for i := range 3 {
		if _, err := b.upload("hello", fmt.Sprint("v", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := b.Activate(t.Context(), b.ann, "hello", 1); err != nil {
			t.Fatal(err)
		}
		b.await("hello")
		if _, err := b.upload("hello", "a mistake"); err != nil {
			t.Fatal(err)
		}
	}
	old, _ := b.Release(t.Context(), b.ann, "hello", 1)
	for range 2 {
		if _, err := b.upload("hello", "more"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Release(t.Context(), b.ann, "hello", 1); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("release 1 has served two releases ago: %+v, %v", old, err)
	}
	if kept, _ := filepath.Glob(filepath.Join(b.dir, "releases", "*", "*")); len(kept) != 3 {
		t.Errorf("content is kept of %v, want that of 3 releases", kept)
	}
}

// TestRemarksStayWithTheRelease uploads content with a faulty line, once as files that berth serves and once for an image,
// which reads them by rules of its own.
func TestRemarksStayWithTheRelease(t *testing.T) {
	remarks := []sites.Remark{{File: "_redirects", Line: 2, Sentence: "The line has no target."}}
	for image, want := range map[string][]sites.Remark{"": remarks, "nginx": nil} {
		b := bootWith(t, t.TempDir(), newStage(), zone, func(cfg *sites.Config) {
			cfg.Store = imaged{cfg.Store, image}
			cfg.Unpack = func(ctx context.Context, archive, dir string) (sites.Manifest, error) {
				m, err := unpack(ctx, archive, dir)
				m.Remarks = remarks
				return m, err
			}
		})
		b.create("hello")
		for _, content := range []string{"one", "two"} {
			if _, err := b.upload("hello", content); err != nil {
				t.Fatal(err)
			}
		}
		releases, _ := b.Releases(t.Context(), b.ann, "hello")
		for _, r := range releases {
			if !slices.Equal(r.Remarks, want) || r.State != sites.ReleaseReady {
				t.Errorf("image %q: release %+v, want remarks %v", image, r, want)
			}
		}
		if len(releases) != 2 {
			t.Errorf("image %q: releases %+v", image, releases)
		}
	}
}

// imaged is a store whose templates have an image.
type imaged struct {
	sites.Store
	image string
}

func (s imaged) Template(ctx context.Context, name string) (sites.Template, error) {
	template, err := s.Store.Template(ctx, name)
	template.Image = s.image
	return template, err
}

// TestFewerReleasesAreKept has what is over the number go with the next upload, even one that is refused or cannot start.
func TestFewerReleasesAreKept(t *testing.T) {
	for what, fails := range map[string]func(b *berth){
		"refused": func(b *berth) { _, _ = b.upload("hello", "bad") },
		"cannot start": func(b *berth) {
			b.runtime.set(func() { b.runtime.refuse = sites.Refuse(sites.ErrConflict, "It ended at once.") })
			_, _ = b.upload("hello", "v4")
		},
	} {
		b := boot(t)
		b.create("hello")
		for _, content := range []string{"v1", "v2", "v3"} {
			if _, err := b.upload("hello", content); err != nil {
				t.Fatal(err)
			}
		}
		b.stop()
		b = bootWith(t, b.dir, b.runtime, zone, func(c *sites.Config) { c.KeepReleases = 1 })
		fails(b)
		b.await("hello")
		if _, err := b.Release(t.Context(), b.ann, "hello", 1); !errors.Is(err, sites.ErrNotFound) {
			t.Fatalf("%s: release 1 is kept: %v", what, err)
		}
		if kept, _ := filepath.Glob(filepath.Join(b.dir, "releases", "*", "*")); len(kept) != 2 {
			t.Errorf("%s: content is kept of %v, want that of the active release and of the one before", what, kept)
		}
	}
}
