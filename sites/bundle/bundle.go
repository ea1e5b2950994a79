package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// TempPrefix begins the name of the directory, beside the wanted one, in which an archive is unpacked. After a
// crash such a directory may be left; whoever owns the parent directory sweeps it.
const TempPrefix = ".bundle-"

// Limits bounds what an archive may unpack to.
type Limits struct {
	Bytes int64 // all files together, unpacked
	Files int   // files; files and folders together, and the entries of the zip, may be twice as many
	// Ratio is how many bytes one packed byte may become, for any file and for all together. It is not asked of
	// what unpacks to less than RatioFrom: a small honest file may be very compressible. Zero: no bound.
	Ratio     int64
	RatioFrom int64
}

// DefaultLimits is 500 MB in 20,000 files.
func DefaultLimits() Limits {
	return Limits{Bytes: 500 << 20, Files: 20_000, Ratio: 250, RatioFrom: 32 << 20}
}

// entries is how many entries, files and folders together, are read at all. Twice the files leaves room for the
// folders, and for the shadow that macOS adds to every file and that is dropped.
func (l Limits) entries() int { return 2 * l.Files }

// Report is what an archive held.
type Report struct {
	Files int
	Bytes int64
	Index bool // there is an index.html at the root
}

// Extract unpacks the zip file archive to dir, which must not exist while its parent must. When it returns
// without error dir is complete and on disk; otherwise nothing is left. A single top folder is unwrapped, and what
// macOS and Windows leave in folders is dropped. Directories get mode 0755 and files 0644, whatever the zip says.
//
// The error is a *Fault where the archive is to blame.
func Extract(ctx context.Context, archive, dir string, limits Limits) (Report, error) {
	f, err := os.Open(archive)
	if err != nil {
		return Report{}, fmt.Errorf("open archive: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Report{}, fmt.Errorf("open archive: %w", err)
	}
	// A section reader answers any offset, however wild, with bytes or io.EOF; the file would answer some with
	// an errno, which is what a failing disk says.
	content := io.NewSectionReader(f, 0, info.Size())
	toc, err := readContents(ctx, content, limits)
	if err != nil {
		return Report{}, err
	}
	p, err := newPlan(ctx, toc, limits)
	if err != nil {
		return Report{}, err
	}
	if err := place(ctx, p, dir, limits); err != nil {
		return Report{}, err
	}
	return Report{Files: len(p.files), Bytes: p.bytes, Index: p.index}, nil
}

// place unpacks beside dir, makes that durable, and gives it its name.
func place(ctx context.Context, p *plan, dir string, limits Limits) (err error) {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return fmt.Errorf("unpack to %s: %w", dir, err)
	}
	leftover, err := os.MkdirTemp(filepath.Dir(dir), TempPrefix+"*")
	if err != nil {
		return fmt.Errorf("make temporary directory: %w", err)
	}
	defer func() {
		if err == nil {
			return
		}
		if removeErr := os.RemoveAll(leftover); removeErr != nil {
			err = errors.Join(err, fmt.Errorf("clean up: %w", removeErr))
		}
	}()
	if err := unpack(ctx, p, leftover, limits); err != nil {
		return err
	}
	if err := os.Rename(leftover, dir); err != nil {
		return fmt.Errorf("name unpacked directory: %w", err)
	}
	leftover = dir
	return syncParent(dir)
}

// unpack writes the plan to the empty directory temp and waits until it is on disk.
func unpack(ctx context.Context, p *plan, temp string, limits Limits) error {
	root, err := os.OpenRoot(temp)
	if err != nil {
		return fmt.Errorf("open temporary directory: %w", err)
	}
	defer root.Close()
	if err := writeAll(ctx, p, root, limits); err != nil {
		return err
	}
	// The temporary directory was private so far; the umask may have narrowed anything.
	if err := root.Chmod(".", dirMode); err != nil {
		return fmt.Errorf("open up unpacked directory: %w", err)
	}
	top, err := root.Open(".")
	if err != nil {
		return fmt.Errorf("sync unpacked files: %w", err)
	}
	defer top.Close()
	// One call for the whole file system: fsync of each of 20,000 files would take minutes on a slow disk.
	if err := unix.Syncfs(int(top.Fd())); err != nil {
		return fmt.Errorf("sync unpacked files: %w", err)
	}
	return ctx.Err()
}

func syncParent(dir string) error {
	parent, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return fmt.Errorf("sync parent directory: %w", err)
	}
	defer parent.Close()
	if err := parent.Sync(); err != nil {
		return fmt.Errorf("sync parent directory: %w", err)
	}
	return nil
}
