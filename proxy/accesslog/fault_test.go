package accesslog

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

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
