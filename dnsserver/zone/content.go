package zone

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// fact is a record as another server has sent it.
type fact struct {
	owner  name
	rrtype uint16 // of the set that the record belongs to, or that it signs
	signs  bool   // it is a signature
	ttl    uint32
	data   []byte // wire form
	rr     dns.RR
}

// facts reads the records that are at or below the apex and sorts them by the sets that they belong to.
func (z *Zone) facts(records []dns.RR) ([]fact, error) {
	facts := make([]fact, 0, len(records))
	var text string // of the owner last read: records of a name mostly come together
	var owner name
	for _, rr := range records {
		header := rr.Header()
		if header.Name != text || text == "" {
			var err error
			if owner, err = z.origin.parse(header.Name); err != nil {
				return nil, fmt.Errorf("the name %q: %w", header.Name, err)
			}
			text = header.Name
		}
		if !owner.inside {
			continue
		}
		f, err := newFact(owner, rr)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", text, dns.TypeToString[header.Rrtype], err)
		}
		facts = append(facts, f)
	}
	slices.SortStableFunc(facts, fact.compareSet)
	return facts, nil
}

func newFact(owner name, rr dns.RR) (fact, error) {
	header := rr.Header()
	if header.Class != dns.ClassINET {
		return fact{}, fmt.Errorf("the class %d is not IN", header.Class)
	}
	if header.Rrtype == dns.TypeNone || IsMeta(header.Rrtype) {
		return fact{}, errors.New("not a type of records")
	}
	data, err := packData(rr)
	if err != nil {
		return fact{}, err
	}
	if isCompressible(header.Rrtype) { // so it is kept, and so it is found when it is to go
		lowerNames(header.Rrtype, data)
	}
	f := fact{owner: owner, rrtype: header.Rrtype, ttl: header.Ttl, data: data, rr: rr}
	if header.Rrtype == dns.TypeRRSIG {
		f.rrtype, f.signs = binary.BigEndian.Uint16(data), true
	}
	if f.hashed() && (!hashOwner(owner) || !f.signs && data[0] != dns.SHA1) {
		return fact{}, errors.New("the owner is not a SHA-1 hash below the apex")
	}
	return f, nil
}

// hashed holds for what stands in the tree of hashes.
func (f fact) hashed() bool { return f.rrtype == dns.TypeNSEC3 }

// compareSet is zero for facts of the same set.
func (f fact) compareSet(other fact) int {
	return cmp.Or(strings.Compare(f.owner.key, other.owner.key), cmp.Compare(f.rrtype, other.rrtype))
}

// prefix returns how many of the facts at the beginning of a list are of the same set as f.
func (f fact) prefix(list []fact) int {
	n := 0
	for n < len(list) && f.compareSet(list[n]) == 0 {
		n++
	}
	return n
}

// content is a set, nil if there is none, and its signatures.
type content struct {
	set        *Set
	signatures []byte
}

// content returns what an entry, which may be nil, has of a type.
func (e *entry) content(rrtype uint16) content {
	if e == nil || e.index(rrtype) < 0 {
		return content{}
	}
	p := e.placed(e.index(rrtype), true)
	return content{p.Set, p.Signatures}
}

// without returns the content less the removed facts, all of which must be there.
func (c content) without(removed []fact) (content, error) {
	var records []Record
	if c.set != nil {
		records = slices.Clone(c.set.Records)
	}
	left := len(records)
	for _, f := range removed {
		at := findSignature(c.signatures, f.data)
		if !f.signs {
			at = findRecord(records, f.data)
		}
		switch {
		case at < 0:
			return c, errors.New("what is to go is not there")
		case f.signs:
			c.signatures = slices.Concat(c.signatures[:at], c.signatures[at+2+len(f.data):])
		default:
			records = slices.Delete(records, at, at+1)
		}
	}
	switch len(records) {
	case left:
	case 0:
		c.set = nil
	default:
		c.set = (&Set{Type: c.set.Type, TTL: c.set.TTL, Records: records}).seal()
	}
	return c, nil
}

// with returns the content and the added facts. The TTLs of a set are one; if not, the lowest counts (RFC 2181
// section 5.2).
func (c content) with(o origin, added []fact) (content, error) {
	var next Set
	if c.set != nil {
		next.Type, next.TTL, next.Records = c.set.Type, c.set.TTL, slices.Clone(c.set.Records)
	}
	changed := false
	for _, f := range added {
		switch {
		case f.signs && findSignature(c.signatures, f.data) >= 0:
		case f.signs:
			n := len(c.signatures)
			c.signatures = binary.BigEndian.AppendUint16(c.signatures[:n:n], uint16(len(f.data)))
			c.signatures = append(c.signatures, f.data...)
		case findRecord(next.Records, f.data) < 0:
			next.Records = append(next.Records, o.newRecord(f.rr, f.data))
			fallthrough
		default:
			if next.Type == 0 || f.ttl < next.TTL {
				next.TTL = f.ttl
			}
			changed, next.Type = true, f.rrtype
		}
	}
	if len(next.Records) > MaxRecords {
		return c, fmt.Errorf("a set can have at most %d records, not %d", MaxRecords, len(next.Records))
	}
	if changed {
		c.set = next.seal()
	}
	return c, nil
}

func findRecord(records []Record, data []byte) int {
	room := make([]byte, 0, 64)
	return slices.IndexFunc(records, func(r Record) bool { return bytes.Equal(r.AppendData(room), data) })
}

// findSignature returns where the length of a signature stands, -1 if it is not there.
func findSignature(signatures, data []byte) int {
	for at := 0; at < len(signatures); {
		end := at + 2 + int(binary.BigEndian.Uint16(signatures[at:]))
		if bytes.Equal(signatures[at+2:end], data) {
			return at
		}
		at = end
	}
	return -1
}

// withContent returns a copy of an entry, which may be nil, with other content of a type; nil if none is left.
func (e *entry) withContent(n name, rrtype uint16, c content) *entry {
	next := &entry{name: n}
	if e != nil {
		next.name = e.name
	}
	place := func(c content) {
		if c.set != nil {
			next.sets, next.signatures = append(next.sets, c.set), append(next.signatures, c.signatures...)
		}
	}
	placed := false
	if e != nil {
		for _, set := range e.sets {
			if !placed && set.Type >= rrtype {
				place(c)
				placed = true
			}
			if set.Type != rrtype {
				place(e.content(set.Type))
			}
		}
	}
	if !placed {
		place(c)
	}
	if len(next.sets) == 0 {
		return nil
	}
	next.cut = n.key != "" && next.index(dns.TypeNS) >= 0
	next.redirects = next.index(dns.TypeDNAME) >= 0
	return next
}
