package proxy

import (
	"net"
	"sync"
	"time"
)

// pacedConn ends a Write that the peer has not taken the whole of after between half of stall and all of it. Under TLS a
// Write is one record or a few, 16 KiB each, so a response may take as long as it needs; only a peer that reads next to
// nothing loses the connection.
type pacedConn struct {
	net.Conn
	stall time.Duration

	mu    sync.Mutex
	armed time.Time // when the deadline was last set
	owned bool      // somebody else has set a deadline
}

func (c *pacedConn) Write(b []byte) (int, error) {
	if err := c.arm(time.Now()); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

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
