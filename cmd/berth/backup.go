package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"

	"golang.org/x/sys/unix"

	"berth/sites"
	"berth/sites/backup"
	"berth/sites/sqlite"
)

type backupCommand struct {
	local
	File string `arg:"" help:"Where to write it, such as berth-$(date +%F).tar.gz; - is standard output."`
}

// Run may run beside the service.
func (b backupCommand) Run(ctx context.Context, c console) error {
	if _, err := os.Stat(databasePath(b.DataDir)); err != nil {
		return fmt.Errorf("--data-dir %s: there is no berth to back up: %w", b.DataDir, err)
	}
	dir, err := filepath.Abs(b.DataDir)
	if err != nil {
		return err
	}
	var kept int
	snapshot := func(ctx context.Context, path string) ([]string, error) {
		releases, err := snapshotOf(ctx, c, dir, path)
		kept = len(releases)
		return releases, err
	}
	if b.File == "-" {
		signal.Ignore(unix.SIGPIPE) // whoever reads may end; what is on its way is removed then, too
		return backup.Write(ctx, c.out, dir, snapshot)
	}
	size, err := writeNew(b.File, func(w io.Writer) error { return backup.Write(ctx, w, dir, snapshot) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "Backed up %s with %d releases to %s, %s.\nIt holds keys and password hashes: keep it where nobody else reads it.\n",
		b.DataDir, kept, b.File, sites.Size(size))
	return err
}

// snapshotOf also lists the directories of the releases that the snapshot has.
func snapshotOf(ctx context.Context, c console, dir, path string) (releases []string, err error) {
	if err := sqlite.Snapshot(ctx, databasePath(dir), path); err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, path, quietLog(c))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	list, err := store.Releases(ctx, 0)
	for _, r := range list {
		if r.State != sites.ReleaseFailed {
			releases = append(releases, sites.ReleaseDir(r.Site, r.Number))
		}
	}
	return releases, err
}

// writeNew writes a file that only its owner can read, under its name when it is complete, and returns its size.
func writeNew(path string, write func(io.Writer) error) (size int64, err error) {
	if err := wantNone(path); err != nil {
		return 0, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".berth-backup-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.Remove(f.Name()) }() // after the rename there is none
	if err := errors.Join(write(f), f.Sync()); err != nil {
		return 0, errors.Join(err, f.Close())
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	// Again, since writing takes long. The system could see to it in one step, but not on NFS.
	if err := wantNone(path); err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(f.Name(), path)
}

func wantNone(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is there already; give another name", path)
	}
	return nil
}

func quietLog(c console) *slog.Logger {
	return slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

type restoreCommand struct {
	local
	File string `arg:"" help:"What berth backup wrote; - is standard input."`
}

// lostRevisions is more than the changes that can have come after a backup. The zones' serials follow the revisions, and
// secondaries take no zone with an older serial than theirs.
const lostRevisions = 1 << 20

// mountedName is what a file system of its own begins with.
const mountedName = "lost+found"

// Run wants a data directory that is empty, and no service there.
func (r restoreCommand) Run(ctx context.Context, c console) error {
	in := c.in
	if r.File != "-" {
		f, err := os.Open(r.File)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	unlock, err := lockDataDir(r.DataDir)
	if err != nil {
		return err
	}
	defer unlock()
	err = backup.Read(ctx, in, r.DataDir, []string{lockName, mountedName}, func(staging string) error { return r.prepare(ctx, c, staging) })
	if errors.Is(err, backup.ErrNotEmpty) {
		return fmt.Errorf("--data-dir %s: %w; move what is there away, or restore into another directory", r.DataDir, err)
	}
	if err != nil {
		return fmt.Errorf("nothing is restored: %w", err)
	}
	_, err = fmt.Fprintf(c.out, "Restored %s. Start it by berth serve --data-dir %[1]s.\n", r.DataDir)
	return err
}

// prepare checks the database, and leaves out the revisions that secondaries may have seen.
func (r restoreCommand) prepare(ctx context.Context, c console, staging string) (err error) {
	path := databasePath(staging)
	if err := sqlite.Check(ctx, path); err != nil {
		return err
	}
	store, err := sqlite.Open(ctx, path, quietLog(c))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := store.SkipRevisions(ctx, lostRevisions); err != nil {
		return err
	}
	event := &sites.Event{Actor: sites.Operator.Name, Origin: sites.Operator.Origin, Action: "berth.restore"}
	_, err = store.Write(ctx, event, func(sites.Tx) error { return nil })
	return err
}
