package dnsserver

import (
	"encoding/binary"
	"time"

	"github.com/miekg/dns"
)

// readGreeting reads a message without a question. It is a query only where it asks for a cookie (RFC 7873 section 5.4).
func (q *query) readGreeting(packet []byte) (rcode int) {
	if !q.readRest(packet) || len(q.options.cookie) == 0 {
		return dns.RcodeFormatError
	}
	return dns.RcodeSuccess
}

// recognize finds out what is known of the client. The time is taken only where something depends on it.
func (c *responder) recognize() {
	cookie := c.query.options.cookie
	if len(cookie) == 0 && (c.server.limiter == nil || c.from.via != overUDP) {
		return
	}
	c.from.now = time.Now()
	if len(cookie) > 0 {
		c.from.cookie, c.from.fresh = c.server.secrets.at(c.from.now).check(cookie, c.from.addr, c.from.now)
		c.counters.cookies[c.from.cookie].Add(1)
	}
}

// describe fills in the options of the answer, as far as they have been asked for.
func (c *responder) describe(at *hosted) {
	m, q := &c.message, &c.query
	m.options, m.padded = m.options[:0], false
	if !q.edns || q.version > 0 {
		return
	}
	c.giveCookie()
	if c.reply.Rcode == dns.RcodeServerFailure && at != nil {
		c.reason = dns.ExtendedErrorCodeNotReady
	}
	if c.reason != 0 {
		m.options = appendExplanation(m.options, c.reason)
	}
	if nsid := c.server.cfg.NSID; q.options.nsid && nsid != "" {
		m.options = appendOption(m.options, dns.EDNS0NSID, []byte(nsid))
	}
	if q.options.keepalive && c.from.via != overUDP {
		m.options = appendKeepalive(m.options, c.server.limits.idle)
	}
	if q.options.expire && at != nil && q.rrtype == dns.TypeSOA && len(c.reply.Answer) > 0 {
		m.options = c.server.appendExpire(m.options, at)
	}
	m.padded = q.options.padding && c.from.via == overTLS
}

// giveCookie puts a cookie into the answer to a client that has sent one.
func (c *responder) giveCookie() {
	m, cookie := &c.message, c.query.options.cookie
	switch {
	case len(cookie) == 0:
	case c.from.fresh:
		m.options = appendOption(m.options, dns.EDNS0COOKIE, cookie)
	default:
		m.options = appendOption(m.options, dns.EDNS0COOKIE, nil)
		m.options[len(m.options)-1] = cookieSize
		m.options = c.server.secrets.at(c.from.now).append(m.options, cookie, c.from.addr, c.from.now)
	}
}

// appendKeepalive says how long an idle connection stays open, in tenths of a second.
func appendKeepalive(out []byte, idle time.Duration) []byte {
	return appendOption(out, dns.EDNS0TCPKEEPALIVE, binary.BigEndian.AppendUint16(nil, uint16(idle/(100*time.Millisecond))))
}

// appendExpire says for how long a copy of the zone may be answered from: by the SOA record, or as long as we may ourselves.
func (s *Server) appendExpire(out []byte, at *hosted) []byte {
	soa := at.Current().SOA().Set
	if soa == nil {
		return out
	}
	data := soa.Records[0].AppendData(nil)
	seconds := binary.BigEndian.Uint32(data[len(data)-8:])
	if at.secondary() {
		if _, status := s.peerStatus(at.published.Name); status != nil {
			seconds = uint32(max(0, status.ExpiresAt.Sub(s.cfg.Now())/time.Second))
		}
	}
	return appendOption(out, dns.EDNS0EXPIRE, binary.BigEndian.AppendUint32(nil, seconds))
}

// takeAnswer reports whether the client's network may have the answer at all.
func (c *responder) takeAnswer(at *hosted) bool {
	c.key.of(c.from.addr, at, &c.query, &c.reply)
	return c.server.limiter.takeAnswer(&c.key, c.from.now)
}

// takeExcess reports whether the client's network may have so many bytes beyond those that are free.
func (c *responder) takeExcess(bytes int) bool {
	return bytes <= 0 || c.server.limiter.takeExcess(&c.key, c.from.addr, bytes, c.from.now)
}

// slip answers every other query of those that are one too many, shortly.
func (c *responder) slip(out []byte, reserve int) []byte {
	if c.slips = !c.slips; !c.slips {
		c.counters.limited.Add(1)
		c.server.queries.note(&c.query, c.from.via, c.from.addr, c.reply.Rcode, true)
		return out
	}
	return c.shorten(out, reserve)
}

// shorten answers in no more bytes than the query has, about: with a cookie for a client that knows cookies, which is then
// to ask again (RFC 7873 section 5.2.3), and else truncated, for which TCP is the way on. Errors are short as they are.
func (c *responder) shorten(out []byte, reserve int) []byte {
	q, r, m := &c.query, &c.reply, &c.message
	m.options, m.padded = m.options[:0], false
	limit := minSize
	switch {
	case r.Rcode != dns.RcodeSuccess && r.Rcode != dns.RcodeNameError:
		r.Reset(r.Rcode)
	case len(q.options.cookie) > 0:
		r.Reset(dns.RcodeBadCookie)
	default:
		r.Reset(dns.RcodeSuccess)
		limit = 0
	}
	if q.edns && q.version == 0 {
		c.giveCookie()
	}
	answer, _ := m.write(out, q, r, limit-reserve)
	c.counters.slipped.Add(1)
	c.note(false, true)
	return answer
}
