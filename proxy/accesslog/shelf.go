package accesslog

import (
	"bytes"
	"cmp"
	"container/list"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"berth/sites"
)

const (
	filesPerSite = 5   // so many files a site's share is in; the oldest goes when it is used up
	maxOpen      = 128 // files
	// reserve is how much of the disk the logs leave alone, so that changes can be recorded.
	reserve = 128 << 20
)

// errReserve says that the disk is full, as far as logs are concerned.
var errReserve = fmt.Errorf("less than %d MB of the disk are free: %w", reserve>>20, syscall.ENOSPC)

// sentence is what people are told of an error.
func sentence(err error) string {
	if errors.Is(err, syscall.ENOSPC) {
		return "The disk is full, so no access logs are written."
	}
	return "Access logs cannot be written: see the log."
}

// shelf is the files of all sites: logs/<name>-<id>/access.log, and beside it those that are rotated away. It is not safe
// for concurrent use.
type shelf struct {
	dir       string
	fileBytes int64 // of one file
	siteFiles int   // of one site
	limit     int64 // bytes of all
	free      func(dir string) (int64, error)

	sites map[sites.SiteID]*siteLog
	open  *list.List // of *siteLog that have a file open, the one last used first
	total int64
}

// siteLog is the files of one site.
type siteLog struct {
	dir   string
	size  int64     // of access.log
	last  time.Time // that something was written there
	old   []oldFile // the oldest first
	file  *os.File  // nil: not open
	place *list.Element
}

// oldFile is a file that was rotated away.
type oldFile struct {
	name  string
	size  int64
	ended time.Time
}

const current = "access.log"

func newShelf(dir string, siteBytes, limit int64) *shelf {
	return &shelf{
		dir: dir, fileBytes: max(siteBytes/filesPerSite, 1), siteFiles: filesPerSite, limit: limit, free: freeBytes,
		sites: make(map[sites.SiteID]*siteLog), open: list.New(),
	}
}

func freeBytes(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", dir, err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}

func (s *shelf) siteIDs() []sites.SiteID {
	ids := make([]sites.SiteID, 0, len(s.sites))
	for id := range s.sites {
		ids = append(ids, id)
	}
	return ids
}

// write appends whole lines to a site's log; at is when the last of them came to be. With an error some of them may be
// missing, and none is there in part.
func (s *shelf) write(id sites.SiteID, name string, lines []byte, at time.Time) error {
	site := s.sites[id]
	if site == nil {
		site = &siteLog{dir: filepath.Join(s.dir, dirName(name, id))}
	}
	if free, err := s.free(s.dir); err != nil {
		return err
	} else if free-int64(len(lines)) < reserve {
		return errReserve
	}
	s.sites[id] = site
	for len(lines) > 0 {
		portion := fitting(lines, s.fileBytes-site.size)
		if portion == 0 && site.size > 0 {
			if err := s.rotate(site, at); err != nil {
				return err
			}
			continue
		}
		if portion == 0 {
			portion = bytes.IndexByte(lines, '\n') + 1 // a line that is longer than a file
		}
		if err := s.append(site, lines[:portion], at); err != nil {
			return err
		}
		lines = lines[portion:]
	}
	return s.shed()
}

// fitting is the length of the whole lines that fit into so many bytes.
func fitting(lines []byte, room int64) int {
	if room <= 0 {
		return 0
	}
	return bytes.LastIndexByte(lines[:min(int64(len(lines)), room)], '\n') + 1
}

func (s *shelf) append(site *siteLog, lines []byte, at time.Time) error {
	if err := s.ready(site); err != nil {
		return err
	}
	n, err := site.file.Write(lines)
	if err != nil {
		if n > 0 {
			err = errors.Join(err, site.file.Truncate(site.size))
		}
		return fmt.Errorf("write access log: %w", err)
	}
	site.size += int64(n)
	site.last = at
	s.total += int64(n)
	return nil
}

// ready opens the site's file, and closes the one that was used least lately where there are too many.
func (s *shelf) ready(site *siteLog) error {
	if site.file != nil {
		s.open.MoveToFront(site.place)
		return nil
	}
	if s.open.Len() >= maxOpen {
		s.closeFile(s.open.Back().Value.(*siteLog))
	}
	f, size, err := openLog(site.dir)
	if err != nil {
		return fmt.Errorf("open access log: %w", err)
	}
	s.total += size - site.size // others may have cut it
	site.size, site.file = size, f
	site.place = s.open.PushFront(site)
	return nil
}

// openLog opens the file that lines are appended to. One that broke off in a line, as when the power failed, gets that line ended.
func openLog(dir string) (f *os.File, size int64, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, 0, err
	}
	f, err = os.OpenFile(filepath.Join(dir, current), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return f, 0, err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], info.Size()-1); err != nil || last[0] == '\n' {
		return f, info.Size(), err
	}
	n, err := f.WriteString("\n")
	return f, info.Size() + int64(n), err
}

