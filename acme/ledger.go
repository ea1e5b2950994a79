package acme

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"berth/sites"
)

// entry is a line of the ledger: what was asked of a CA, and what came of it.
type entry struct {
	At       time.Time       `json:"at"`
	Event    event           `json:"event"`
	CA       string          `json:"ca"` // its key in the storage
	Host     string          `json:"host,omitempty"`
	Domain   string          `json:"domain,omitempty"`   // the registered one that the host belongs to
	Account  sites.AccountID `json:"account,omitempty"`  // that the host belongs to
	Until    time.Time       `json:"until,omitzero"`     // nothing is asked before: for the host, or at all
	Failures int             `json:"failures,omitempty"` // in a row
	Limited  bool            `json:"limited,omitempty"`  // by the CA, which has named the time
	Budgeted bool            `json:"budgeted,omitempty"` // failed: it is entered above as ordered
	Counted  bool            `json:"counted,omitempty"`  // failed: the CA had taken the order
	Orders   bool            `json:"orders,omitempty"`   // shut: for first orders only
}

type event string

const (
	eventOrdered event = "ordered" // before the CA is asked, so that a crash cannot make it free
	eventIssued  event = "issued"  // the host's first certificate from this CA
	eventRenewed event = "renewed"
	eventFailed  event = "failed"
	eventShut    event = "shut" // the CA is left alone for some time
)

const (
	ledgerName   = "ledger.jsonl"
	ledgerKeeps  = 8 * 24 * time.Hour // longer than any budget looks back
	ledgerMost   = 20_000             // entries that are kept, about 4 MB
	ledgerGrowth = 5_000              // entries that are added before outdated ones are dropped
)

// ledger is the durable memory of what was asked of the CAs: a file of one JSON object a line. A line is on the disk when
// record returns. Its methods are safe for concurrent use.
type ledger struct {
	path string
	log  *slog.Logger

	mu    sync.Mutex
	file  *os.File
	added int // entries since outdated ones were dropped
}

// openLedger opens the ledger of a directory and returns what it holds, the oldest first. A file with lines that cannot be
// read is put aside, and what can be read of it is kept; an unfinished last line is what a crash leaves and is dropped.
func openLedger(dir string, now time.Time, log *slog.Logger) (*ledger, []entry, error) {
	l := &ledger{path: filepath.Join(dir, ledgerName), log: log}
	entries, err := l.rewrite(now)
	if err != nil {
		return nil, nil, fmt.Errorf("acme: ledger of orders: %w", err)
	}
	return l, entries, nil
}

// record adds an entry.
func (l *ledger) record(e entry) error {
	content, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("ledger of orders: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return fmt.Errorf("%w: the ledger of orders is closed", errDisk)
	}
	if l.added >= ledgerGrowth {
		if _, err := l.rewrite(e.At); err != nil {
			return fmt.Errorf("%w: ledger of orders: %w", errDisk, err)
		}
	}
	l.added++
	if _, err := l.file.Write(append(content, '\n')); err != nil {
		l.added = ledgerGrowth // a part of the line may be there, which the next must not be added to
		return fmt.Errorf("%w: ledger of orders: %w", errDisk, err)
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("%w: ledger of orders: %w", errDisk, err)
	}
	return nil
}

func (l *ledger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

// rewrite replaces the file by one of the entries that still matter, opens that, and returns them.
func (l *ledger) rewrite(now time.Time) ([]entry, error) {
	content, err := os.ReadFile(l.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	entries, unreadable := parseLedger(content)
	if unreadable > 0 {
		aside := fmt.Sprintf("%s.unreadable-%d", l.path, now.Unix())
		if err := os.WriteFile(aside, content, 0o600); err != nil {
			return nil, err
		}
		l.log.Warn("the ledger of certificate orders is damaged; it was put aside, and what can be read of it is kept",
			"aside", aside, "lines", unreadable, "kept", len(entries))
	}
	entries = worthKeeping(entries, now)
	file, err := replaceFile(l.path, entries)
	if err != nil {
		return nil, err
	}
	if l.file != nil {
		_ = l.file.Close() // replaced; nothing in it is still to be written
	}
	l.file, l.added = file, 0
	return entries, nil
}

// replaceFile writes the entries to a file that then takes the path, and returns it for more to be added.
func replaceFile(path string, entries []entry) (*os.File, error) {
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriter(file)
	encoder := json.NewEncoder(w)
	for _, e := range entries {
		if err = encoder.Encode(e); err != nil {
			break
		}
	}
	if err := errors.Join(err, w.Flush(), file.Sync(), os.Rename(file.Name(), path), syncDir(filepath.Dir(path))); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// syncDir makes a rename in the directory last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// parseLedger reads the lines, and counts those that cannot be read. The last one is not counted if it has no end.
func parseLedger(content []byte) (entries []entry, unreadable int) {
	for len(content) > 0 {
		line, rest, whole := bytes.Cut(content, []byte{'\n'})
		content = rest
		var e entry
		switch err := json.Unmarshal(line, &e); {
		case err == nil && !e.At.IsZero() && e.Event != "":
			entries = append(entries, e)
		case whole && len(bytes.TrimSpace(line)) > 0:
			unreadable++
		}
	}
	return entries, unreadable
}

// worthKeeping drops what is too old to matter, orders that failed, and failures that others have followed.
func worthKeeping(entries []entry, now time.Time) []entry {
	type key struct {
		event    event
		ca, host string
		orders   bool
	}
	last := make(map[key]int)
	drop := make([]bool, len(entries))
	for i, e := range entries {
		k := key{e.Event, e.CA, e.Host, e.Orders}
		ordered := key{event: eventOrdered, ca: e.CA, host: e.Host}
		before, again := last[k]
		switch e.Event {
		case eventFailed:
			if o, ok := last[ordered]; ok && e.Budgeted {
				drop[o] = true
				delete(last, ordered)
			}
			entries[i].Budgeted = false // else it would be given back again at each start
			drop[before] = drop[before] || again
		case eventShut:
			drop[before] = drop[before] || again
		}
		last[k] = i
		drop[i] = now.Sub(e.At) > ledgerKeeps && now.After(e.Until)
	}
	kept := make([]entry, 0, len(entries))
	for i, e := range entries {
		if !drop[i] {
			kept = append(kept, e)
		}
	}
	return kept[max(0, len(kept)-ledgerMost):]
}
