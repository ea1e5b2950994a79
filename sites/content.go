package sites

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// content is where releases live on disk: releases/<site>/<number>, uploads/ for what is still arriving, and trash/ for what
// boot found without a row. A directory below releases/ is complete or absent: it gets there by rename.
type content struct {
	releases string
	uploads  string
	trash    string
}

// trashAge is how long trash is kept: a database restored from a backup knows fewer releases than the disk.
const trashAge = 7 * 24 * time.Hour

// MinFree is how much of the disk uploads leave alone, so that a change can always be recorded.
const MinFree = 256 << 20

func openContent(dataDir string) (content, error) {
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return content{}, fmt.Errorf("data directory: %w", err)
	}
	c := content{releases: filepath.Join(dir, releasesDir), uploads: filepath.Join(dir, "uploads"), trash: filepath.Join(dir, "trash")}
	for _, d := range []string{c.releases, c.uploads, c.trash} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return content{}, fmt.Errorf("make content directory: %w", err)
		}
	}
	return c, nil
}

// releasesDir is where releases are, in the data directory.
const releasesDir = "releases"

// ReleaseDir is the directory of a release, relative to the data directory.
func ReleaseDir(site SiteID, number int) string {
	return filepath.Join(releasesDir, siteDirName(site), strconv.Itoa(number))
}

func siteDirName(site SiteID) string { return strconv.FormatInt(int64(site), 10) }

// dir is the directory of a release.
func (c content) dir(site SiteID, number int) string {
	return filepath.Join(c.siteDir(site), strconv.Itoa(number))
}

func (c content) siteDir(site SiteID) string { return filepath.Join(c.releases, siteDirName(site)) }

// receive copies at most limit bytes of body to a new file and returns its path.
func (c content) receive(ctx context.Context, body io.Reader, limit int64) (path string, err error) {
	f, err := os.CreateTemp(c.uploads, "upload-*.zip")
	if err != nil {
		return "", noSpaceOr(fmt.Errorf("create upload file: %w", err))
	}
	defer func() {
		if closeErr := f.Close(); err == nil && closeErr != nil {
			err = noSpaceOr(closeErr)
		}
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	n, err := io.Copy(f, io.LimitReader(contextReader{ctx, body}, limit+1))
	if err != nil {
		return "", noSpaceOr(fmt.Errorf("receive upload: %w", err))
	}
	if n > limit {
		return "", Refuse(ErrTooLarge, "The zip is larger than the %d MB that are allowed.", limit>>20)
	}
	return f.Name(), nil
}

// contextReader ends a copy when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// zip is the path of an upload's file.
func (c content) zip(name string) string { return filepath.Join(c.uploads, name) }

func (c content) hasZip(name string) bool {
	info, err := os.Stat(c.zip(name))
	return err == nil && info.Mode().IsRegular()
}

// syncZip has an upload's file outlast a loss of power, and returns its size.
func (c content) syncZip(path string) (bytes int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err == nil {
		bytes = info.Size()
	}
	return bytes, errors.Join(err, f.Sync(), f.Close(), syncDir(c.uploads))
}

// removeZip may fail without harm: boot sweeps what nobody names.
func (s *Service) removeZip(path string) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("removing an upload's file failed", "error", err)
	}
}

// staging returns a path below uploads that does not exist yet.
func (c content) staging(archive string) string { return archive + ".content" }

// keep moves an unpacked directory to where the release is served from, durably.
func (c content) keep(unpacked string, site SiteID, number int) error {
	if err := os.MkdirAll(c.siteDir(site), 0o700); err != nil {
		return noSpaceOr(fmt.Errorf("make site directory: %w", err))
	}
	if err := os.Rename(unpacked, c.dir(site, number)); err != nil {
		return noSpaceOr(fmt.Errorf("keep release: %w", err))
	}
	err := errors.Join(syncDir(c.siteDir(site)), syncDir(c.releases))
	if err != nil {
		err = errors.Join(noSpaceOr(err), c.removeRelease(site, number))
	}
	return err
}

// room refuses when the disk is almost full, before an upload makes it so.
func (c content) room() error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(c.uploads, &fs); err != nil {
		return fmt.Errorf("look for room: %w", err)
	}
	if fs.Bavail*uint64(fs.Bsize) < MinFree {
		return noSpaceOr(syscall.ENOSPC)
	}
	return nil
}

func (c content) removeRelease(site SiteID, number int) error {
	return os.RemoveAll(c.dir(site, number))
}

func (c content) removeSite(site SiteID) error { return os.RemoveAll(c.siteDir(site)) }

// sweep clears away whatever a crash left behind: of the uploads all but the kept ones, directories that wanted does not name become
// trash, and old trash goes. It must run before the first upload.
func (c content) sweep(wanted func(site SiteID, number int) bool, kept []KeptArrival) error {
	old := time.Now().Add(-trashAge)
	errs := []error{
		clearDir(c.uploads, func(e fs.DirEntry) (bool, error) {
			return !slices.ContainsFunc(kept, func(a KeptArrival) bool { return a.File == e.Name() }), nil
		}),
		clearDir(c.trash, func(e fs.DirEntry) (bool, error) {
			info, err := e.Info()
			return err == nil && info.ModTime().Before(old), err
		}),
	}
	siteDirs, err := os.ReadDir(c.releases)
	if err != nil {
		return fmt.Errorf("sweep releases: %w", err)
	}
	for _, d := range siteDirs {
		errs = append(errs, c.sweepSite(d, wanted))
	}
	return errors.Join(errs...)
}

func (c content) sweepSite(d fs.DirEntry, wanted func(SiteID, int) bool) error {
	path := filepath.Join(c.releases, d.Name())
	id, err := strconv.ParseInt(d.Name(), 10, 64)
	if err != nil {
		return c.discard(path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("sweep site: %w", err)
	}
	var errs []error
	kept := 0
	for _, e := range entries {
		number, err := strconv.Atoi(e.Name())
		if err == nil && wanted(SiteID(id), number) {
			kept++
			continue
		}
		errs = append(errs, c.discard(filepath.Join(path, e.Name())))
	}
	if kept == 0 {
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}

// discard moves what nobody names to the trash, dated so that its age counts from now.
func (c content) discard(path string) error {
	name := strings.ReplaceAll(strings.TrimPrefix(path, c.releases+string(filepath.Separator)), string(filepath.Separator), "-")
	target := filepath.Join(c.trash, strconv.FormatInt(time.Now().UnixNano(), 10)+"-"+name)
	if err := os.Rename(path, target); err != nil {
		return err
	}
	return os.Chtimes(target, time.Time{}, time.Now())
}

// clearDir removes the entries that have no use any more.
func clearDir(dir string, useless func(fs.DirEntry) (bool, error)) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("clear %s: %w", filepath.Base(dir), err)
	}
	var errs []error
	for _, e := range entries {
		is, err := useless(e)
		if is {
			err = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// noSpaceOr turns a full disk or quota into a Refusal and leaves other errors as they are.
func noSpaceOr(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return Refuse(ErrNoSpace, "The server's disk is full. Nothing was changed; ask an admin to make room.")
	}
	return err
}