func (s *shelf) closeFile(site *siteLog) {
	if site.file == nil {
		return
	}
	_ = site.file.Close() // all is written, and nothing is synced in any case
	s.open.Remove(site.place)
	site.file, site.place = nil, nil
}

// rotate puts the site's file aside, under the time of its end, and removes the oldest where there are too many.
func (s *shelf) rotate(site *siteLog, at time.Time) error {
	s.closeFile(site)
	name := oldName(at)
	for slices.ContainsFunc(site.old, func(o oldFile) bool { return o.name == name }) {
		at = at.Add(time.Millisecond)
		name = oldName(at)
	}
	err := os.Rename(filepath.Join(site.dir, current), filepath.Join(site.dir, name))
	switch {
	case err == nil:
		site.old = append(site.old, oldFile{name, site.size, at})
	case errors.Is(err, fs.ErrNotExist):
		s.total -= site.size // others have removed it
	default:
		return fmt.Errorf("rotate access log: %w", err)
	}
	site.size = 0
	for len(site.old) >= s.siteFiles {
		if err := s.dropOld(site, 0); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) dropOld(site *siteLog, i int) error {
	if err := removed(filepath.Join(site.dir, site.old[i].name)); err != nil {
		return err
	}
	s.total -= site.old[i].size
	site.old = slices.Delete(site.old, i, i+1)
	return nil
}

func removed(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove access log: %w", err)
	}
	return nil
}

// shed removes the oldest files of all sites while they take too much together, and a twentieth more, so that this is rare.
func (s *shelf) shed() error {
	if s.total <= s.limit {
		return nil
	}
	type candidate struct {
		site *siteLog
		at   time.Time
	}
	var all []candidate
	for _, site := range s.sites {
		for _, o := range site.old {
			all = append(all, candidate{site, o.ended})
		}
		if site.size > 0 {
			all = append(all, candidate{site, site.last})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.site.dir, b.site.dir)) })
	for _, c := range all {
		if s.total <= s.limit-s.limit/20 {
			break
		}
		if err := s.dropOldest(c.site); err != nil {
			return err
		}
	}
	return nil
}

// dropOldest removes the oldest file of a site.
func (s *shelf) dropOldest(site *siteLog) error {
	if len(site.old) > 0 {
		return s.dropOld(site, 0)
	}
	s.closeFile(site)
	if err := removed(filepath.Join(site.dir, current)); err != nil {
		return err
	}
	s.total -= site.size
	site.size = 0
	return nil
}

// remove removes all of a site.
func (s *shelf) remove(id sites.SiteID) error {
	site := s.sites[id]
	s.closeFile(site)
	if err := os.RemoveAll(site.dir); err != nil {
		return fmt.Errorf("remove access log: %w", err)
	}
	s.total -= site.size
	for _, o := range site.old {
		s.total -= o.size
	}
	delete(s.sites, id)
	return nil
}

func (s *shelf) close() {
	for s.open.Len() > 0 {
		s.closeFile(s.open.Front().Value.(*siteLog))
	}
}
