package backup_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"berth/sites/backup"
)

// tree makes files, given as path and content.
func tree(t *testing.T, dir string, files ...string) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(files[i+1]), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

// listing is each file below dir with its mode and content.
func listing(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		info, _ := d.Info()
		all = append(all, strings.TrimPrefix(path, dir+"/")+" "+info.Mode().String()+" "+string(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// snapshot stands in for the database's.
func snapshot(releases ...string) backup.Snapshot {
	return func(_ context.Context, path string) ([]string, error) {
		return releases, os.WriteFile(path, []byte("rows"), 0o600)
	}
}

func wellPrepared(string) error { return nil }

func TestWhatIsInAndWhatIsNot(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	tree(t, dir, "releases/1/2/index.html", "hello", "releases/1/2/sub/a.js", "a", "releases/1/1/index.html", "of no row",
		"acme/ca/key.pem", "key", "secondary/example.org", "zone", "uploads/upload-1.zip", "zip", "logs/hello-1/access.log", "line",
		"visitors-today", "secret", "berth.db", "the live one", "berth.db-wal", "log", "lock", "")
	if err := os.Chmod(filepath.Join(dir, "acme/ca/key.pem"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := listing(t, dir)
	var archive bytes.Buffer
	if err := backup.Write(t.Context(), &archive, dir, snapshot("releases/1/2")); err != nil {
		t.Fatal(err)
	}
	if after := listing(t, dir); !slices.Equal(before, after) {
		t.Errorf("the data directory has become\n%s", strings.Join(after, "\n"))
	}
	tree(t, to, "lock", "")
	if err := backup.Read(t.Context(), &archive, to, []string{"lock"}, wellPrepared); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"acme/ca/key.pem -rw------- key", "berth.db -rw------- rows", "lock -rw-r--r-- ", "releases/1/2/index.html -rw-r--r-- hello",
		"releases/1/2/sub/a.js -rw-r--r-- a", "secondary/example.org -rw-r--r-- zone",
	}
	if got := listing(t, to); !slices.Equal(got, want) {
		t.Errorf("restored\n%s", strings.Join(got, "\n"))
	}
	if info, err := os.Stat(filepath.Join(to, "releases/1/2")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the release's directory is %v, %v", info.Mode(), err)
	}
}

// TestAReleaseThatGoesMeanwhile has the first two snapshots name a release that is gone when its files are looked for.
func TestAReleaseThatGoesMeanwhile(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, "releases/1/3/index.html", "three")
	asked := 0
	changing := func(ctx context.Context, path string) ([]string, error) {
		if asked++; asked < 3 {
			return snapshot("releases/1/3", "releases/1/2")(ctx, path)
		}
		return snapshot("releases/1/3")(ctx, path)
	}
	if err := backup.Write(t.Context(), &bytes.Buffer{}, dir, changing); err != nil || asked != 3 {
		t.Errorf("after %d snapshots: %v", asked, err)
	}
	if err := backup.Write(t.Context(), &bytes.Buffer{}, dir, snapshot("releases/1/2")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a release that is never there: %v", err)
	}
}

// TestReleasesThatKeepGoing has a release go with each snapshot, as on a busy server, more than there are attempts.
func TestReleasesThatKeepGoing(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	for i := range 20 {
		tree(t, dir, fmt.Sprintf("releases/1/%d/index.html", i), "page")
	}
	asked := 0
	changing := func(ctx context.Context, path string) (releases []string, err error) {
		for i := asked; i < 20; i++ {
			if asked == 0 || i != 15 { // one that has gone from the second on, and was kept by then
				releases = append(releases, fmt.Sprint("releases/1/", i))
			}
		}
		defer func() {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, fmt.Sprint("releases/1/", asked))))
			asked++
		}()
		return snapshot(releases...)(ctx, path)
	}
	var archive bytes.Buffer
	if err := backup.Write(t.Context(), &archive, dir, changing); err != nil {
		t.Fatal(err)
	}
	if err := backup.Read(t.Context(), &archive, to, nil, wellPrepared); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := asked - 1; i < 20; i++ {
		if i != 15 {
			want = append(want, fmt.Sprintf("releases/1/%d/index.html -rw-r--r-- page", i))
		}
	}
	want = append(want, "berth.db -rw------- rows")
	slices.Sort(want)
	if got := listing(t, to); !slices.Equal(got, want) {
		t.Errorf("after %d snapshots there is\n%s", asked, strings.Join(got, "\n"))
	}
}

