package backup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// stagingPrefix begins the name of the directory that a run has in the data directory for what is on its way.
const stagingPrefix = ".staging-"

// Sweep removes from dir what runs have left there that were killed. Those under way keep theirs.
func Sweep(dir string) error {
	alone, err := lock(dir, unix.LOCK_EX)
	if err != nil {
		return err
	}
	return errors.Join(sweep(dir), alone.Close())
}

// makeStaging sweeps dir, and makes a directory there that remove removes. It is locked for as long, which the kernel ends with the process.
func makeStaging(dir string) (path string, remove func() error, err error) {
	alone, err := lock(dir, unix.LOCK_EX) // nobody sweeps the new one before it is locked
	if err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, alone.Close()) }()
	if err := sweep(dir); err != nil {
		return "", nil, err
	}
	if path, err = os.MkdirTemp(dir, stagingPrefix); err != nil {
		return "", nil, err
	}
	held, err := lock(path, unix.LOCK_EX)
	if err != nil {
		return "", nil, errors.Join(err, os.Remove(path))
	}
	return path, func() error { return errors.Join(os.RemoveAll(path), held.Close()) }, nil
}

func sweep(dir string) (err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), stagingPrefix) {
			err = errors.Join(err, sweepOne(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

func sweepOne(path string) error {
	left, err := lock(path, unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return nil // it is under way, or has ended just now, or is for its owner to remove
	case err != nil:
		return err
	}
	return errors.Join(os.RemoveAll(path), left.Close())
}

// lock locks a directory until the file is closed.
func lock(dir string, how int) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		return nil, errors.Join(&fs.PathError{Op: "lock", Path: dir, Err: err}, f.Close())
	}
	return f, nil
}
