package bundle

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// tree reads a directory as path → content; folders end in a slash and have none. It fails on anything that is
// neither, and on modes that are not what is promised.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(path, dir), "/")
		switch info.Mode() {
		case fs.ModeDir | 0o755:
			if rel != "" {
				found[rel+"/"] = ""
			}
		case 0o644:
			body, err := os.ReadFile(path)
			found[rel] = string(body)
			return err
		default:
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// written is an archive as archive/zip's writer makes it, with data descriptors.
func written(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.SetComment("made by hand PK\x05\x06"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestExtractHonestArchives(t *testing.T) {
	type files map[string]string
	for name, tt := range map[string]struct {
		zip   []byte
		want  files
		index bool
	}{
		"plain": {
			zipOf(stored("index.html", page), deflated("css/a.css", "a{}"), stored("empty", "")),
			files{"index.html": page, "css/": "", "css/a.css": "a{}", "empty": ""},
			true,
		},
		"one top folder": {
			zipOf(folderEntry("site/"), stored("site/index.html", page), folderEntry("site/img/"), stored("site/img/a", "a")),
			files{"index.html": page, "img/": "", "img/a": "a"},
			true,
		},
		"one top folder that is not listed, with junk beside it": {
			zipOf(
				stored("site/index.html", page), stored("__MACOSX/._site", "x"), stored(".DS_Store", "x"),
				stored("__MACOSX/site/._index.html", "x"), stored("site/Thumbs.db", "x"), stored("site/sub/.DS_Store", "x"),
			),
			files{"index.html": page},
			true,
		},
		"only the top folder is unwrapped":     {zipOf(stored("a/b/index.html", page)), files{"b/": "", "b/index.html": page}, false},
		"two top folders":                      {zipOf(stored("a/x", "1"), stored("b/x", "2")), files{"a/": "", "a/x": "1", "b/": "", "b/x": "2"}, false},
		"a top folder and an empty one":        {zipOf(stored("a/x", "1"), folderEntry("b/")), files{"a/": "", "a/x": "1", "b/": ""}, false},
		"a top folder and a file like it":      {zipOf(stored("ab/x", "1"), stored("abc", "2")), files{"ab/": "", "ab/x": "1", "abc": "2"}, false},
		"a top folder that is content":         {zipOf(stored(".well-known/x", "1")), files{".well-known/": "", ".well-known/x": "1"}, false},
		"one file":                             {zipOf(stored("page.html", page)), files{"page.html": page}, false},
		"dots and empty parts in names":        {zipOf(folderEntry("./"), stored("./index.html", page), stored(".//a//b", "")), files{"index.html": page, "a/": "", "a/b": ""}, true},
		"names in UTF-8 without the flag":      {zipOf(stored("grüße/日本.html", page), stored("x", "")), files{"grüße/": "", "grüße/日本.html": page, "x": ""}, false},
		"a folder listed twice":                {zipOf(folderEntry("a/"), folderEntry("a/"), stored("a/x", ""), stored("x", "")), files{"a/": "", "a/x": "", "x": ""}, false},
		"a folder by its attributes":           {zipOf(entry{name: "a", creator: fromUnix, attrs: 0o040700 << 16}, stored("x", "")), files{"a/": "", "x": ""}, false},
		"modes that are not ours":              {zipOf(entry{name: "a", body: "x", creator: fromUnix, attrs: 0o104777 << 16}, entry{name: "d/", creator: fromUnix, attrs: 0o040000 << 16}), files{"a": "x", "d/": ""}, false},
		"Zip64":                                {raw{zip64: true, entries: []entry{{name: "index.html", body: page, wide: true}, stored("a", "1")}}.bytes(), files{"index.html": page, "a": "1"}, true},
		"Zip64 that is not needed":             {raw{zip64: true, modest: true, entries: []entry{stored("index.html", page), stored("a", "1")}}.bytes(), files{"index.html": page, "a": "1"}, true},
		"bytes after the end":                  {append(zipOf(stored("index.html", page)), "\r\n"...), files{"index.html": page}, true},
		"very compressible but small":          {zipOf(deflated("a", zeros(60<<10))), files{"a": zeros(60 << 10)}, false},
		"exactly at the limits":                {zipOf(append(many(9, "f%d"), stored("g", zeros(1<<20)))...), files{"f0": "", "f1": "", "f2": "", "f3": "", "f4": "", "f5": "", "f6": "", "f7": "", "f8": "", "g": zeros(1 << 20)}, false},
		"archive/zip's writer and its comment": {written(t, files{"index.html": page, "a/b": "c"}), files{"index.html": page, "a/": "", "a/b": "c"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "out")
			report, err := Extract(t.Context(), putArchive(t, parent, tt.zip), dir, small())
			if err != nil {
				t.Fatal(err)
			}
			got := tree(t, dir)
			if !maps.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			want := Report{Index: tt.index}
			for path, body := range tt.want {
				if !strings.HasSuffix(path, "/") {
					want.Files++
					want.Bytes += int64(len(body))
				}
			}
			if report != want {
				t.Errorf("report %+v, want %+v", report, want)
			}
			if left := names(t, parent); left != "out upload.zip" {
				t.Errorf("beside the result: %s", left)
			}
		})
	}
}

// It is judged and not written: 18,000 files take some disks a while.
func TestDefaultLimitsTakeAnHonestSite(t *testing.T) {
	entries := []entry{deflated("index.html", page), deflated("blank.bmp", zeros(20<<20))}
	for _, format := range []string{"blog/%d.html", "docs/%d/", "docs/%d/index.html"} {
		entries = append(entries, many(9000, format)...)
	}
	archive := zipOf(entries...)
	toc, err := readContents(t.Context(), io.NewSectionReader(bytes.NewReader(archive), 0, int64(len(archive))), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(t.Context(), toc, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.files) != 18_002 || len(p.dirs) != 9_002 || p.bytes != 20<<20+int64(len(page)) || !p.index {
		t.Errorf("%d files, %d folders, %d bytes, index %v", len(p.files), len(p.dirs), p.bytes, p.index)
	}
}

func TestModesDoNotDependOnTheUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	parent := t.TempDir()
	dir := filepath.Join(parent, "out")
	if _, err := Extract(t.Context(), putArchive(t, parent, zipOf(stored("a/b", ""), stored("c", ""))), dir, small()); err != nil {
		t.Fatal(err)
	}
	tree(t, dir) // fails on a mode that is not 0755 or 0644
}

func TestExtractLeavesAnExistingDirectoryAlone(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "out")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Extract(t.Context(), putArchive(t, parent, zipOf(stored("a", ""))), dir, small())
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v, want fs.ErrExist", err)
	}
	if left := names(t, parent) + ":" + names(t, dir); left != "out upload.zip:" {
		t.Errorf("left behind: %s", left)
	}
}

