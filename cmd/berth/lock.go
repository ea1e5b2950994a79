package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockName is a file in the data directory.
const lockName = "lock"

// lockDataDir keeps a second service out of the data directory, whose boot would sweep away what the first is at work on.
// The kernel frees the lock with the process.
func lockDataDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, explainDir(dir, err)
	}
	f, err := os.OpenFile(lockPath(dir), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, explainDir(dir, err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("--data-dir %s: another berth is running there; stop it first, or give this one a directory of its own", dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

func lockPath(dir string) string { return filepath.Join(dir, lockName) }

// explainDir says what is wrong with a data directory.
func explainDir(dir string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("--data-dir %s: not allowed to write there; run berth as root or as the directory's owner, or give another directory", dir)
	}
	return fmt.Errorf("--data-dir %s: %w", dir, err)
}