// TestWhatAKilledRunHasLeft has two runs, one within the other, meet what a third has left.
func TestWhatAKilledRunHasLeft(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	left := []string{".staging-1/berth.db", "rows", ".staging-1/releases/1/1/index.html", "of before"}
	tree(t, dir, append(left, "releases/1/2/index.html", "hello")...)
	tree(t, to, left...)
	var archive bytes.Buffer
	outer := func(ctx context.Context, path string) ([]string, error) {
		if err := backup.Write(ctx, &bytes.Buffer{}, dir, snapshot("releases/1/2")); err != nil {
			t.Errorf("a second run: %v", err)
		}
		if err := backup.Sweep(dir); err != nil {
			t.Error(err)
		}
		return snapshot("releases/1/2")(ctx, path)
	}
	if err := backup.Write(t.Context(), &archive, dir, outer); err != nil {
		t.Fatal(err)
	}
	if all := listing(t, dir); len(all) != 1 {
		t.Errorf("after the backups there is %v", all)
	}
	if err := backup.Read(t.Context(), &archive, to, nil, wellPrepared); err != nil {
		t.Fatal(err)
	}
	if all := listing(t, to); len(all) != 2 {
		t.Errorf("after the restore there is %v", all)
	}
}

func TestWhatIsNotRestored(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, "releases/1/2/index.html", strings.Repeat("hello ", 1000))
	var whole bytes.Buffer
	if err := backup.Write(t.Context(), &whole, dir, snapshot("releases/1/2")); err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole.Bytes())
	flipped[len(flipped)-8] ^= 1 // of the checksum
	for what, archive := range map[string][]byte{
		"nothing":           {},
		"no archive":        []byte("hello"),
		"a part":            whole.Bytes()[:whole.Len()/2],
		"all but the end":   whole.Bytes()[:whole.Len()-4],
		"a damaged one":     flipped,
		"without database":  packed(t, tar.Header{Name: "releases/1/2/index.html", Typeflag: tar.TypeReg}),
		"a path that leads": packed(t, tar.Header{Name: "../outside", Typeflag: tar.TypeReg}, tar.Header{Name: backup.Database, Typeflag: tar.TypeReg}),
		"an absolute path":  packed(t, tar.Header{Name: "/outside", Typeflag: tar.TypeReg}, tar.Header{Name: backup.Database, Typeflag: tar.TypeReg}),
		"a link":            packed(t, tar.Header{Name: "acme", Typeflag: tar.TypeSymlink, Linkname: "/etc"}, tar.Header{Name: backup.Database, Typeflag: tar.TypeReg}),
		"a file twice":      packed(t, tar.Header{Name: backup.Database, Typeflag: tar.TypeReg}, tar.Header{Name: backup.Database, Typeflag: tar.TypeReg}),
	} {
		to := t.TempDir()
		if err := backup.Read(t.Context(), bytes.NewReader(archive), to, nil, wellPrepared); err == nil {
			t.Errorf("%s is restored", what)
		}
		if left := listing(t, to); len(left) > 0 {
			t.Errorf("%s leaves %v", what, left)
		}
	}
	to := t.TempDir()
	refuse := errors.New("no")
	if err := backup.Read(t.Context(), bytes.NewReader(whole.Bytes()), to, nil, func(string) error { return refuse }); !errors.Is(err, refuse) || len(listing(t, to)) > 0 {
		t.Errorf("refused: %v, and left %v", err, listing(t, to))
	}
	tree(t, to, "berth.db", "mine")
	if err := backup.Read(t.Context(), bytes.NewReader(whole.Bytes()), to, []string{"lock"}, wellPrepared); !errors.Is(err, backup.ErrNotEmpty) {
		t.Errorf("over what is there: %v", err)
	}
	if left := listing(t, to); len(left) != 1 || !strings.HasSuffix(left[0], "mine") {
		t.Errorf("what was there has become %v", left)
	}
}

// packed makes an archive of empty files.
func packed(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for _, h := range headers {
		h.Mode = 0o644
		if err := archive.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
