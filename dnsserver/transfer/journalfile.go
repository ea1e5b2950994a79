package transfer

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"

	"berth/dnsserver/zone"

	"github.com/miekg/dns"
)

// A journal's file is frames, after a mark that tells what it is: parts of the zone as a whole, an end of these, then steps. Each has its
// length and checksum before it, since the end of the file is whatever a crash has left. A record is its owner's length and owner, type, TTL,
// the data's length and data.
const (
	journalMark = "berth journal 1\n"
	frameHead   = 8 // length and checksum of what follows

	frameRecords = 'r' // of the whole zone, the SOA record first
	frameEnd     = 'e' // of the whole zone
	frameStep    = 's' // the length of the records that go; these, and those that come, the SOA record first in both

	frameSize = 64 << 10 // of the parts of a whole zone, about
	minSteps  = 1 << 20  // bytes of steps that do not fill a file; a larger zone may have as many as it has itself
)

var checksums = crc32.MakeTable(crc32.Castagnoli)

// journalFile is a journal's file that is being written.
type journalFile struct {
	out    *os.File
	serial uint32 // of the last version
	whole  int64  // the bytes of the first one
	size   int64
}

// full reports whether it is time for another file.
func (f *journalFile) full() bool { return f.size-f.whole > max(f.whole, minSteps) }

// begin writes a zone as a whole.
func (f *journalFile) begin(now *zone.Snapshot) error {
	out := bufio.NewWriterSize(f.out, frameSize)
	write := func(p []byte) {
		n, _ := out.Write(p) // Flush tells
		f.whole += int64(n)
	}
	write([]byte(journalMark))
	frame := beginFrame(nil, frameRecords)
	add := func(p zone.Placed) {
		for r := range records(p) {
			frame = appendRecord(frame, r)
		}
		if len(frame) > frameSize {
			write(endFrame(frame, 0))
			frame = beginFrame(frame[:0], frameRecords)
		}
	}
	add(now.SOA())
	for p := range now.All() {
		add(p)
	}
	write(endFrame(frame, 0))
	write(endFrame(beginFrame(nil, frameEnd), 0))
	f.serial, f.size = now.Serial(), f.whole
	return out.Flush()
}

// append writes versions, with one system call.
func (f *journalFile) append(versions []zone.Difference) error {
	var out []byte
	for _, d := range versions {
		at := len(out)
		out = beginFrame(out, frameStep)
		length := len(out)
		out = append(out, 0, 0, 0, 0)
		out = appendSets(out, d.FromSOA, d.Removed)
		binary.BigEndian.PutUint32(out[length:], uint32(len(out)-length-4))
		out = endFrame(appendSets(out, d.ToSOA, d.Added), at)
		f.serial = d.ToSOA.Serial()
	}
	n, err := f.out.Write(out)
	f.size += int64(n)
	return err
}

func appendSets(to []byte, soa zone.Placed, sets []zone.Placed) []byte {
	for _, r := range part(soa, sets) {
		to = appendRecord(to, r)
	}
	return to
}

func beginFrame(to []byte, kind byte) []byte {
	return append(to, 0, 0, 0, 0, 0, 0, 0, 0, kind)
}

// endFrame completes the frame that begins at a place.
func endFrame(out []byte, at int) []byte {
	content := out[at+frameHead:]
	binary.BigEndian.PutUint32(out[at:], uint32(len(content)))
	binary.BigEndian.PutUint32(out[at+4:], crc32.Checksum(content, checksums))
	return out
}

// readFrame returns what a frame holds, of which there are no more than left bytes; false where the file ends, in whatever way.
func readFrame(from io.Reader, left int64) (content []byte, ok bool) {
	var head [frameHead]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return nil, false
	}
	length := int64(binary.BigEndian.Uint32(head[:]))
	if length == 0 || length > left-frameHead {
		return nil, false
	}
	content = make([]byte, length)
	if _, err := io.ReadFull(from, content); err != nil {
		return nil, false
	}
	return content, crc32.Checksum(content, checksums) == binary.BigEndian.Uint32(head[4:])
}

func appendRecord(to []byte, r record) []byte {
	to = append(to, byte(len(r.owner)))
	to = append(to, r.owner...)
	to = binary.BigEndian.AppendUint16(to, r.rrtype)
	to = binary.BigEndian.AppendUint32(to, r.ttl)
	to = binary.BigEndian.AppendUint16(to, uint16(len(r.data)))
	return append(to, r.data...)
}

// cutRecord reads the first of some records; it reports false where there is none.
func cutRecord(from []byte) (r record, size int, ok bool) {
	const fixed = 1 + 2 + 4 + 2
	if len(from) < fixed || len(from) < fixed+int(from[0]) {
		return r, 0, false
	}
	rest := from[1+int(from[0]):]
	r.owner = string(from[1 : 1+int(from[0])])
	r.rrtype, r.ttl = binary.BigEndian.Uint16(rest), binary.BigEndian.Uint32(rest[2:])
	size = fixed + len(r.owner) + int(binary.BigEndian.Uint16(rest[6:]))
	if size > len(from) || r.rrtype == dns.TypeRRSIG && size < fixed+len(r.owner)+2 {
		return r, 0, false
	}
	r.data = from[fixed+len(r.owner) : size]
	return r, size, true
}

// covered is the type of the set that a record belongs to or signs.
func (r record) covered() uint16 {
	if r.rrtype == dns.TypeRRSIG {
		return binary.BigEndian.Uint16(r.data)
	}
	return r.rrtype
}
