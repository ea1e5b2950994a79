package backup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNotEmpty says that the directory has data already.
var ErrNotEmpty = errors.New("the directory is not empty")

// Read restores an archive that Write made into dir, which must be empty but for what is in except. prepare is called with
// a directory that has all of it before any of it is in place: on an error of it or of the archive dir stays as it was.
func Read(ctx context.Context, r io.Reader, dir string, except []string, prepare func(staging string) error) (err error) {
	staging, remove, err := makeStaging(dir)
	if err != nil {
		return fmt.Errorf("make room for what is restored: %w", err)
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := wantEmpty(dir, append([]string{filepath.Base(staging)}, except...)); err != nil {
		return err
	}
	if err := extract(ctx, r, staging); err != nil {
		return err
	}
	if err := prepare(staging); err != nil {
		return err
	}
	return moveAll(staging, dir)
}

func wantEmpty(dir string, except []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !slices.Contains(except, e.Name()) {
			return fmt.Errorf("%w: it has %s", ErrNotEmpty, e.Name())
		}
	}
	return nil
}

func extract(ctx context.Context, r io.Reader, dir string) error {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("this is no backup of berth's: %w", err)
	}
	root, err := os.OpenRoot(dir) // no name leads out of it
	if err != nil {
		return err
	}
	defer root.Close()
	in := whole{zip}
	archive := tar.NewReader(in)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, tar.ErrHeader) {
			return fmt.Errorf("this is no backup of berth's: %w", err)
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if err := extractOne(root, header, archive); err != nil {
			return fmt.Errorf("%q in the backup: %w", header.Name, err)
		}
	}
	if _, err := io.Copy(io.Discard, in); err != nil { // the checksum is at the end
		return err
	}
	if _, err := root.Stat(Database); err != nil {
		return fmt.Errorf("this is no backup of berth's: there is no %s in it", Database)
	}
	return nil
}

// whole has errors of reading say what they mean.
type whole struct{ r io.Reader }

func (w whole) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("the backup is damaged: %w", err)
	}
	return n, err
}

func extractOne(root *os.Root, header *tar.Header, content io.Reader) error {
	name := filepath.FromSlash(strings.TrimSuffix(header.Name, "/"))
	switch header.Typeflag {
	case tar.TypeDir:
		return errors.Join(root.MkdirAll(name, 0o700), root.Chmod(name, permissions(header)))
	case tar.TypeReg:
	default:
		return fmt.Errorf("neither a file nor a directory (tar type %q)", header.Typeflag)
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Chmod(permissions(header)), f.Sync(), f.Close(), root.Chtimes(name, header.ModTime, header.ModTime))
}

// permissions are kept: a container reads its site's files as another user.
func permissions(header *tar.Header) fs.FileMode { return fs.FileMode(header.Mode) & fs.ModePerm }

// moveAll moves the database last: without it the directory is no installation.
func moveAll(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		if e.Name() != Database {
			names = append(names, e.Name())
		}
	}
	for _, name := range append(names, Database) {
		if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return fmt.Errorf("put in place: %w", err)
		}
	}
	d, err := os.Open(to)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
