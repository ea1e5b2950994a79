package bundle

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzExtract holds the promises of Extract for any bytes: it does not panic, stays below dir and the limits, leaves
// nothing on error, and reports what there is.
func FuzzExtract(f *testing.F) {
	for _, tt := range hostile {
		f.Add(tt.zip)
	}
	f.Add(zipOf(stored("site/index.html", page), deflated("site/a/b", page)))
	f.Add(raw{zip64: true, entries: []entry{{name: "index.html", body: page, wide: true}}}.bytes())
	f.Add(written(f, map[string]string{"index.html": page, "a/b": "c"}))
	base := "/dev/shm" // syncfs is free there
	if _, err := os.Stat(base); err != nil {
		base = ""
	}
	f.Fuzz(func(t *testing.T, archive []byte) {
		parent, err := os.MkdirTemp(base, "fuzz-extract-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(parent)
		dir := filepath.Join(parent, "work", "out")
		if err := os.Mkdir(filepath.Dir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		report, err := Extract(t.Context(), putArchive(t, parent, archive), dir, small())
		if left := names(t, parent); left != "upload.zip work" {
			t.Errorf("outside: %s", left)
		}
		if err != nil {
			var fault *Fault
			if left := names(t, filepath.Dir(dir)); !errors.As(err, &fault) || left != "" {
				t.Errorf("error %v, left behind: %q", err, left)
			}
			return
		}
		checkReport(t, report, tree(t, dir))
	})
}

func checkReport(t *testing.T, report Report, found map[string]string) {
	t.Helper()
	var got Report
	for path, body := range found {
		if !strings.HasSuffix(path, "/") {
			got.Files++
			got.Bytes += int64(len(body))
		}
	}
	_, got.Index = found["index.html"]
	limits := small()
	if got != report || got.Files == 0 || got.Files > limits.Files || got.Bytes > limits.Bytes || len(found) > limits.entries() {
		t.Errorf("reported %+v, found %+v in %d entries", report, got, len(found))
	}
}
