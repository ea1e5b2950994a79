package transfer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"berth/dnsserver/zone"

	"github.com/miekg/dns"
)

// file keeps the content of a secondary zone over restarts, as the messages of a transfer, each after its length in two
// bytes. The time of its last modification is when a primary last confirmed the zone.
//
// One goroutine at a time uses it: nobody who answers queries waits for the disk.
type file struct {
	path string                 // empty: nothing is kept
	sync func(f *os.File) error // to the disk
}

// arriving is the pattern of the files that are being written.
const arriving = ".arriving-*"

func newFile(dir, zone string) *file {
	f := &file{sync: (*os.File).Sync}
	if dir != "" {
		f.path = filepath.Join(dir, url.PathEscape(zone)+".zone")
	}
	return f
}

// sweep removes what a process that was killed has left half written.
func sweep(dir string) {
	left, err := filepath.Glob(filepath.Join(dir, arriving))
	if dir == "" || err != nil {
		return
	}
	for _, path := range left {
		_ = os.Remove(path) // what stays is of no consequence
	}
}

// remove removes the file.
func (f *file) remove() {
	if f.path != "" {
		_ = os.Remove(f.path) // what stays is of no consequence
	}
}

// confirm notes that the zone is current.
func (f *file) confirm(at time.Time) {
	if f.path != "" {
		_ = os.Chtimes(f.path, at, at) // an older time merely lets the zone expire sooner after a restart
	}
}

// save puts the content in place of what is there, whole or not at all.
func (f *file) save(now *zone.Snapshot, at time.Time) (err error) {
	if f.path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return fmt.Errorf("keep a zone: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(f.path), arriving)
	if err != nil {
		return fmt.Errorf("keep a zone: %w", err)
	}
	defer func() {
		_ = temporary.Close()
		if err != nil {
			_ = os.Remove(temporary.Name())
			err = fmt.Errorf("keep a zone: %w", err)
		}
	}()
	out := bufio.NewWriter(temporary)
	if err := writeZone(out, now); err != nil {
		return err
	}
	if err := errors.Join(out.Flush(), f.sync(temporary), os.Chtimes(temporary.Name(), at, at)); err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), f.path); err != nil {
		return err
	}
	return f.syncDir()
}

// syncDir makes what the directory names outlast a power failure.
func (f *file) syncDir() error {
	dir, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return f.sync(dir)
}

func writeZone(out io.Writer, now *zone.Snapshot) error {
	w := &stream{head: []byte{0, 0, 0x84, 0}, names: make(map[string]int), write: func(message []byte) error {
		_, err := out.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...))
		return err
	}}
	w.begin()
	w.whole(now)
	w.flush()
	return w.err
}

// load reads the file; there are no records where there is none.
func (f *file) load(zone string) (rrs []dns.RR, confirmed time.Time, err error) {
	if f.path == "" {
		return nil, time.Time{}, nil
	}
	source, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read a kept zone: %w", err)
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read a kept zone: %w", err)
	}
	in := &inbound{zone: zone}
	for from := bufio.NewReader(source); !in.done; {
		if err := readMessage(from, in); err != nil {
			return nil, time.Time{}, fmt.Errorf("read a kept zone: %w", err)
		}
	}
	return in.whole, info.ModTime(), nil
}

func readMessage(from io.Reader, in *inbound) error {
	var length [2]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return err
	}
	packet := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(from, packet); err != nil {
		return err
	}
	m := new(dns.Msg)
	if err := m.Unpack(packet); err != nil {
		return err
	}
	for _, rr := range m.Answer {
		if err := in.take(rr); err != nil {
			return err
		}
	}
	return nil
}