func TestMissingArchiveIsNoFault(t *testing.T) {
	_, err := Extract(t.Context(), filepath.Join(t.TempDir(), "none.zip"), filepath.Join(t.TempDir(), "out"), small())
	var fault *Fault
	if !errors.Is(err, fs.ErrNotExist) || errors.As(err, &fault) {
		t.Errorf("error %v, want fs.ErrNotExist and no Fault", err)
	}
}

// expiring is a context that is canceled once it has been asked so many times.
type expiring struct {
	context.Context
	left int
}

func (c *expiring) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestCancellationAtAnyInstantLeavesNothing(t *testing.T) {
	parent := t.TempDir()
	archive := putArchive(t, parent, zipOf(stored("index.html", page), stored("d/big", zeros(1<<19)), stored("last", "")))
	asked := 0
	for ; ; asked++ {
		_, err := Extract(&expiring{t.Context(), asked}, archive, filepath.Join(parent, "out"), small())
		if err == nil {
			break
		}
		if left := names(t, parent); !errors.Is(err, context.Canceled) || left != "upload.zip" {
			t.Fatalf("canceled at question %d: %v, left behind: %s", asked, err, left)
		}
	}
	// The big file alone is read in eight pieces.
	if asked < 16 {
		t.Errorf("the context was asked %d times: not within a file", asked)
	}
}
