package dnsserver

import (
	"sync/atomic"

	"berth/dnsserver/transfer"

	"github.com/miekg/dns"
)

// Stats is what the server has done since it was made, for the status page.
type Stats struct {
	Zones         int
	Names         int    // existing names of all zones
	Serial        uint32 // of the main zone's SOA record
	UDP, TCP, TLS uint64 // queries
	Types         map[string]uint64
	Rcodes        map[string]uint64 // of answers; BADCOOKIE is one that was rate-limited
	Truncated     uint64            // answers that did not fit
	Slipped       uint64            // answers that rate limiting has cut short
	Limited       uint64            // queries that rate limiting has left without an answer
	ValidCookies  uint64            // queries with a server cookie of ours
	BadCookies    uint64            // with one that is not, or is too old
	Dropped       uint64            // packets that got no answer: not queries at all
	Failed        uint64            // queries that ended in a fault of ours
	Unrevised     bool              // no revision could be had for the last renewal of signatures
	Connections   int               // TCP and TLS connections now open
	Transfers     map[transfer.Outcome]uint64
}

const (
	countedRcodes = dns.RcodeBadCookie + 1
	countedTypes  = 512 // the types above are counted together, as the first
	counterShards = 16
)

// counters is a part of what Stats is read from. Each responder has one, so that those that answer at the same time seldom
// write to the same memory.
type counters struct {
	transports [transports]atomic.Uint64
	types      [countedTypes]atomic.Uint64
	rcodes     [countedRcodes]atomic.Uint64
	truncated  atomic.Uint64
	slipped    atomic.Uint64
	limited    atomic.Uint64
	cookies    [cookieValid + 1]atomic.Uint64
	dropped    atomic.Uint64
	_          [64]byte // of the processor's cache
}

// shards is the counters of all responders.
type shards struct {
	next   atomic.Uint32
	all    [counterShards]counters
	panics atomic.Uint64

	unrevised atomic.Bool // see Stats
}

func (s *shards) shard() *counters { return &s.all[s.next.Add(1)%counterShards] }

func (c *counters) count(via transport, q *query, rcode int, truncated bool) {
	c.transports[via].Add(1)
	if q.name != nil {
		if q.rrtype < countedTypes {
			c.types[q.rrtype].Add(1)
		} else {
			c.types[0].Add(1)
		}
	}
	c.rcodes[rcode].Add(1)
	if truncated {
		c.truncated.Add(1)
	}
}

// Stats returns the counters as they are now.
func (s *Server) Stats() Stats {
	zones := s.zones.Load()
	stats := Stats{
		Zones:       len(zones.byName),
		Serial:      zones.main.Current().Serial(),
		Types:       make(map[string]uint64),
		Rcodes:      make(map[string]uint64),
		Failed:      s.stats.panics.Load(),
		Unrevised:   s.stats.unrevised.Load(),
		Connections: s.connections.count(),
		Transfers:   s.transfers.Counts(),
	}
	for h := range zones.all() {
		stats.Names += h.Current().Names()
	}
	for i := range s.stats.all {
		stats.add(&s.stats.all[i])
	}
	return stats
}

func (s *Stats) add(c *counters) {
	s.UDP += c.transports[overUDP].Load()
	s.TCP += c.transports[overTCP].Load()
	s.TLS += c.transports[overTLS].Load()
	s.Truncated += c.truncated.Load()
	s.Slipped += c.slipped.Load()
	s.Limited += c.limited.Load()
	s.ValidCookies += c.cookies[cookieValid].Load()
	s.BadCookies += c.cookies[cookieBad].Load()
	s.Dropped += c.dropped.Load()
	for rcode := range c.rcodes {
		if n := c.rcodes[rcode].Load(); n > 0 {
			s.Rcodes[rcodeName(rcode)] += n
		}
	}
	for rrtype := range c.types {
		if n := c.types[rrtype].Load(); n > 0 {
			s.Types[countedType(rrtype)] += n
		}
	}
}

func countedType(rrtype int) string {
	if rrtype == 0 {
		return "other"
	}
	return typeName(uint16(rrtype))
}

func rcodeName(rcode int) string {
	if rcode == dns.RcodeBadVers { // the library calls it by its other meaning, BADSIG
		return "BADVERS"
	}
	return dns.RcodeToString[rcode]
}
