package accesslog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"berth/sites"
)

const patience = 30 * time.Second

// world is a Log with a directory of its own that runs.
type world struct {
	*Log
	t    *testing.T
	dir  string
	said *bytes.Buffer // guarded by the test's own order of things
	stop func()
}

func start(t *testing.T, cfg Config) *world {
	t.Helper()
	w := &world{t: t, dir: cfg.DataDir, said: &bytes.Buffer{}}
	if w.dir == "" {
		w.dir = t.TempDir()
	}
	cfg.DataDir = w.dir
	if cfg.Format == "" {
		cfg.Format = Combined
	}
	if cfg.SiteBytes == 0 {
		cfg.SiteBytes = 1 << 20
	}
	if cfg.TotalBytes == 0 {
		cfg.TotalBytes = 1 << 30
	}
	cfg.Logger = slog.New(slog.NewTextHandler(w.said, nil))
	w.Log = New(cfg)
	if w.shelf != nil {
		w.shelf.free = func(string) (int64, error) { return 1 << 40, nil }
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	w.stop = func() { cancel(); running.Wait() }
	t.Cleanup(w.stop)
	return w
}

// exist has just these sites exist.
func (w *world) exist(ids ...sites.SiteID) {
	ch := sites.Change{Full: true}
	for _, id := range ids {
		ch.Sites = append(ch.Sites, published(id))
	}
	w.Apply(ch)
}

func published(id sites.SiteID) sites.Published {
	name := siteName(id)
	return sites.Published{ID: id, Name: name, Hosts: []string{name + ".example.org"}}
}

func siteName(id sites.SiteID) string { return fmt.Sprintf("site%d", id) }

func (w *world) visit(id sites.SiteID, targets ...string) {
	hits := make([]sites.Hit, len(targets))
	for i, target := range targets {
		hits[i] = hitOf(id, siteName(id), target)
	}
	w.Take(hits)
}

// targets are what the lines of a text have asked for.
func targets(text string) (all []string) {
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(line, `"GET `)
		target, _, _ := strings.Cut(rest, " ")
		all = append(all, target)
	}
	return all
}

func (w *world) tail(id sites.SiteID, n int) []string {
	w.t.Helper()
	var out bytes.Buffer
	if err := w.Read(w.t.Context(), id, sites.LogQuery{Tail: n}, &out); err != nil {
		w.t.Fatal(err)
	}
	return targets(out.String())
}

// onDisk is what all files of a site hold together, and how many they are.
func (w *world) onDisk(id sites.SiteID) (bytes int64, files int) {
	w.t.Helper()
	paths, err := filepath.Glob(filepath.Join(w.dir, "logs", dirName(siteName(id), id), "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just gone
		}
		if err != nil {
			w.t.Fatal(err)
		}
		bytes += info.Size()
		files++
	}
	return bytes, files
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain: %s", what)
		}
	}
}

func TestEachSiteHasItsOwnLog(t *testing.T) {
	w := start(t, Config{})
	w.exist(1, 2)
	w.visit(1, "/a", "/b")
	w.visit(2, "/c")
	w.visit(1, "/d")
	if got := w.tail(1, 2); !slices.Equal(got, []string{"/b", "/d"}) {
		t.Errorf("the last two of site 1 are %v", got)
	}
	if got := w.tail(2, 100); !slices.Equal(got, []string{"/c"}) {
		t.Errorf("those of site 2 are %v", got)
	}
	if got := w.tail(3, 100); len(got) != 0 {
		t.Errorf("those of a site that nobody has visited are %v", got)
	}
	if info, err := os.Stat(filepath.Join(w.dir, "logs")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others may see the directory: %v, %v", info.Mode(), err)
	}
}

