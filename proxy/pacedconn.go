package proxy

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// pacedConn ends a Write of which the peer takes neither the rest nor leastTaken in a time between half of stall and all of it.
// A response may take as long as it needs; only a peer that reads next to nothing loses the connection.
type pacedConn struct {
	net.Conn
	stall time.Duration

	mu    sync.Mutex
	armed time.Time // when the deadline was last set
	owned bool      // somebody else has set a deadline
}

// leastTaken is a TLS record, in bytes.
const leastTaken = 16 << 10

func (c *pacedConn) Write(b []byte) (written int, err error) {
	for {
		if err := c.arm(time.Now()); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(b[written:])
		if written += n; n < leastTaken || !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
	}
}

// CloseWrite ends what is sent to the peer.
func (c *pacedConn) CloseWrite() error { return closeWrite(c.Conn) }

// SyscallConn is for looking whether the client is still there.
func (c *pacedConn) SyscallConn() (syscall.RawConn, error) { return socketOf(c.Conn) }

// arm sets the deadline only now and then, to spare the common write a timer.
func (c *pacedConn) arm(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owned || now.Sub(c.armed) < c.stall/2 {
		return nil
	}
	c.armed = now
	return c.Conn.SetWriteDeadline(now.Add(c.stall))
}

// SetWriteDeadline takes precedence until it is called with the zero time.
func (c *pacedConn) SetWriteDeadline(t time.Time) error {
	c.own(t)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (c *pacedConn) SetDeadline(t time.Time) error {
	c.own(t)
	return c.Conn.SetDeadline(t)
}

func (c *pacedConn) own(deadline time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owned = !deadline.IsZero()
	c.armed = time.Time{}
}
