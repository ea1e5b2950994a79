package accesslog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"berth/sites"
)

const (
	defaultTail = 100
	maxTail     = 8 << 20 // bytes of the last lines, however many are asked for
	maxBehind   = 64      // portions that wait for one who follows,
	behindBytes = 8 << 20 // and their bytes
)

// follower is one who reads along.
type follower struct {
	portions chan []byte
	waiting  atomic.Int64 // bytes of them
	missed   int          // portions that there was no room for
}

// Read writes the last lines of a site's log to w. With q.Follow it goes on with those that come until ctx is done or the site
// is gone; a reader who is too slow is told how much is left out. The error is that of the disk or of w.
func (l *Log) Read(ctx context.Context, site sites.SiteID, q sites.LogQuery, w io.Writer) error {
	if q.Tail <= 0 {
		q.Tail = defaultTail
	}
	text, f, err := l.begin(site, q)
	if err != nil {
		return err
	}
	if f != nil {
		defer l.leave(site, f)
	}
	if len(text) > 0 || q.Follow {
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	if f == nil {
		return nil
	}
	for {
		select {
		case portion, open := <-f.portions:
			if !open {
				return nil
			}
			_, err := w.Write(portion)
			if err != nil {
				return err
			}
			f.waiting.Add(-int64(len(portion)))
		case <-ctx.Done():
			return nil
		}
	}
}

// begin reads the last lines and, where the reader follows, has those told that come after exactly these.
func (l *Log) begin(site sites.SiteID, q sites.LogQuery) (text []byte, f *follower, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shelf != nil {
		if text, err = l.shelf.tail(site, q.Tail); err != nil {
			return nil, nil, err
		}
	}
	if q.Follow {
		f = &follower{portions: make(chan []byte, maxBehind)}
		l.followers[site] = append(l.followers[site], f)
	}
	return text, f, nil
}

func (l *Log) leave(site sites.SiteID, f *follower) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := slices.DeleteFunc(l.followers[site], func(other *follower) bool { return other == f })
	if len(rest) == 0 {
		delete(l.followers, site)
	} else {
		l.followers[site] = rest
	}
}

// tell passes lines on to those who follow. It waits for nobody.
func (l *Log) tell(site sites.SiteID, lines []byte) {
	for _, f := range l.followers[site] {
		if f.waiting.Load() > behindBytes {
			f.missed++
			continue
		}
		portion := bytes.Clone(lines)
		if f.missed > 0 {
			portion = fmt.Appendf(nil, "# Some lines are left out here: there are more than can be shown in time.\n%s", lines)
		}
		select {
		case f.portions <- portion:
			f.waiting.Add(int64(len(portion)))
			f.missed = 0
		default:
			f.missed++
		}
	}
}

func (l *Log) endFollowers(site sites.SiteID) {
	for _, f := range l.followers[site] {
		close(f.portions)
	}
	delete(l.followers, site)
}

// tail reads the last lines of a site, of which there may be none.
func (s *shelf) tail(id sites.SiteID, lines int) ([]byte, error) {
	site := s.sites[id]
	if site == nil {
		return nil, nil
	}
	names := []string{current}
	for _, o := range slices.Backward(site.old) {
		names = append(names, o.name)
	}
	var text []byte
	for _, name := range names {
		part, err := lastLines(filepath.Join(site.dir, name), lines-bytes.Count(text, []byte{'\n'}), maxTail-len(text))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read access log: %w", err)
		}
		text = append(part, text...)
		if len(text) >= maxTail || bytes.Count(text, []byte{'\n'}) >= lines {
			break
		}
	}
	return text, nil
}

// lastLines reads the last lines of a file, at most so many bytes of whole lines.
func lastLines(path string, lines, most int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	var text []byte
	for chunk := int64(16 << 10); ; chunk *= 4 {
		chunk = min(chunk, end, int64(most))
		text = make([]byte, chunk)
		if _, err := f.ReadAt(text, end-chunk); err != nil {
			return nil, err
		}
		if chunk == end {
			break
		}
		if chunk == int64(most) || bytes.Count(text, []byte{'\n'}) > lines {
			text = text[bytes.IndexByte(text, '\n')+1:]
			break
		}
	}
	return cutLines(text, lines), nil
}

// cutLines keeps the last lines of a text.
func cutLines(text []byte, lines int) []byte {
	at := len(text)
	for range lines {
		at = bytes.LastIndexByte(text[:max(at-1, 0)], '\n') + 1
		if at == 0 {
			break
		}
	}
	return text[at:]
}
