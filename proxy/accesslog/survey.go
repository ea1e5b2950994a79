package accesslog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"berth/sites"
)

// dirName tells people the name and berth the number, which is never used twice: a site made anew does not get to see the log of
// another of that name.
func dirName(name string, id sites.SiteID) string {
	return name + "-" + strconv.FormatInt(int64(id), 10)
}

// siteOf reads a directory's name.
func siteOf(dir string) (sites.SiteID, bool) {
	id, err := strconv.ParseInt(dir[strings.LastIndexByte(dir, '-')+1:], 10, 64)
	return sites.SiteID(id), err == nil && id > 0 && strings.Contains(dir, "-")
}

const (
	oldPrefix = "access-"
	oldSuffix = ".log"
	oldTime   = "20060102-150405.000"
)

func oldName(ended time.Time) string { return oldPrefix + ended.UTC().Format(oldTime) + oldSuffix }

// oldEnd reads the name of a file that was rotated away.
func oldEnd(name string) (time.Time, bool) {
	text, ok := strings.CutPrefix(name, oldPrefix)
	text, ok2 := strings.CutSuffix(text, oldSuffix)
	ended, err := time.Parse(oldTime, text)
	return ended, ok && ok2 && err == nil
}

// survey takes stock of what is on disk. What it does not know it leaves alone.
func (s *shelf) survey() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("make log directory: %w", err)
	}
	dirs, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("read log directory: %w", err)
	}
	var faults []error
	for _, d := range dirs {
		id, ok := siteOf(d.Name())
		if !ok || !d.IsDir() {
			continue
		}
		site := &siteLog{dir: filepath.Join(s.dir, d.Name())}
		s.sites[id] = site
		faults = append(faults, s.surveySite(site))
	}
	return errors.Join(faults...)
}

func (s *shelf) surveySite(site *siteLog) error {
	files, err := os.ReadDir(site.dir)
	if err != nil {
		return fmt.Errorf("read log directory: %w", err)
	}
	for _, f := range files {
		info, err := f.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		if err != nil {
			return fmt.Errorf("read log directory: %w", err)
		}
		if f.Name() == current {
			site.size, site.last = info.Size(), info.ModTime()
		} else if ended, ok := oldEnd(f.Name()); ok {
			site.old = append(site.old, oldFile{f.Name(), info.Size(), ended})
		} else {
			continue
		}
		s.total += info.Size()
	}
	slices.SortFunc(site.old, func(a, b oldFile) int { return cmp.Or(a.ended.Compare(b.ended), cmp.Compare(a.name, b.name)) })
	return nil
}