func TestRotationKeepsTheNewestLines(t *testing.T) {
	w := start(t, Config{SiteBytes: 5000})
	w.exist(1)
	for i := range 500 {
		w.visit(1, fmt.Sprintf("/%03d", i))
	}
	bytes, files := w.onDisk(1)
	if bytes > 5000 || bytes < 3000 || files != filesPerSite {
		t.Errorf("%d files of %d bytes together", files, bytes)
	}
	got := w.tail(1, 20)
	if len(got) != 20 || got[0] != "/480" || got[19] != "/499" {
		t.Errorf("the last lines, over several files, are %v", got)
	}
	all := w.tail(1, 5000)
	if len(all) < 30 || all[len(all)-1] != "/499" || !slices.IsSorted(all) {
		t.Errorf("all lines are %v", all)
	}
	if w.Stats().Bytes != bytes {
		t.Errorf("%d bytes are told of %d", w.Stats().Bytes, bytes)
	}
}

func TestALargePortionIsSpreadOverFiles(t *testing.T) {
	w := start(t, Config{SiteBytes: 5000})
	w.exist(1)
	var list []string
	for i := range 300 {
		list = append(list, fmt.Sprintf("/%03d", i))
	}
	w.visit(1, list...)
	w.visit(1, "/"+strings.Repeat("x", 3000))
	if bytes, files := w.onDisk(1); bytes > 5000+3100 || files > filesPerSite {
		t.Errorf("%d files of %d bytes together", files, bytes)
	}
}

func TestTheOldestOfAllSitesGoFirst(t *testing.T) {
	w := start(t, Config{SiteBytes: 10_000, TotalBytes: 12_000})
	w.exist(1, 2, 3)
	hit := hitOf(1, siteName(1), "/oldest")
	w.Take([]sites.Hit{hit})
	for i := range 400 {
		id := sites.SiteID(2 + i%2)
		hit := hitOf(id, siteName(id), fmt.Sprintf("/%03d", i))
		hit.Time = hit.Time.Add(time.Duration(i+1) * time.Second)
		w.Take([]sites.Hit{hit})
	}
	if got := w.tail(1, 10); len(got) != 0 {
		t.Errorf("the oldest line is still there: %v", got)
	}
	for id := range sites.SiteID(2) {
		if got := w.tail(id+2, 1); len(got) != 1 || got[0] != fmt.Sprintf("/%03d", 398+id) {
			t.Errorf("the newest line of site %d is %v", id+2, got)
		}
	}
	if n := w.Stats().Bytes; n > 12_000 {
		t.Errorf("all files take %d bytes", n)
	}
	w.visit(1, "/again")
	if got := w.tail(1, 10); !slices.Equal(got, []string{"/again"}) {
		t.Errorf("the site whose log went writes %v", got)
	}
}

func TestOpenFilesAreBounded(t *testing.T) {
	w := start(t, Config{})
	ids := make([]sites.SiteID, 3*maxOpen)
	for i := range ids {
		ids[i] = sites.SiteID(i + 1)
	}
	w.exist(ids...)
	for range 2 {
		for _, id := range ids {
			w.visit(id, "/")
		}
	}
	if w.shelf.open.Len() > maxOpen {
		t.Errorf("%d files are open", w.shelf.open.Len())
	}
	for _, id := range ids {
		if got := w.tail(id, 10); len(got) != 2 {
			t.Fatalf("site %d has %v", id, got)
		}
	}
}

func TestLogsGoWithTheirSites(t *testing.T) {
	w := start(t, Config{})
	w.exist(1, 2, 3)
	for id := sites.SiteID(1); id <= 3; id++ {
		w.visit(id, "/")
	}
	w.Apply(sites.Change{Gone: []string{"site1.example.org"}})
	eventually(t, "the log of site 1 goes", func() bool { _, files := w.onDisk(1); return files == 0 })
	w.visit(1, "/late")
	if _, files := w.onDisk(1); files != 0 {
		t.Error("a request that ended late brought the log back")
	}
	w.stop()

	// The process was away while site 2 went.
	again := start(t, Config{DataDir: w.dir})
	again.exist(3)
	eventually(t, "the log of site 2 goes", func() bool { _, files := again.onDisk(2); return files == 0 })
	again.visit(3, "/more")
	if got := again.tail(3, 10); !slices.Equal(got, []string{"/", "/more"}) {
		t.Errorf("over the restart site 3 has %v", got)
	}
	if bytes, _ := again.onDisk(3); again.Stats().Bytes != bytes {
		t.Errorf("%d bytes are told of %d", again.Stats().Bytes, bytes)
	}
}

