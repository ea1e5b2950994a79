package dnsserver

import (
	"encoding/binary"

	"berth/dnsserver/zone"

	"github.com/miekg/dns"
)

const (
	minSize   = 512   // of a UDP answer without EDNS
	ednsSize  = 1232  // of a UDP answer at most, and what is advertised: it passes any network unfragmented
	tcpSize   = 65535 // of a message over TCP
	optSize   = 11    // of our OPT record without options
	padBlock  = 468   // of which the size of a padded message is a multiple (RFC 8467 section 4.1)
	maxOffset = 1<<14 - 1
)

// message writes answers in wire form. Its room is used again for the next one.
type message struct {
	out   []byte
	start int // where the message begins in out
	q     *query
	known []knownName

	options []byte // of our OPT record, set by the caller
	padded  bool   // it is filled up to the next block, too
}

// knownName is a name that stands in the message, so that others can point at it (RFC 1035 section 4.1.4).
type knownName struct {
	wire string
	at   int
}

// limit is the size that the answer to q may have over UDP.
func (q *query) limit() int {
	if !q.edns {
		return minSize
	}
	return min(max(int(q.size), minSize), ednsSize)
}

// write appends the answer to out and returns it, and whether it had to be truncated. What does not fit is left
// out: additional records silently; with glue or anything else missing, all records, and TC is set.
func (m *message) write(out []byte, q *query, r *zone.Reply, limit int) (answer []byte, truncated bool) {
	m.out, m.start, m.q, m.known = append(out, make([]byte, headerSize)...), len(out), q, m.known[:0]
	whole := limit
	if q.edns {
		limit -= optSize + len(m.options)
	}
	m.out = append(m.out, q.question...)
	questions := len(m.out)
	counts := [3]int{m.sets(r.Answer), m.sets(r.Authority)}
	if m.length() <= limit {
		var written int
		counts[2], written = m.additional(r.Additional, limit)
		truncated = written < r.Glue
	} else {
		truncated = true
	}
	if truncated {
		m.out, counts = m.out[:questions], [3]int{}
	}
	if q.edns {
		m.opt(r.Rcode, whole)
		counts[2]++
	}
	m.header(r, counts, truncated)
	return m.out, truncated
}

func (m *message) length() int { return len(m.out) - m.start }

func (m *message) header(r *zone.Reply, counts [3]int, truncated bool) {
	bits := uint16(bitQR) | echoed(m.q.bits) | uint16(r.Rcode&0xF)
	if r.Authoritative {
		bits |= bitAA
	}
	if truncated {
		bits |= bitTC
	}
	head := m.out[m.start:m.start]
	head = binary.BigEndian.AppendUint16(head, m.q.id)
	head = binary.BigEndian.AppendUint16(head, bits)
	head = binary.BigEndian.AppendUint16(head, uint16(min(len(m.q.question), 1)))
	for _, count := range counts {
		head = binary.BigEndian.AppendUint16(head, uint16(count))
	}
}

// opt appends our OPT record: the upper bits of the rcode, version 0, the DO bit as it was sent, the options. Padding ends
// at the limit of the message.
func (m *message) opt(rcode, limit int) {
	var flags uint16
	if m.q.do {
		flags = 1 << 15
	}
	m.out = append(m.out, 0, 0, byte(dns.TypeOPT))
	m.out = binary.BigEndian.AppendUint16(m.out, ednsSize)
	m.out = append(m.out, byte(rcode>>4), 0)
	m.out = binary.BigEndian.AppendUint16(m.out, flags)
	m.out = binary.BigEndian.AppendUint16(m.out, uint16(len(m.options)))
	m.out = append(m.out, m.options...)
	if m.padded {
		m.pad(len(m.options), limit)
	}
}

