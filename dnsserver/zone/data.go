package zone

import (
	"errors"
	"fmt"

	"github.com/miekg/dns"
)

// packData returns the record's data in wire form, not compressed. The library reads and packs data that ends too early, too:
// that is an error here, for there is a name to be found in it later, or numbers.
func packData(rr dns.RR) ([]byte, error) {
	const header = 1 + 10 // the root as owner; type, class, TTL, length
	rr = dns.Copy(rr)
	rr.Header().Name = "."
	buf := make([]byte, dns.Len(rr)+header)
	end, err := dns.PackRR(rr, buf, 0, nil, false)
	if err != nil {
		return nil, fmt.Errorf("pack record: %w", err)
	}
	data := buf[header:end]
	if !whole(rr.Header().Rrtype, data) {
		return nil, errors.New("the record's data is not whole")
	}
	return data, nil
}

// layout is where the names are in the data of a type.
type layout struct {
	fixed   int // bytes before them
	strings int // character strings between those and them
	names   int
	rest    int  // bytes after them
	open    bool // there may be more bytes
	lower   bool // they are in lower case where they are signed (RFC 4034 section 6.2, RFC 6840 section 5.1)
}

// layoutOf returns that of a type. Data of other types has no names, or none that matter here.
func layoutOf(rrtype uint16) layout {
	switch rrtype {
	case dns.TypeNS, dns.TypeCNAME, dns.TypePTR, dns.TypeDNAME, dns.TypeMB, dns.TypeMG, dns.TypeMR, dns.TypeMD, dns.TypeMF:
		return layout{names: 1, lower: true}
	case dns.TypeMINFO, dns.TypeRP:
		return layout{names: 2, lower: true}
	case dns.TypeTALINK:
		return layout{names: 2}
	case dns.TypeMX, dns.TypeAFSDB, dns.TypeRT, dns.TypeKX:
		return layout{fixed: 2, names: 1, lower: true}
	case dns.TypeLP:
		return layout{fixed: 2, names: 1}
	case dns.TypePX:
		return layout{fixed: 2, names: 2, lower: true}
	case dns.TypeSRV:
		return layout{fixed: 6, names: 1, lower: true}
	case dns.TypeNAPTR:
		return layout{fixed: 4, strings: 3, names: 1, lower: true} // flags, services, regular expression
	case dns.TypeSOA:
		return layout{names: 2, rest: 5 * 4, lower: true}
	case dns.TypeSVCB, dns.TypeHTTPS:
		return layout{fixed: 2, names: 1, open: true}
	case dns.TypeRRSIG:
		return layout{fixed: rrsigFixed, names: 1, rest: 1, open: true}
	case dns.TypeNSEC:
		return layout{names: 1, open: true}
	case dns.TypeDS, dns.TypeCDS, dns.TypeDNSKEY, dns.TypeCDNSKEY:
		return layout{rest: 5, open: true}
	case dns.TypeTLSA, dns.TypeSMIMEA:
		return layout{rest: 4, open: true}
	case dns.TypeCAA, dns.TypeSSHFP:
		return layout{rest: 3, open: true}
	case dns.TypeNULL, dns.TypeAPL:
		return layout{open: true}
	}
	if dns.TypeToRR[rrtype] == nil { // of unknown types nothing is known
		return layout{open: true}
	}
	return layout{rest: 1, open: true}
}

// whole reports whether data has all that its type must have.
func whole(rrtype uint16, data []byte) bool {
	l := layoutOf(rrtype)
	at, ok := l.named(data)
	for range l.names {
		if ok {
			_, at, ok = ReadName(nil, data, at)
		}
	}
	rest := len(data) - at
	return ok && (rest == l.rest || l.open && rest > l.rest)
}

// named returns where the names begin.
func (l layout) named(data []byte) (at int, ok bool) {
	at = l.fixed
	for range l.strings {
		if at >= len(data) {
			return 0, false
		}
		at += 1 + int(data[at])
	}
	return at, at <= len(data)
}

// nameAt reads a name in data that the library has packed, so it is there.
func nameAt(data []byte, at int) (lower string, end int) {
	read, end, _ := ReadName(nil, data, at)
	return string(read), end
}

// lowerNames brings the names in a record's data, which is whole, into lower case where that is what is signed.
func lowerNames(rrtype uint16, data []byte) {
	l := layoutOf(rrtype)
	if !l.lower {
		return
	}
	at, _ := l.named(data)
	lower(data[at : len(data)-l.rest])
}

// lower turns a name in wire form to lower case, in place: the length of a label is below 'A'.
func lower(wire []byte) []byte {
	for i, b := range wire {
		wire[i] = lowerByte(b)
	}
	return wire
}
