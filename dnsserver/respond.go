package dnsserver

import (
	"encoding/binary"
	"net/netip"
	"runtime/debug"
	"time"

	"berth/dnsserver/zone"

	"github.com/miekg/dns"
)

// transport is what a query came over.
type transport uint8

const (
	overUDP transport = iota
	overTCP
	overTLS
	transports
)

// responder is the room that answering a query needs. It serves one goroutine at a time.
type responder struct {
	server   *Server
	counters *counters
	query    query
	reply    zone.Reply
	message  message
	room     []byte // for answers over TCP

	from   client
	reason uint16     // why the answer is no better, 0 for nothing to say (RFC 8914)
	key    limiterKey // room for the limiter
	slips  bool       // the next answer that is limited is cut short; else it is dropped
}

// client is who has sent a query, as far as that is known.
type client struct {
	via    transport
	addr   netip.Addr
	now    time.Time // when it came; zero where that does not matter
	cookie cookieState
	fresh  bool // the cookie can be given back as it is
}

// keepRoom keeps the room of an answer for the next one, unless it is unusually large.
func (c *responder) keepRoom(out []byte) {
	if cap(out) <= packetSize {
		c.room = out[:0]
	}
}

// respond appends the answer to a client's packet to out; nothing, when there is to be none. No packet can end the
// process: a panic is a fault of ours and answered as such.
func (c *responder) respond(out, packet []byte, via transport, client netip.AddrPort) (answer []byte) {
	defer func() {
		if fault := recover(); fault != nil {
			c.server.notePanic(fault)
			answer = appendFailure(out, packet)
		}
	}()
	if !c.query.readHeader(packet) || c.query.bits&bitQR != 0 {
		c.counters.dropped.Add(1)
		return out
	}
	if forPeers(packet) {
		return c.respondPeer(out, packet, via, client)
	}
	return c.ordinary(out, packet, via, client.Addr(), 0)
}

// notePanic logs a fault of ours, but not each time: whoever found it must not fill the log.
func (s *Server) notePanic(fault any) {
	if n := s.stats.panics.Add(1); n&(n-1) == 0 {
		s.log.Error("answering a query failed", "panic", fault, "times", n, "stack", string(debug.Stack()))
	}
}

// ordinary appends the answer to a packet whose header has been read, and leaves room for reserve more bytes. Answers over
// UDP to clients that may be forged are limited.
func (c *responder) ordinary(out, packet []byte, via transport, addr netip.Addr, reserve int) []byte {
	q, r := &c.query, &c.reply
	c.from, c.reason = client{via: via, addr: addr.Unmap()}, 0
	at, rcode := c.guard(packet)
	if at != nil {
		at.Current().Lookup(r, q.key, q.rrtype, q.do)
	} else {
		r.Reset(rcode)
	}
	c.recognize()
	bounded := via == overUDP && c.from.cookie != cookieValid && c.server.limiter.limits(c.from.addr)
	if bounded && !c.takeAnswer(at) {
		return c.slip(out, reserve)
	}
	c.describe(at)
	limit := tcpSize
	if via == overUDP {
		limit = q.limit()
	}
	answer, truncated := c.message.write(out, q, r, limit-reserve)
	if bounded && !c.takeExcess(len(answer)-len(out)-freeFactor*len(packet)) {
		return c.shorten(out, reserve)
	}
	c.note(truncated, false)
	return answer
}

// note counts an answer and shows it to those who watch.
func (c *responder) note(truncated, limited bool) {
	c.counters.count(c.from.via, &c.query, c.reply.Rcode, truncated)
	c.server.queries.note(&c.query, c.from.via, c.from.addr, c.reply.Rcode, limited)
}

// guard reads the packet step by step. It returns the zone that is asked, or nil and the rcode why none is.
func (c *responder) guard(packet []byte) (at *hosted, rcode int) {
	q := &c.query
	switch {
	case q.opcode() != dns.OpcodeQuery:
		q.readOther(packet)
		return nil, dns.RcodeNotImplemented
	case q.counts[0] == 0:
		return nil, q.readGreeting(packet)
	case q.counts[0] != 1 || !q.readQuestion(packet) || !q.readRest(packet): // RFC 9619
		return nil, dns.RcodeFormatError
	case q.version > 0:
		return nil, dns.RcodeBadVers
	case q.class != dns.ClassINET: // among others version.bind: nobody needs to know
		return nil, dns.RcodeRefused
	}
	if at = c.server.zones.Load().find(q); at == nil {
		c.reason = dns.ExtendedErrorCodeNotAuthoritative
		return nil, dns.RcodeRefused
	}
	if rcode, ok := answerable(q.rrtype); !ok {
		return nil, rcode
	}
	return at, dns.RcodeSuccess
}

// answerable tells types of records from types that ask for something else (RFC 6895 section 3.1).
func answerable(rrtype uint16) (rcode int, ok bool) {
	switch {
	case rrtype == dns.TypeANY || !zone.IsMeta(rrtype):
		return dns.RcodeSuccess, true
	case rrtype == dns.TypeAXFR || rrtype == dns.TypeIXFR:
		return dns.RcodeRefused, false
	case rrtype == dns.TypeMAILA || rrtype == dns.TypeMAILB:
		return dns.RcodeNotImplemented, false
	}
	return dns.RcodeFormatError, false
}

// appendFailure appends a bare SERVFAIL for a packet that has a header.
func appendFailure(out, packet []byte) []byte {
	bits := binary.BigEndian.Uint16(packet[2:])
	out = append(out, packet[:2]...)
	out = binary.BigEndian.AppendUint16(out, bitQR|echoed(bits)|dns.RcodeServerFailure)
	return append(out, 0, 0, 0, 0, 0, 0, 0, 0)
}
