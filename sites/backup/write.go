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
	"strings"
)

// Database is the name of the database in the data directory and in the archive.
const Database = "berth.db"

// beside are the directories that are taken as they are: each of their files is written as a whole, by rename or line by line.
var beside = []string{"acme", "secondary"}

// attempts bounds how often a snapshot is made anew because a release of it went meanwhile.
const attempts = 10

// Snapshot writes a consistent copy of the database to path, and returns the directories of the releases that it names,
// relative to the data directory.
type Snapshot func(ctx context.Context, path string) (releases []string, err error)

// Write writes an archive of the data directory to w: a snapshot of the database, the releases that it names, the
// certificates and what is kept of secondary zones. Logs, uploads that are still arriving and the secrets of the day stay out.
func Write(ctx context.Context, w io.Writer, dir string, snapshot Snapshot) (err error) {
	staging, remove, err := makeStaging(dir)
	if err != nil {
		return fmt.Errorf("make room for the snapshot: %w", err)
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := stage(ctx, dir, staging, snapshot); err != nil {
		return err
	}
	zip, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // most of what sites hold is compressed already
	archive := tar.NewWriter(zip)
	err = add(ctx, archive, staging, ".")
	for _, name := range beside {
		err = errors.Join(err, add(ctx, archive, dir, name))
	}
	return errors.Join(err, archive.Close(), zip.Close())
}

// stage takes the snapshot and keeps the files of its releases by hard links, so that none goes while the archive is written. What an
// attempt has kept, the next one need not keep again: so even many releases are kept faster than they go.
func stage(ctx context.Context, dir, staging string, snapshot Snapshot) error {
	var gone error
	kept := make(map[string]bool)
	for range attempts {
		to := filepath.Join(staging, Database)
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		releases, err := snapshot(ctx, to)
		if err != nil {
			return fmt.Errorf("snapshot of the database: %w", err)
		}
		gone = keep(ctx, dir, staging, releases, kept)
		if gone == nil {
			return drop(staging, kept, releases)
		}
		if !errors.Is(gone, fs.ErrNotExist) {
			return gone
		}
	}
	return fmt.Errorf("releases go faster than they can be kept: %w", gone)
}

// keep links the releases that are not kept yet. The error says which of them has gone, and the others are kept all the same.
func keep(ctx context.Context, dir, staging string, releases []string, kept map[string]bool) (gone error) {
	for _, release := range releases {
		if kept[release] {
			continue
		}
		switch err := link(ctx, dir, staging, release); {
		case errors.Is(err, fs.ErrNotExist):
			gone = fmt.Errorf("keep %s: %w", release, err)
			if err := os.RemoveAll(filepath.Join(staging, release)); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("keep %s: %w", release, err)
		default:
			kept[release] = true
		}
	}
	return gone
}

// drop removes what is kept of releases that the last snapshot does not name.
func drop(staging string, kept map[string]bool, named []string) (err error) {
	for _, release := range named {
		delete(kept, release)
	}
	for release := range kept {
		err = errors.Join(err, os.RemoveAll(filepath.Join(staging, release)))
	}
	return err
}

// link makes the release's directory anew below staging, with the same files in it: a release never changes.
func link(ctx context.Context, dir, staging, release string) error {
	return filepath.WalkDir(filepath.Join(dir, release), func(path string, d fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		to := filepath.Join(staging, strings.TrimPrefix(path, dir))
		if !d.IsDir() {
			return os.Link(path, to)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return errors.Join(os.MkdirAll(to, 0o700), os.Chmod(to, info.Mode().Perm()))
	})
}

// add writes what is below root/name under its name relative to root. A file that goes meanwhile is left out.
func add(ctx context.Context, archive *tar.Writer, root, name string) error {
	return filepath.WalkDir(filepath.Join(root, name), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return ctx.Err()
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil || relative == "." || !d.IsDir() && !d.Type().IsRegular() {
			return err
		}
		return addOne(archive, path, relative)
	})
}

func addOne(archive *tar.Writer, path, name string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header, err := tar.FileInfoHeader(info, "")
	if err != nil {
		return err
	}
	header.Name, header.Format = filepath.ToSlash(name), tar.FormatPAX
	header.Uname, header.Gname, header.Uid, header.Gid = "", "", 0, 0
	if err := archive.WriteHeader(header); err != nil || info.IsDir() {
		return err
	}
	// What is appended meanwhile is left out.
	if _, err := io.CopyN(archive, f, info.Size()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
