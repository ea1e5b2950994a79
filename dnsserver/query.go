package dnsserver

import (
	"encoding/binary"

	"berth/dnsserver/zone"

	"github.com/miekg/dns"
)

// headerSize is the length of a message's header (RFC 1035 section 4.1.1).
const headerSize = 12

// The bits of a header.
const (
	bitQR = 1 << 15
	bitAA = 1 << 10
	bitTC = 1 << 9
	bitRD = 1 << 8
	bitCD = 1 << 4
)

// echoed is what of a query's bits its answer repeats (RFC 6895 section 2): the opcode, and RD and CD, which only QUERY knows. That CD
// is repeated is a MUST of RFC 4035 section 3; that an authority clears it is no more than a SHOULD of section 3.1.6.
func echoed(bits uint16) uint16 {
	if opcode := bits & (0xF << 11); opcode != dns.OpcodeQuery<<11 {
		return opcode
	}
	return bits & (bitRD | bitCD)
}

// query is a message as far as it has been read. Its slices are of the packet or of the query's own room.
type query struct {
	id     uint16
	bits   uint16
	counts [4]uint16 // questions, answers, authority, additional

	question []byte // as sent: its letters' case is given back
	name     []byte // of the question, wire form in lower case
	rrtype   uint16
	class    uint16
	key      []byte // of the name in the zone's tree

	edns    bool
	version uint8
	do      bool
	size    uint16 // of the largest UDP answer that the client takes
	options options

	nameRoom [zone.MaxName]byte
	keyRoom  [2 * zone.MaxName]byte
}

func (q *query) opcode() int { return int(q.bits>>11) & 0xF }

// readHeader begins a new query. A packet that is too short for a header is not one.
func (q *query) readHeader(packet []byte) bool {
	q.question, q.name, q.key = nil, nil, nil
	q.edns, q.version, q.do, q.size, q.options = false, 0, false, 0, options{}
	if len(packet) < headerSize {
		return false
	}
	q.id = binary.BigEndian.Uint16(packet)
	q.bits = binary.BigEndian.Uint16(packet[2:])
	for i := range q.counts {
		q.counts[i] = binary.BigEndian.Uint16(packet[4+2*i:])
	}
	return true
}

// readQuestion reads the one question.
func (q *query) readQuestion(packet []byte) bool {
	name, end, ok := zone.ReadName(q.nameRoom[:0], packet, headerSize)
	if !ok || end+4 > len(packet) {
		return false
	}
	q.name = name
	q.rrtype = binary.BigEndian.Uint16(packet[end:])
	q.class = binary.BigEndian.Uint16(packet[end+2:])
	q.question = packet[headerSize : end+4]
	return true
}

// readOther reads what an opcode that is not known leaves to be read: whether EDNS is spoken (RFC 6891 section 6.1.1), as far as
// the message looks like a query.
func (q *query) readOther(packet []byte) {
	whole := q.counts[0] == 0 || q.counts[0] == 1 && q.readQuestion(packet)
	if !whole || !q.readRest(packet) {
		q.edns, q.version, q.options = false, 0, options{}
	}
	q.question, q.name = nil, nil // it may mean something else
}

// readRest walks the other sections in search of the OPT record, of which there can be one, with the root as its
// owner, in the additional section (RFC 6891 section 6.1.1). A TSIG record is a fault: one in its place is taken off before
// (RFC 8945 section 5.1). Bytes after the last record are nobody's concern.
func (q *query) readRest(packet []byte) bool {
	at := headerSize + len(q.question)
	for section, count := range q.counts[1:] {
		for range count {
			root := at < len(packet) && packet[at] == 0
			end, ok := zone.SkipName(packet, at)
			if !ok || end+10 > len(packet) {
				return false
			}
			fixed := packet[end : end+10]
			at = end + 10 + int(binary.BigEndian.Uint16(fixed[8:]))
			if at > len(packet) {
				return false
			}
			switch binary.BigEndian.Uint16(fixed) {
			case dns.TypeTSIG:
				return false
			case dns.TypeOPT:
			default:
				continue
			}
			if section != 2 || !root || q.edns || !q.readOPT(fixed, packet[end+10:at]) {
				return false
			}
		}
	}
	return true
}

// readOPT reads the fixed part of an OPT record and the options in its data, which are those of version 0 alone.
func (q *query) readOPT(fixed, data []byte) bool {
	q.edns = true
	q.size = binary.BigEndian.Uint16(fixed[2:])
	q.version = fixed[5]
	q.do = fixed[6]&0x80 != 0
	return q.version > 0 || q.options.read(data)
}
