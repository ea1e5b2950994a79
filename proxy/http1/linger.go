package http1

import (
	"io"
	"net"
	"net/http"
	"time"
)

// How long a client may go on sending that has been answered and is to go. Most browsers do not look at the answer to an upload
// before they have sent all of it.
const (
	lingerMost    = time.Minute
	lingerPause   = 5 * time.Second        // of the client
	lingerLeaving = 500 * time.Millisecond // in all, once the server shuts down
)

// linger ends what is sent to the client, and lets it read the last answer before the connection closes: closing with something
// unread is a reset, which takes along what the client has not read (RFC 9112 section 9.6). Meanwhile the connection may be had by
// whoever needs its place.
func (c *conn) linger() {
	defer func() { _ = c.Conn.Close() }()
	if half, ok := c.Conn.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	c.server.tell(c.Conn, http.StateIdle)
	c.phase.Store(waiting)
	until := time.Now().Add(lingerMost)
	if c.server.draining.Load() {
		until = time.Now().Add(lingerLeaving) // dismiss may have found it busy
	}
	_, _ = io.Copy(io.Discard, lingering{c, until})
}

// lingering is what still comes on a connection.
type lingering struct {
	conn  *conn
	until time.Time
}

func (l lingering) Read(p []byte) (int, error) {
	deadline := time.Now().Add(lingerPause)
	if deadline.After(l.until) {
		deadline = l.until
	}
	_ = l.conn.readUntil(deadline) // fails on a closed connection, as the Read does
	if l.conn.phase.Load() != waiting {
		return 0, net.ErrClosed
	}
	return l.conn.Conn.Read(p)
}