// pad appends a Padding option (RFC 7830) to the OPT record, which ends the message and has options of the given size.
func (m *message) pad(options, limit int) {
	const head = 4
	size := (m.length() + head + padBlock - 1) / padBlock * padBlock
	n := min(size, limit) - m.length() - head
	if n < 0 {
		return
	}
	binary.BigEndian.PutUint16(m.out[len(m.out)-options-2:], uint16(options+head+n))
	m.out = binary.BigEndian.AppendUint16(m.out, dns.EDNS0PADDING)
	m.out = binary.BigEndian.AppendUint16(m.out, uint16(n))
	m.out = append(m.out, make([]byte, n)...)
}

func (m *message) sets(sets []zone.Placed) (count int) {
	for _, p := range sets {
		count += m.set(p)
	}
	return count
}

// additional appends whole sets as long as they fit, and returns how many records and sets those are.
func (m *message) additional(sets []zone.Placed, limit int) (count, written int) {
	for i, p := range sets {
		before, known := len(m.out), len(m.known)
		n := m.set(p)
		if m.length() > limit {
			m.out, m.known = m.out[:before], m.known[:known]
			return count, i
		}
		count += n
	}
	return count, len(sets)
}

// set appends a set of records and its signatures, and returns how many records that are.
func (m *message) set(p zone.Placed) (count int) {
	if wire := p.Set.Wire(); wire != nil && p.Owner == string(m.q.name) {
		m.out = append(m.out, wire...)
	} else {
		for i := range p.Set.Records {
			m.name(p.Owner)
			m.record(p.Set, &p.Set.Records[i])
		}
	}
	return len(p.Set.Records) + m.signatures(p)
}

// signatures appends the RRSIG records of a set; their data has its length before it as in a message.
func (m *message) signatures(p zone.Placed) (count int) {
	for rest := p.Signatures; len(rest) > 0; count++ {
		length := 2 + int(binary.BigEndian.Uint16(rest))
		m.name(p.Owner)
		m.fixed(dns.TypeRRSIG, p.Set.TTL)
		m.out = append(m.out, rest[:length]...)
		rest = rest[length:]
	}
	return count
}

// fixed appends what stands between a record's owner and the length of its data.
func (m *message) fixed(rrtype uint16, ttl uint32) {
	m.out = binary.BigEndian.AppendUint16(m.out, rrtype)
	m.out = binary.BigEndian.AppendUint16(m.out, dns.ClassINET)
	m.out = binary.BigEndian.AppendUint32(m.out, ttl)
}

func (m *message) record(set *zone.Set, rec *zone.Record) {
	m.fixed(set.Type, set.TTL)
	m.out = append(m.out, 0, 0)
	data := len(m.out)
	m.out = append(m.out, rec.Head...)
	for _, n := range rec.Names() {
		m.name(n)
	}
	m.out = append(m.out, rec.Tail()...)
	binary.BigEndian.PutUint16(m.out[data-2:], uint16(len(m.out)-data))
}

// name appends a name, as a pointer from the first label on at which one that stands in the message continues.
func (m *message) name(wire string) {
	begin := m.length()
	for at := 0; at < len(wire)-1; at += int(wire[at]) + 1 {
		if to, ok := m.find(wire[at:]); ok {
			m.out = append(m.out, wire[:at]...)
			m.out = binary.BigEndian.AppendUint16(m.out, 0xC000|uint16(to))
			if at > 0 && begin <= maxOffset {
				m.known = append(m.known, knownName{wire, begin})
			}
			return
		}
	}
	m.out = append(m.out, wire...)
	if len(wire) > 1 && begin <= maxOffset {
		m.known = append(m.known, knownName{wire, begin})
	}
}

// find returns where a name stands in the message: at the end of the question's name, or on its own.
func (m *message) find(wire string) (at int, ok bool) {
	for at := 0; len(m.q.name)-at >= len(wire); at += int(m.q.name[at]) + 1 {
		if len(m.q.name)-at == len(wire) {
			if string(m.q.name[at:]) == wire {
				return headerSize + at, true
			}
			break
		}
	}
	for _, k := range m.known {
		if k.wire == wire {
			return k.at, true
		}
	}
	return 0, false
}
