package zone

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// TTLs in seconds. Sites come and go, so what is said of them, or of their absence, is soon forgotten.
const (
	siteTTL       = 300
	nameserverTTL = 3600
	issuerTTL     = 3600
	soaTTL        = 60 // by RFC 2308 section 5 also the bound of negative answers, with soaMinimum
	soaMinimum    = 300
	soaRefresh    = 4 * 3600
	soaRetry      = 3600
	soaExpire     = 7 * 24 * 3600
	challengeTTL  = 0 // the next order has another value at the same name
	keyTTL        = uint32(sites.KeyTTL / time.Second)
	negativeTTL   = min(soaTTL, soaMinimum) // of the SOA and NSEC records
	maxTTL        = 1<<31 - 1
)

// MaxRecords bounds the records of a set, and with it the work of an answer. BIND has the same bound.
const MaxRecords = 100

// Set is the records of one type at one name, in a form that is quickly written. It is immutable.
type Set struct {
	Type    uint16
	TTL     uint32
	Records []Record
	wire    []byte // see Wire
}

// Record is one record's data: head, names that may be compressed, tail.
type Record struct {
	Head  []byte
	names *names // nil where there are none: most records are as small as that
}

// names are those in a record's data.
type names struct {
	list   []string // that may be compressed, in wire form
	tail   []byte
	target name // the name that the record points at, if any
}

// Names are in wire form.
func (r *Record) Names() []string {
	if r.names == nil {
		return nil
	}
	return r.names.list
}

// Tail is the data that follows the names.
func (r *Record) Tail() []byte {
	if r.names == nil {
		return nil
	}
	return r.names.tail
}

// target is the name that the record points at, nil if none.
func (r *Record) target() *name {
	if r.names == nil {
		return nil
	}
	return &r.names.target
}

// AppendData appends the data in wire form, not compressed.
func (r *Record) AppendData(to []byte) []byte {
	to = append(to, r.Head...)
	for _, n := range r.Names() {
		to = append(to, n...)
	}
	return append(to, r.Tail()...)
}

// Wire is the set's records as they stand in a message in which the owner's name is that of the question. It is nil where
// names in the data can be compressed, as that depends on the message.
func (s *Set) Wire() []byte { return s.wire }

// seal makes the wire form of a set that is complete. The records' data becomes part of it.
func (s *Set) seal() *Set {
	size := 0
	for i := range s.Records {
		if len(s.Records[i].Names()) > 0 {
			return s
		}
		size += 12 + len(s.Records[i].Head)
	}
	wire := make([]byte, 0, size)
	for i := range s.Records {
		rec := &s.Records[i]
		wire = append(wire, 0xC0, 12) // the question begins behind a header of 12 bytes
		wire = binary.BigEndian.AppendUint16(wire, s.Type)
		wire = binary.BigEndian.AppendUint16(wire, dns.ClassINET)
		wire = binary.BigEndian.AppendUint32(wire, s.TTL)
		wire = binary.BigEndian.AppendUint16(wire, uint16(len(rec.Head)))
		data := len(wire)
		wire = append(wire, rec.Head...)
		rec.Head = wire[data:len(wire):len(wire)]
	}
	s.wire = wire
	return s
}

// additional reports whether the addresses of the targets belong into the additional section.
func (s *Set) additional() bool {
	switch s.Type {
	case dns.TypeNS, dns.TypeMX, dns.TypeSRV, dns.TypeSVCB, dns.TypeHTTPS:
		return true
	}
	return false
}

// aliases reports whether a record says that its target is served in the owner's place (RFC 9460 section 2.4.2).
func (s *Set) aliases(i int) bool {
	return (s.Type == dns.TypeSVCB || s.Type == dns.TypeHTTPS) && binary.BigEndian.Uint16(s.Records[i].Head) == 0
}

// newSet makes a set of records, which must be of one type.
func (o origin) newSet(ttl uint32, rrs ...dns.RR) (*Set, error) {
	set := &Set{Type: rrs[0].Header().Rrtype, TTL: ttl, Records: make([]Record, 0, len(rrs))}
	seen := make(map[string]bool, len(rrs))
	for _, rr := range rrs {
		data, err := packData(rr)
		if err != nil {
			return nil, err
		}
		lowerNames(set.Type, data)
		if seen[string(data)] {
			continue
		}
		seen[string(data)] = true
		set.Records = append(set.Records, o.newRecord(rr, data))
	}
	return set.seal(), nil
}

