package proxy

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// quota counts what is in use of something, up to a bound.
type quota struct {
	most int64
	used atomic.Int64
}

func (q *quota) take() bool {
	if q.used.Add(1) <= q.most {
		return true
	}
	q.give()
	return false
}

func (q *quota) give() { q.used.Add(-1) }

// instanceConn is a connection to an instance that counts until it is closed.
type instanceConn struct {
	net.Conn
	quota *quota
	once  sync.Once
}

// SyscallConn is for looking whether the connection is still open.
func (c *instanceConn) SyscallConn() (syscall.RawConn, error) { return socketOf(c.Conn) }

// CloseWrite ends what is sent to the instance.
func (c *instanceConn) CloseWrite() error { return closeWrite(c.Conn) }

func (c *instanceConn) Close() error {
	defer c.once.Do(c.quota.give)
	return c.Conn.Close()
}