func TestASiteMadeAnewSeesNothingOfTheOld(t *testing.T) {
	w := start(t, Config{})
	w.exist(1)
	w.visit(1, "/secret")
	w.Apply(sites.Change{
		Gone:  []string{"site1.example.org"},
		Sites: []sites.Published{{ID: 9, Name: "site1", Hosts: []string{"site1.example.org"}}},
	})
	w.Take([]sites.Hit{hitOf(9, "site1", "/mine")})
	if got := w.tail(9, 10); !slices.Equal(got, []string{"/mine"}) {
		t.Errorf("the new site sees %v", got)
	}
	eventually(t, "the old log goes", func() bool { return len(w.tail(1, 10)) == 0 })
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	kept := []string{"logs/README", "logs/notes/x", "logs/site1-1/keep.txt"}
	for _, path := range kept {
		full := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := start(t, Config{DataDir: dir, SiteBytes: 500, TotalBytes: 600})
	w.exist(1)
	for range 50 {
		w.visit(1, "/")
	}
	for _, path := range kept {
		if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
			t.Error(err)
		}
	}
}

func TestAFullDiskStopsTheLogsAndSaysSoOnce(t *testing.T) {
	w := start(t, Config{})
	w.exist(1)
	w.visit(1, "/before")
	w.shelf.free = func(string) (int64, error) { return reserve, nil }
	w.visit(1, "/lost")
	w.visit(1, "/lost", "/lost")
	if s := w.Stats(); s.Lost != 3 || s.Lines != 1 || !strings.Contains(s.Err, "disk is full") {
		t.Errorf("told is %+v", s)
	}
	w.shelf.free = func(string) (int64, error) { return 1 << 40, nil }
	w.visit(1, "/after")
	if s := w.Stats(); s.Lines != 2 || s.Err != "" {
		t.Errorf("with room again, told is %+v", s)
	}
	if got := w.tail(1, 10); !slices.Equal(got, []string{"/before", "/after"}) {
		t.Errorf("the log has %v", got)
	}
	if n := strings.Count(w.said.String(), "cannot be written"); n != 1 {
		t.Errorf("the trouble is told %d times:\n%s", n, w.said)
	}
}

// TestNoLineIsWrittenInPart has the kernel refuse the rest of a write, as a quota does.
func TestNoLineIsWrittenInPart(t *testing.T) {
	w := start(t, Config{})
	w.exist(1)
	w.visit(1, "/before")
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	size, _ := w.onDisk(1)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(size) + 20, Max: old.Max}); err != nil {
		t.Skipf("needs to bound the size of files: %v", err)
	}
	w.visit(1, "/lost")
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	w.visit(1, "/after")
	if got := w.tail(1, 10); !slices.Equal(got, []string{"/before", "/after"}) {
		t.Errorf("the log has %v", got)
	}
	if w.Stats().Lost != 1 {
		t.Errorf("told is %+v", w.Stats())
	}
}

func TestABrokenOffLineIsEnded(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "logs", dirName(siteName(1), 1), current)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(`192.0.2.1 - - [14/Mar`), 0o600); err != nil {
		t.Fatal(err)
	}
	w := start(t, Config{DataDir: dir})
	w.exist(1)
	w.visit(1, "/after")
	if got := w.tail(1, 1); !slices.Equal(got, []string{"/after"}) {
		t.Errorf("the last line is %v", got)
	}
}

func TestLogThatOthersRemoveGoesOn(t *testing.T) {
	w := start(t, Config{SiteBytes: 500})
	w.exist(1)
	w.visit(1, "/before")
	if err := os.RemoveAll(filepath.Join(w.dir, "logs", dirName(siteName(1), 1))); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		w.visit(1, "/after")
	}
	if got := w.tail(1, 1); !slices.Equal(got, []string{"/after"}) {
		t.Errorf("the last line is %v", got)
	}
}

