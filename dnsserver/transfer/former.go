package transfer

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"berth/dnsserver/zone"

	"github.com/miekg/dns"
)

// former is what a journal's file tells of a zone.
type former struct {
	from     *os.File
	content  map[identifier]place // of the last version but for its SOA record, by what each record is
	soa      zone.Placed          // of the last version
	first    uint32               // serial of the first version
	serial   uint32               // of the last one
	versions []zone.Difference
	whole    int64 // where the first version ends
	end      int64 // where the last one does
}

// place is where a record stands in the file.
type place struct {
	at   int64
	size int
}

var errNotWhole = errors.New("it has no version as a whole")

// readFormer reads a file to its end, or to where it has been damaged.
func readFormer(file *os.File) (*former, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	f, in := &former{from: file, content: make(map[identifier]place)}, bufio.NewReaderSize(file, frameSize)
	mark := make([]byte, len(journalMark))
	if _, err := io.ReadFull(in, mark); err != nil || string(mark) != journalMark {
		return nil, errNotWhole
	}
	for at := int64(len(journalMark)); ; {
		content, ok := readFrame(in, info.Size()-at)
		if !ok {
			break
		}
		if err := f.take(content, at+frameHead); err != nil {
			return nil, err
		}
		if at += frameHead + int64(len(content)); f.whole > 0 {
			f.end = at
		}
	}
	if f.whole == 0 {
		return nil, errNotWhole
	}
	return f, nil
}

// take reads a frame whose content stands at a place.
func (f *former) take(content []byte, at int64) error {
	kind, body := content[0], content[1:]
	at++
	switch {
	case kind == frameRecords && f.whole == 0:
		soa, err := readRecords(body, at, f.add)
		if soa.Set != nil {
			f.soa, f.first = soa, soa.Serial()
			f.serial = f.first
		}
		return err
	case kind == frameEnd && f.whole == 0 && f.soa.Set != nil:
		f.whole = at
		return nil
	case kind == frameStep && f.whole > 0:
		return f.takeStep(body, at)
	}
	return fmt.Errorf("there is a frame of kind %q", kind)
}

// takeStep goes on to the next version. What does not fit exactly shows that the file is of no use.
func (f *former) takeStep(body []byte, at int64) (err error) {
	if len(body) < 4 || int(binary.BigEndian.Uint32(body)) > len(body)-4 {
		return errors.New("there is a step that ends too early")
	}
	middle := 4 + int(binary.BigEndian.Uint32(body))
	var d zone.Difference
	gone := func(at located) error {
		d.Removed = append(d.Removed, at.record.placed())
		return f.remove(at)
	}
	come := func(at located) error {
		d.Added = append(d.Added, at.record.placed())
		return f.add(at)
	}
	if d.FromSOA, err = readRecords(body[4:middle], at+4, gone); err != nil {
		return err
	}
	if d.ToSOA, err = readRecords(body[middle:], at+int64(middle), come); err != nil {
		return err
	}
	if d.FromSOA.Set == nil || d.ToSOA.Set == nil || d.FromSOA.Serial() != f.serial || !newer(d.ToSOA.Serial(), f.serial) {
		return fmt.Errorf("there is a step that does not begin at %d", f.serial)
	}
	f.soa, f.serial = d.ToSOA, d.ToSOA.Serial()
	f.versions = append(f.versions, d)
	return nil
}

const soaTimes = 5 * 4 // bytes of a SOA record's data behind the names

// located is a record of the file.
type located struct {
	record
	id identifier
	place
}

// readRecords reads records that stand at a place. Those of the SOA record are returned, the others handed on.
func readRecords(from []byte, at int64, each func(located) error) (soa zone.Placed, err error) {
	for len(from) > 0 {
		r, size, ok := cutRecord(from)
		if !ok {
			return soa, errors.New("there is a record that ends too early")
		}
		switch {
		case r.covered() != dns.TypeSOA:
			err = each(located{r, identify(from[:size]), place{at, size}})
		case r.rrtype == dns.TypeSOA && len(r.data) >= soaTimes:
			soa = r.placed()
		case r.rrtype == dns.TypeRRSIG && soa.Set != nil:
			soa.Signatures = append(soa.Signatures, r.placed().Signatures...)
		default:
			err = errors.New("there is a wrong SOA record")
		}
		if err != nil {
			return soa, err
		}
		from, at = from[size:], at+int64(size)
	}
	return soa, nil
}

func (f *former) add(r located) error {
	if _, there := f.content[r.id]; there {
		return errors.New("a record comes that is there")
	}
	f.content[r.id] = r.place
	return nil
}

func (f *former) remove(r located) error {
	if _, there := f.content[r.id]; !there {
		return errors.New("a record goes that is not there")
	}
	delete(f.content, r.id)
	return nil
}

// identifier tells a record from all others.
type identifier [16]byte

func identify(encoded []byte) identifier {
	sum := sha256.Sum256(encoded)
	return identifier(sum[:])
}

// placed is a set with the record alone, or with the signature that it is.
func (r record) placed() zone.Placed {
	p := zone.Placed{Owner: r.owner, Set: &zone.Set{Type: r.covered(), TTL: r.ttl}}
	if r.rrtype == dns.TypeRRSIG {
		p.Signatures = append(binary.BigEndian.AppendUint16(nil, uint16(len(r.data))), r.data...)
	} else {
		p.Set.Records = []zone.Record{{Head: r.data}}
	}
	return p
}

// until returns what a zone has become since the last version, and forgets the content.
func (f *former) until(now *zone.Snapshot) (d zone.Difference, err error) {
	if !newer(now.Serial(), f.serial) {
		return d, fmt.Errorf("the serial has gone from %d to %d", f.serial, now.Serial())
	}
	d.FromSOA, d.ToSOA = f.soa, now.SOA()
	var room []byte
	for p := range now.All() {
		for r := range records(p) {
			room = appendRecord(room[:0], r)
			id := identify(room)
			if _, there := f.content[id]; !there {
				d.Added = append(d.Added, r.placed())
			}
			delete(f.content, id)
		}
	}
	byPlace := func(a, b place) int { return cmp.Compare(a.at, b.at) }
	for _, p := range slices.SortedFunc(maps.Values(f.content), byPlace) {
		encoded := make([]byte, p.size)
		if _, err := f.from.ReadAt(encoded, p.at); err != nil {
			return d, err
		}
		r, _, _ := cutRecord(encoded) // it has been read before
		d.Removed = append(d.Removed, r.placed())
	}
	f.content = nil
	return d, nil
}
