package proxy

import (
	"crypto/tls"
	"net"
	"sync"
	"syscall"
)

// securedConn is a connection with TLS whose records can share a system call.
type securedConn struct {
	*tls.Conn
	below *heldConn
}

// secured puts TLS on a connection.
func secured(c *clientConn, config *tls.Config) securedConn {
	below := &heldConn{Conn: c}
	return securedConn{tls.Server(below, config), below}
}

// Write has the records of a large p go out together.
func (c securedConn) Write(p []byte) (int, error) {
	const record = 16 << 10
	if len(p) <= record {
		return c.Conn.Write(p)
	}
	c.Hold()
	n, err := c.Conn.Write(p)
	if unsent := c.Release(); err == nil && unsent != nil {
		return 0, unsent
	}
	return n, err
}

// Hold keeps what is written until it is released as often as it was held.
func (c securedConn) Hold() { c.below.hold() }

// Release sends what was kept, and reports the first error since Hold.
func (c securedConn) Release() error { return c.below.release() }

// mostHeld is how much a connection keeps before it sends it, in bytes: a system call for as much costs little beside its work.
const mostHeld = 128 << 10

// heldConn keeps what is written to it while it is held.
type heldConn struct {
	net.Conn

	mu   sync.Mutex
	held int
	kept *[]byte // nil: nothing
	err  error
}

var keeps = sync.Pool{New: func() any { return new([]byte) }}

func (c *heldConn) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held++
}

func (c *heldConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.held == 0:
		return c.Conn.Write(p)
	case c.err != nil:
		return 0, c.err
	}
	if c.kept == nil {
		c.kept = keeps.Get().(*[]byte)
	}
	*c.kept = append(*c.kept, p...)
	if len(*c.kept) >= mostHeld {
		c.send()
	}
	return len(p), c.err
}

func (c *heldConn) send() {
	if c.err == nil && len(*c.kept) > 0 {
		_, c.err = c.Conn.Write(*c.kept)
	}
	*c.kept = (*c.kept)[:0]
}

func (c *heldConn) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held--
	if c.held == 0 && c.kept != nil {
		c.send()
		keeps.Put(c.kept)
		c.kept = nil
	}
	return c.err
}

// SyscallConn is for looking whether the client is still there.
func (c *heldConn) SyscallConn() (syscall.RawConn, error) { return socketOf(c.Conn) }