// follow reads along and returns what comes, line by line.
func (w *world) follow(id sites.SiteID, n int) (lines <-chan string, stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	in, out := io.Pipe()
	all := make(chan string, 1000)
	var reading sync.WaitGroup
	reading.Go(func() {
		_ = out.CloseWithError(w.Read(ctx, id, sites.LogQuery{Tail: n, Follow: true}, out))
	})
	reading.Go(func() {
		defer close(all)
		text := make([]byte, 64<<10)
		for {
			n, err := in.Read(text)
			for line := range strings.Lines(string(text[:n])) {
				all <- line
			}
			if err != nil {
				return
			}
		}
	})
	return all, func() { cancel(); reading.Wait() }
}

func receive(t *testing.T, from <-chan string) string {
	t.Helper()
	select {
	case line := <-from:
		return line
	case <-time.After(patience):
		t.Fatal("no line comes")
		return ""
	}
}

func TestWhoFollowsSeesEachLineOnce(t *testing.T) {
	for _, format := range []Format{Combined, Off} {
		t.Run(string(format), func(t *testing.T) {
			w := start(t, Config{Format: format})
			w.exist(1, 2)
			w.visit(1, "/1", "/2", "/3")
			lines, stop := w.follow(1, 2)
			defer stop()
			eventually(t, "someone follows", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.followers) == 1 })
			w.visit(2, "/other")
			w.visit(1, "/4", "/5")
			want := []string{"/2", "/3", "/4", "/5"}
			if format == Off {
				want = want[2:]
			}
			for _, target := range want {
				if got := targets(receive(t, lines)); !slices.Equal(got, []string{target}) {
					t.Errorf("the line is of %v, want %s", got, target)
				}
			}
			w.Apply(sites.Change{Gone: []string{"site1.example.org"}})
			if line := receive(t, lines); line != "" {
				t.Errorf("after the end of the site comes %q", line)
			}
			if _, err := os.Stat(filepath.Join(w.dir, "logs")); format == Off && err == nil {
				t.Error("there is a directory for logs that are off")
			}
		})
	}
}

func TestASlowReaderHoldsUpNobody(t *testing.T) {
	w := start(t, Config{})
	w.exist(1)
	ctx, cancel := context.WithCancel(t.Context())
	letGo, ended := make(chan struct{}), make(chan struct{})
	slow := &slowWriter{letGo: letGo}
	go func() {
		defer close(ended)
		_ = w.Read(ctx, 1, sites.LogQuery{Follow: true}, slow)
	}()
	eventually(t, "someone follows", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.followers) == 1 })
	for range 3 * maxBehind {
		w.visit(1, "/")
	}
	close(letGo)
	eventually(t, "the reader is told that it has missed some", func() bool {
		w.visit(1, "/")
		return strings.Contains(slow.String(), "left out")
	})
	cancel()
	<-ended
}

func TestASlowReaderKeepsLittleWaiting(t *testing.T) {
	w := start(t, Config{})
	w.exist(1)
	ctx, cancel := context.WithCancel(t.Context())
	letGo, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_ = w.Read(ctx, 1, sites.LogQuery{Follow: true}, &slowWriter{letGo: letGo})
	}()
	eventually(t, "someone follows", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.followers) == 1 })
	w.mu.Lock()
	f, portion := w.followers[1][0], make([]byte, 1<<20)
	for range maxBehind {
		w.tell(1, portion)
	}
	w.mu.Unlock()
	if most := behindBytes/len(portion) + 1; len(f.portions) > most {
		t.Errorf("%d portions wait, want %d at most", len(f.portions), most)
	}
	close(letGo)
	cancel()
	<-ended
}

// slowWriter takes nothing until it is let go.
type slowWriter struct {
	letGo <-chan struct{}
	mu    sync.Mutex
	text  bytes.Buffer
}

func (s *slowWriter) Write(p []byte) (int, error) {
	<-s.letGo
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *slowWriter) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
