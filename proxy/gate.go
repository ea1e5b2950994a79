package proxy

import (
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// gate bounds the connections of all clients together and those of each. At a bound, the connection that has been
// waiting longest for a request makes room for the new one; when all are in use, the new one is closed at once.
type gate struct {
	most, each int
	log        *slog.Logger
	refusals   sampler

	mu       sync.Mutex
	count    int
	clients  map[netip.Prefix]map[*admission]struct{}
	searched time.Time // when the connections of all clients were last searched in vain
}

// Searching all connections takes a while, so it is not done for every one that is refused.
const searchPause = 100 * time.Millisecond

func newGate(lim descriptors, logger *slog.Logger) *gate {
	return &gate{
		most: lim.clients, each: lim.perClient, log: logger,
		refusals: sampler{every: 10 * time.Second},
		clients:  make(map[netip.Prefix]map[*admission]struct{}),
	}
}

// admission is the place of one connection, of TCP or QUIC, until it leaves.
type admission struct {
	gate    *gate
	client  netip.Prefix
	shut    func()       // closes the connection
	waiting atomic.Int64 // since when it waits for a request, in nanoseconds since 1970; 0: it serves one, or cannot be shut yet

	leaf atomic.Pointer[x509.Certificate] // that it got; nil for a session that was resumed
}

func (a *admission) wait() { a.waiting.Store(time.Now().UnixNano()) }

func (a *admission) serve() { a.waiting.Store(0) }

// clientConn is a connection of TCP that counts until it is closed.
type clientConn struct {
	net.Conn
	*admission
}

func (c *clientConn) Close() error {
	defer c.gate.leave(c.admission)
	return c.Conn.Close()
}

// CloseWrite ends what is sent to the client.
func (c *clientConn) CloseWrite() error { return closeWrite(c.Conn) }

// SyscallConn is for looking whether the client is still there.
func (c *clientConn) SyscallConn() (syscall.RawConn, error) { return socketOf(c.Conn) }

// admit counts a connection in, and returns nil when there is no room for it.
func (g *gate) admit(conn net.Conn, now time.Time) *clientConn {
	a := &admission{gate: g, client: clientOf(conn.RemoteAddr()), shut: func() { _ = conn.Close() }}
	a.waiting.Store(now.UnixNano())
	if !g.enter(a, now) {
		return nil
	}
	return &clientConn{Conn: conn, admission: a}
}

// enter counts a in if there is room or can be made, by shutting another.
func (g *gate) enter(a *admission, now time.Time) bool {
	evicted, ok := g.place(a, now)
	switch {
	case !ok:
		if omitted, due := g.refusals.due(now); due {
			g.log.Warn("a connection was refused: there are too many", "client", a.client, "omitted", omitted)
		}
	case evicted != nil:
		evicted.shut()
	}
	return ok
}

// place counts c in if there is room or can be made. What it evicts is counted out and still open.
func (g *gate) place(c *admission, now time.Time) (evicted *admission, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	own := g.clients[c.client]
	switch {
	case len(own) >= g.each:
		evicted = longestWaiting(nil, own)
	case g.count >= g.most:
		evicted = g.search(now)
	default:
		g.add(c)
		return nil, true
	}
	if evicted == nil {
		return nil, false
	}
	g.remove(evicted)
	g.add(c)
	return evicted, true
}

// search returns the connection of any client that has been waiting longest, or nil.
func (g *gate) search(now time.Time) *admission {
	if now.Sub(g.searched) < searchPause {
		return nil
	}
	var found *admission
	for _, conns := range g.clients {
		found = longestWaiting(found, conns)
	}
	if found == nil {
		g.searched = now
	}
	return found
}

// longestWaiting returns the one of found, which may be nil, and conns that has been waiting longest, or nil.
func longestWaiting(found *admission, conns map[*admission]struct{}) *admission {
	var since int64
	if found != nil {
		since = found.waiting.Load()
	}
	for c := range conns {
		if at := c.waiting.Load(); at != 0 && (since == 0 || at < since) {
			found, since = c, at
		}
	}
	return found
}

func (g *gate) add(c *admission) {
	own := g.clients[c.client]
	if own == nil {
		own = make(map[*admission]struct{})
		g.clients[c.client] = own
	}
	own[c] = struct{}{}
	g.count++
}

func (g *gate) remove(c *admission) {
	own := g.clients[c.client]
	if _, there := own[c]; !there {
		return // it was evicted
	}
	delete(own, c)
	if len(own) == 0 {
		delete(g.clients, c.client)
	}
	g.count--
}

func (g *gate) leave(c *admission) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(c)
}

// crowded reports whether half of all places are taken, or so many newcomers are too many or half of what one client may have.
func (g *gate) crowded(newcomers, many int) bool {
	if newcomers > min(many, g.each/2) {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.count > g.most/2
}

// changed is the State of the servers; it takes no lock.
func (g *gate) changed(conn net.Conn, state http.ConnState) {
	if over, ok := conn.(securedConn); ok {
		conn = over.below.Conn
	}
	c, ok := conn.(*clientConn)
	switch {
	case !ok:
	case state == http.StateIdle:
		c.wait()
	case state == http.StateActive:
		c.serve()
	}
}

// clientOf is whom a connection counts for. What has no address of the Internet is one client, too.
func clientOf(addr net.Addr) netip.Prefix {
	return networkOf(addrOf(addr))
}

// networkOf is what counts as one client: an IPv4 address, or the /64 that is the least an IPv6 network has. Loopback is no
// exception: a gateway in front of berth would need none below the bound, and a program on this machine can flood like any
// other.
func networkOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	network, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return network
}