// newRecord finds the names in the data: only the types of RFC 1035 may be compressed (RFC 3597 section 4).
func (o origin) newRecord(rr dns.RR, data []byte) Record {
	switch rr.(type) { // those of isCompressible, and what has a target
	case *dns.NS, *dns.CNAME, *dns.PTR:
		target, _ := nameAt(data, 0)
		return pointer(o.name(target))
	case *dns.MX:
		target, _ := nameAt(data, 2)
		return Record{data[:2], pointer(o.name(target)).names}
	case *dns.SOA:
		mname, end := nameAt(data, 0)
		rname, end := nameAt(data, end)
		return Record{names: &names{list: []string{mname, rname}, tail: data[end:]}}
	case *dns.SRV:
		target, _ := nameAt(data, 6)
		return Record{data, &names{target: o.name(target)}}
	case *dns.SVCB, *dns.HTTPS:
		target, _ := nameAt(data, 2)
		return Record{data, &names{target: o.name(target)}}
	}
	return Record{Head: data}
}

// isCompressible holds for the types in whose records newRecord has the names on their own, in lower case.
func isCompressible(rrtype uint16) bool {
	switch rrtype {
	case dns.TypeNS, dns.TypeCNAME, dns.TypePTR, dns.TypeMX, dns.TypeSOA:
		return true
	}
	return false
}

// pointer is a record that is a name and nothing else.
func pointer(target name) Record {
	return Record{names: &names{list: []string{target.wire}, target: target}}
}

func addressSet(rrtype uint16, ttl uint32, addrs []netip.Addr) *Set {
	set := &Set{Type: rrtype, TTL: ttl}
	for _, addr := range addrs {
		set.Records = append(set.Records, Record{Head: addr.AsSlice()})
	}
	return set.seal()
}

// challengeSet is the TXT set of running challenges, with the records of a set that people have entered, if any.
func challengeSet(base *Set, values []string) *Set {
	set := &Set{Type: dns.TypeTXT, TTL: challengeTTL}
	if base != nil {
		set.Records = append(set.Records, base.Records...)
	}
	for _, value := range values {
		set.Records = append(set.Records, Record{Head: textData(value)})
	}
	return set.seal()
}

// textData is a value as strings of at most 255 bytes (RFC 1035 section 3.3.14).
func textData(value string) []byte {
	var data []byte
	for {
		part := value[:min(len(value), 255)]
		data = append(append(data, byte(len(part))), part...)
		if value = value[len(part):]; value == "" {
			return data
		}
	}
}

// parseSet reads a set that people have entered.
func (o origin) parseSet(in sites.RRSet) (*Set, error) {
	rrtype, err := enteredType(in.Type)
	if err != nil {
		return nil, err
	}
	if in.TTL > maxTTL {
		return nil, fmt.Errorf("a TTL of %d seconds is too long", in.TTL)
	}
	if len(in.Data) > MaxRecords {
		return nil, fmt.Errorf("a set can have at most %d records, not %d", MaxRecords, len(in.Data))
	}
	rrs := make([]dns.RR, 0, len(in.Data))
	for _, data := range in.Data {
		rr, err := parseRecord(in, data)
		if err != nil {
			return nil, err
		}
		if rr.Header().Rrtype != rrtype {
			return nil, fmt.Errorf("the data is of type %s", dns.TypeToString[rr.Header().Rrtype])
		}
		rrs = append(rrs, rr)
	}
	set, err := o.newSet(in.TTL, rrs...)
	if err != nil {
		return nil, err
	}
	if rrtype == dns.TypeCNAME && len(set.Records) > 1 {
		return nil, errors.New("a name can have one CNAME record only")
	}
	return set, nil
}

func parseRecord(in sites.RRSet, data string) (dns.RR, error) {
	if strings.ContainsAny(data, "\r\n") {
		return nil, errors.New("a record is one line")
	}
	// The library needs an owner in order to parse; the real one is kept beside the set.
	rr, err := dns.NewRR(fmt.Sprintf(". %d IN %s %s", in.TTL, strings.ToUpper(in.Type), data))
	if err != nil {
		return nil, fmt.Errorf("parse record: %w", err)
	}
	if rr == nil {
		return nil, errors.New("the record has no data")
	}
	return rr, nil
}

// enteredType returns the type that people may enter records of: not those that berth makes itself, that are no data,
// or that need answers which are not given here.
func enteredType(text string) (uint16, error) {
	rrtype, ok := dns.StringToType[strings.ToUpper(text)]
	if !ok {
		return 0, fmt.Errorf("the type %q is unknown", text)
	}
	switch rrtype {
	case dns.TypeSOA, dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM, dns.TypeDNAME:
		return 0, fmt.Errorf("records of type %s cannot be entered", text)
	}
	if rrtype == dns.TypeNone || IsMeta(rrtype) {
		return 0, fmt.Errorf("%s is not a type of records", text)
	}
	return rrtype, nil
}

// IsMeta holds for types that are no data (RFC 6895 section 3.1).
func IsMeta(rrtype uint16) bool {
	return rrtype == dns.TypeOPT || rrtype >= 128 && rrtype <= 255
}
