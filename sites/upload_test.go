package sites_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"berth/sites"
)

func TestUploadGoesLive(t *testing.T) {
	b := boot(t)
	b.create("hello")
	r, err := b.upload("hello", "one")
	if err != nil || r.State != sites.ReleaseReady || r.ActivatedAt.IsZero() {
		t.Fatalf("release %+v, %v", r, err)
	}
	st := b.await("hello")
	p, _ := b.edge.at("hello." + zone)
	if st.State != sites.StateRunning || p.State != sites.StateRunning || p.Release != 1 || len(p.Instances) == 0 {
		t.Errorf("state %s, published %+v", st.State, p)
	}
	if content, _ := os.ReadFile(filepath.Join(p.Root, "index.html")); string(content) != "one" {
		t.Errorf("root %s holds %q", p.Root, content)
	}
	if left, _ := os.ReadDir(filepath.Join(b.dir, "uploads")); len(left) != 0 {
		t.Errorf("left in uploads: %v", left)
	}
}

func TestFailuresLeaveTheOldReleaseServing(t *testing.T) {
	b := boot(t)
	b.create("hello")
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	before, _ := b.edge.at("hello." + zone)

	if _, err := b.upload("hello", "bad"); !errors.Is(err, sites.ErrInvalid) {
		t.Errorf("refused archive: %v", err)
	}
	b.runtime.set(func() {
		b.runtime.refuse = sites.Refuse(sites.ErrConflict, "It ended at once.")
	})
	if r, err := b.upload("hello", "two"); err != nil || r.State != sites.ReleaseFailed || r.Reason != "It ended at once." {
		t.Errorf("release that cannot start: %+v, %v", r, err)
	}
	b.runtime.set(func() { b.runtime.refuse = errors.New("pq: secret internal text") })
	if r, _ := b.upload("hello", "three"); strings.Contains(r.Reason, "secret") || r.Reason == "" {
		t.Errorf("internal text shown to people: %q", r.Reason)
	}

	after, _ := b.edge.at("hello." + zone)
	if after.Release != 1 || !slices.Equal(after.Instances, before.Instances) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	releases, _ := b.Releases(t.Context(), b.ann, "hello")
	if len(releases) != 4 || releases[2].Reason != "The entry x breaks rule y." {
		t.Errorf("releases = %+v", releases)
	}
	if dirs, _ := os.ReadDir(filepath.Dir(after.Root)); len(dirs) != 1 {
		t.Errorf("files of failed releases are kept: %v", dirs)
	}
}

func TestUploadLimits(t *testing.T) {
	b := boot(t)
	b.create("hello")
	if _, err := b.upload("hello", strings.Repeat("x", 2000)); !errors.Is(err, sites.ErrTooLarge) {
		t.Errorf("over the upload limit: %v", err)
	}
	if _, err := b.upload("hello", strings.Repeat("x", 101)); !errors.Is(err, sites.ErrQuota) {
		t.Errorf("over the owner's quota: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(b.dir, "uploads")); len(left) != 0 {
		t.Errorf("left in uploads: %v", left)
	}
}

func TestUploadToAStoppedSiteWaitsForItsStart(t *testing.T) {
	b := boot(t)
	b.create("hello")
	if _, err := b.StopSite(t.Context(), b.ann, "hello"); err != nil {
		t.Fatal(err)
	}
	if r, err := b.upload("hello", "one"); err != nil || r.State != sites.ReleaseReady {
		t.Fatalf("%+v, %v", r, err)
	}
	if st := b.await("hello"); st.State != sites.StateStopped || st.Active != 1 || b.runtime.count() != 0 {
		t.Errorf("status %+v with %d instances", st, b.runtime.count())
	}
}

func TestAnOlderUploadDoesNotPushOutANewerOne(t *testing.T) {
	b := boot(t)
	b.create("hello")
	hold := make(chan struct{})
	b.runtime.set(func() { b.runtime.hold = hold })
	for _, content := range []string{"one", "two", "three"} {
		if _, err := b.Upload(t.Context(), b.ann, "hello", strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	close(hold)
	st := b.await("hello")
	if st.Active != 3 {
		t.Errorf("active release %d, want the newest", st.Active)
	}
	releases, _ := b.Releases(t.Context(), b.ann, "hello")
	for _, r := range releases {
		if r.State != sites.ReleaseReady {
			t.Errorf("release %d is %s", r.Number, r.State)
		}
	}
}

func TestAnUploadThatARollBackOvertakesIsNotLeftPreparing(t *testing.T) {
	b := boot(t)
	b.create("hello")
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	hold := make(chan struct{})
	b.runtime.set(func() { b.runtime.hold = hold })
	if _, err := b.Upload(t.Context(), b.ann, "hello", strings.NewReader("two")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Upload(t.Context(), b.ann, "hello", strings.NewReader("three")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Activate(t.Context(), b.ann, "hello", 1); err != nil {
		t.Fatal(err)
	}
	close(hold)
	if st := b.await("hello"); st.Active != 1 {
		t.Errorf("active release %d, want the one that was asked for last", st.Active)
	}
	releases, _ := b.Releases(t.Context(), b.ann, "hello")
	for _, r := range releases {
		if r.State != sites.ReleaseReady {
			t.Errorf("release %d is %s", r.Number, r.State)
		}
	}
}

func TestAWriteThatFailsLeavesNoFiles(t *testing.T) {
	b := boot(t)
	b.create("hello")
	b.fault.fail.Store(true)
	if _, err := b.upload("hello", "one"); err == nil {
		t.Fatal("the upload was accepted")
	}
	b.fault.fail.Store(false)
	if left, _ := filepath.Glob(filepath.Join(b.dir, "releases", "*", "*")); len(left) != 0 {
		t.Errorf("files without a release: %v", left)
	}
	if r, err := b.upload("hello", "one"); err != nil || r.Number != 1 {
		t.Errorf("the next upload: %+v, %v", r, err)
	}
}

func TestUploadToASiteThatIsDeletedMeanwhile(t *testing.T) {
	b := boot(t)
	b.create("hello")
	body := io.MultiReader(strings.NewReader("one"), readerFunc(func([]byte) (int, error) {
		if err := b.DeleteSite(t.Context(), b.ann, "hello"); err != nil && !errors.Is(err, sites.ErrNotFound) {
			t.Error(err)
		}
		return 0, io.EOF
	}))
	if _, err := b.Upload(t.Context(), b.ann, "hello", body); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("err = %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestUploadsAreAdmittedInBounds(t *testing.T) {
	b := boot(t)
	b.create("hello")
	arrived, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			body := readerFunc(func([]byte) (int, error) {
				arrived <- struct{}{}
				<-release
				return 0, io.EOF
			})
			if _, err := b.Upload(t.Context(), b.ann, "hello", body); err != nil {
				t.Errorf("an upload within the bounds: %v", err)
			}
		})
		<-arrived
	}
	if _, err := b.upload("hello", "four"); !errors.Is(err, sites.ErrUnavailable) {
		t.Errorf("a fourth upload at the same time: %v", err)
	}
	close(release)
	wg.Wait()
	if _, err := b.upload("hello", "five"); err != nil {
		t.Errorf("an upload after the others: %v", err)
	}
}
