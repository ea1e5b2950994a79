package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"berth/dnsserver/zone"
)

const (
	maxJournaled = 100_000     // names of a zone that has a journal on disk
	journalPause = time.Minute // after a failure
)

// journal keeps on disk what peers were sent of a zone of ours, so that after a restart they get what has changed, and not the whole
// zone. It runs behind the changes and nobody waits for it: what a crash takes off its end are versions that nobody knows any more, and
// who has one of them gets the whole zone.
//
// What a zone becomes at a start is compared with what it was, record by record, so it does not matter why it differs: challenges that
// were forgotten, signatures that were made anew, or changes of which the journal knows nothing.
type journal struct {
	held  *held
	path  string
	woken chan struct{}
	ready chan struct{} // closed when the zone knows former versions, as far as it ever will
	once  sync.Once     // of that

	begun bool         // what was there before has been looked at
	file  *journalFile // nil: there is none
	rest  time.Time    // until when nothing is tried after a failure
}

func newJournal(h *held, dir string) *journal {
	return &journal{
		held: h, path: filepath.Join(dir, url.PathEscape(h.publishedNow().Name)+".journal"),
		woken: make(chan struct{}, 1), ready: make(chan struct{}),
	}
}

// remove removes the file.
func (j *journal) remove() { _ = os.Remove(j.path) } // what stays is compared with the zone if one of this name comes again

// wake has the journal follow what has changed.
func (j *journal) wake() {
	select {
	case j.woken <- struct{}{}:
	default:
	}
}

// await returns when former versions are known, or after a while.
func (j *journal) await(ctx context.Context, patience time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-j.ready:
	case <-ctx.Done():
	}
}

// run follows the zone until ctx is done.
func (j *journal) run(ctx context.Context) {
	for done := false; !done; {
		j.turn()
		select {
		case <-j.woken:
		case <-ctx.Done():
			done = true
		}
	}
	if !j.held.tenure.isForgotten() {
		j.turn()
	}
	j.close()
}

// turn brings the file up to date.
func (j *journal) turn() {
	s, now := j.held.service, j.held.Current()
	if !now.Known() || s.cfg.Now().Before(j.rest) {
		return
	}
	s.disk <- struct{}{}
	defer func() { <-s.disk }()
	defer j.once.Do(func() { close(j.ready) })
	if len(j.held.publishedNow().Peers) == 0 || now.Names() > maxJournaled {
		j.drop()
		return
	}
	if err := j.follow(now); err != nil {
		s.log.Error("the journal of a zone cannot be kept on disk", "zone", j.held.Name(), "error", err)
		j.drop()
		j.rest = s.cfg.Now().Add(journalPause)
	}
}

// drop ends the journal.
func (j *journal) drop() {
	if j.begun && j.file == nil {
		return
	}
	j.begun = true
	j.close()
	j.remove()
}

func (j *journal) close() {
	if j.file != nil {
		_ = j.file.out.Close() // a version that is not there is not known after a restart
		j.file = nil
	}
}

// follow writes what the file does not have, or begins it anew with the whole zone.
func (j *journal) follow(now *zone.Snapshot) error {
	if !j.begun {
		j.begun = true
		err := j.resume(now)
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			j.held.service.log.Warn("the journal of a zone begins anew", "zone", j.held.Name(), "error", err)
		}
		j.close()
	}
	if j.file != nil && !j.file.full() {
		if versions, ok := now.Since(j.file.serial); ok {
			return j.file.append(versions)
		}
	}
	j.close()
	return j.begin(now)
}

// resume goes on with the file that is there.
func (j *journal) resume(now *zone.Snapshot) error {
	out, err := os.OpenFile(j.path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("read a journal: %w", err)
	}
	j.file = &journalFile{out: out}
	was, err := readFormer(out)
	if err != nil {
		return fmt.Errorf("read a journal: %w", err)
	}
	last, err := was.until(now)
	if err != nil {
		return fmt.Errorf("compare a journal with the zone: %w", err)
	}
	if !j.held.Resume(append(was.versions, last)) {
		return errors.New("the zone has changed too much meanwhile")
	}
	j.held.service.log.Info("the journal of a zone goes on", "zone", j.held.Name(), "from", was.first, "last", was.serial, "now", now.Serial())
	if err := out.Truncate(was.end); err != nil {
		return fmt.Errorf("cut a journal: %w", err)
	}
	if _, err := out.Seek(was.end, 0); err != nil {
		return fmt.Errorf("go on with a journal: %w", err)
	}
	j.file.size, j.file.whole = was.end, was.whole
	return j.file.append([]zone.Difference{last})
}

// begin puts a file with the whole zone in place of what is there.
func (j *journal) begin(now *zone.Snapshot) (err error) {
	dir := filepath.Dir(j.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("begin a journal: %w", err)
	}
	out, err := os.CreateTemp(dir, arriving)
	if err != nil {
		return fmt.Errorf("begin a journal: %w", err)
	}
	file := &journalFile{out: out}
	if err = file.begin(now); err == nil {
		err = os.Rename(out.Name(), j.path)
	}
	if err != nil {
		_ = out.Close()
		_ = os.Remove(out.Name())
		return fmt.Errorf("begin a journal: %w", err)
	}
	j.file = file
	return nil
}
