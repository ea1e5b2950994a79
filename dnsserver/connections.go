package dnsserver

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// limits bounds what clients over TCP and TLS may cost.
type limits struct {
	connections int           // open at once
	perClient   int           // of these, from one IPv4 address or IPv6 /64
	queries     int           // on one connection
	beside      int           // transfers at once on one connection
	idle        time.Duration // until the next query begins (RFC 7766 section 6.2.3)
	transfer    time.Duration // of one message, either way, and of a TLS handshake
	grace       time.Duration // for what is under way when the server ends
}

func defaultLimits() limits {
	return limits{
		connections: 1024, perClient: 128, queries: 1000, beside: 4,
		idle: 10 * time.Second, transfer: 5 * time.Second, grace: 5 * time.Second,
	}
}

// connections is the open connections. When there are too many, the one that has been idle for longest gives way.
type connections struct {
	mu        sync.Mutex
	total     int
	perClient map[netip.Prefix]int
	idle      list.List // of *stream; the first has been idle for longest
}

// seat is what connections keeps of a stream.
type seat struct {
	taken   bool
	waiting bool // for a query
	beside  int  // transfers under way
	place   *list.Element
}

func (c *connections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}

// enter gives a stream a seat. It does not when its client has too many, or too many are open of which none is idle.
func (c *connections) enter(s *stream, l limits) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.perClient[s.client] >= l.perClient {
		return false
	}
	if c.total >= l.connections {
		longest := c.idle.Front()
		if longest == nil {
			return false
		}
		c.evict(longest.Value.(*stream))
	}
	if c.perClient == nil {
		c.perClient = make(map[netip.Prefix]int)
	}
	s.seat.taken = true
	c.total++
	c.perClient[s.client]++
	return true
}

// evict takes an idle stream's seat. That ends its goroutine.
func (c *connections) evict(s *stream) {
	c.vacate(s)
	_ = s.raw.Close()
}

func (c *connections) leave(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.vacate(s)
}

func (c *connections) vacate(s *stream) {
	if !s.seat.taken {
		return
	}
	s.seat.taken = false
	c.seatIdle(s)
	c.total--
	if c.perClient[s.client]--; c.perClient[s.client] == 0 {
		delete(c.perClient, s.client)
	}
}

// rest notes that a stream waits for a query, wake that it does no more; it reports whether the stream still has its seat.
func (c *connections) rest(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.seat.waiting = true
	c.seatIdle(s)
}

func (c *connections) wake(s *stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.seat.waiting = false
	c.seatIdle(s)
	return s.seat.taken
}

// begin notes that a transfer is under way on a stream, unless there are limit already; end that it has ended.
func (c *connections) begin(s *stream, limit int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.seat.beside >= limit {
		return false
	}
	s.seat.beside++
	c.seatIdle(s)
	return true
}

func (c *connections) end(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.seat.beside--
	c.seatIdle(s)
}

// busy reports whether a transfer is under way on a stream.
func (c *connections) busy(s *stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return s.seat.beside > 0
}

// seatIdle has a stream among the idle ones, as the last, if and only if it is idle.
func (c *connections) seatIdle(s *stream) {
	idle := s.seat.taken && s.seat.waiting && s.seat.beside == 0
	switch {
	case idle && s.seat.place == nil:
		s.seat.place = c.idle.PushBack(s)
	case !idle && s.seat.place != nil:
		c.idle.Remove(s.seat.place)
		s.seat.place = nil
	}
}
