package http1

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one connection of a client.
type conn struct {
	net.Conn
	server *Server
	tls    *tls.ConnectionState
	remote string
	ctx    context.Context // of its requests
	cancel context.CancelFunc
	source source
	in     *bufio.Reader
	out    output
	header http.Header // of responses
	phase  atomic.Int32

	mu    sync.Mutex
	until time.Time // reads may wait; zero: for ever, or somebody else has said how long
}

// The phases of a connection.
const (
	busy      int32 = iota
	waiting         // for the next request's first byte, or the client's end
	dismissed       // for good
)

// longAgo is a deadline that ends what waits.
var longAgo = time.Unix(1, 0)

// inBuffer holds the header of an ordinary request.
const inBuffer = 4 << 10

func newConn(ctx context.Context, s *Server, on net.Conn, state *tls.ConnectionState) *conn {
	c := &conn{Conn: on, server: s, tls: state, remote: on.RemoteAddr().String()}
	c.ctx, c.cancel = context.WithCancel(ctx)
	c.source.conn, c.out.to = on, on
	c.header = make(http.Header)
	c.in = bufio.NewReaderSize(&c.source, inBuffer)
	return c
}

func (c *conn) serve() {
	c.readWithin(c.server.HeaderTimeout)
	for {
		r, err := c.next()
		if err != nil {
			c.refuse(err)
			break
		}
		c.server.tell(c.Conn, http.StateActive)
		w := c.respond(r)
		switch {
		case w.hijacked:
			return
		case !w.again():
			w.depart()
			return
		}
		c.server.tell(c.Conn, http.StateIdle)
		c.readWithin(c.server.IdleTimeout)
	}
	_ = c.Conn.Close()
}

// next waits for a request, and reads its header.
func (c *conn) next() (*http.Request, error) {
	c.phase.Store(waiting)
	if c.server.draining.Load() {
		return nil, net.ErrClosed // dismiss may have found it busy
	}
	c.source.bound(c.server.MaxHeaderBytes)
	_, err := c.in.Peek(1)
	if !c.phase.CompareAndSwap(waiting, busy) {
		return nil, net.ErrClosed
	}
	if err != nil {
		return nil, err
	}
	return c.readRequest()
}

// dismiss ends the connection if it waits for a request. It leaves the closing to who serves it: with TLS that can take a while.
func (c *conn) dismiss() {
	if c.phase.CompareAndSwap(waiting, dismissed) {
		_ = c.Conn.SetReadDeadline(longAgo) // fails on a closed connection
	}
}

// cut closes the connection at once. TLS would say goodbye first, and wait for a client that does not listen.
func (c *conn) cut() {
	c.cancel()
	if over, ok := c.Conn.(interface{ NetConn() net.Conn }); ok {
		_ = over.NetConn().Close()
		return
	}
	_ = c.Conn.Close()
}

// readRequest reads a header. All of it has to come within a bounded time.
func (c *conn) readRequest() (*http.Request, error) {
	if begun, _ := c.in.Peek(c.in.Buffered()); !bytes.Contains(begun, []byte("\r\n\r\n")) {
		c.readWithin(c.server.HeaderTimeout)
	}
	r, err := http.ReadRequest(c.in)
	c.source.release()
	switch {
	case err == nil:
		err = check(r)
	case c.source.left <= 0:
		err = errHeaderTooLarge // the parser has its own word for a line that breaks off
	}
	return r, err
}

// readWithin bounds how long reads may wait from now on. Where the bound is nearly that already it stays, which spares the common
// request a timer.
func (c *conn) readWithin(limit time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	until := time.Now().Add(limit)
	if early := until.Sub(c.until); early >= 0 && early < limit/8 {
		return
	}
	c.until = until
	_ = c.Conn.SetReadDeadline(until) // fails on closed connections, as what follows does
}

// readUntil sets the deadline that somebody else wants; the zero time is none.
func (c *conn) readUntil(deadline time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = time.Time{}
	return c.Conn.SetReadDeadline(deadline)
}

// unbound lifts the bound on reads, unless somebody else has set one.
func (c *conn) unbound() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.until.IsZero() {
		c.until = time.Time{}
		_ = c.Conn.SetReadDeadline(time.Time{})
	}
}

// mostDrained is what is read of a body that nobody wants, for the sake of the next request.
const mostDrained = 256 << 10
