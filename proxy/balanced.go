package proxy

import (
	"net"
	"net/netip"
	"syscall"
	"time"
)

// introduced is a balancer's connection as its client's, or nil if the balancer does not say whose it is.
func (e *entrance) introduced(conn net.Conn) net.Conn {
	var client netip.AddrPort
	err := e.within(conn, func() (err error) {
		client, err = readAnnouncement(conn)
		return err
	})
	if err != nil {
		if omitted, due := e.proxy.strangers.due(time.Now()); due && e.closed.Err() == nil {
			e.proxy.log.Warn("a load balancer's connection does not begin with a PROXY protocol header", "balancer", conn.RemoteAddr(), "error", err, "omitted", omitted)
		}
		_ = conn.Close()
		return nil
	}
	if client.IsValid() {
		return announcedConn{conn, net.TCPAddrFromAddrPort(client)}
	}
	return conn
}

// announcedConn is a connection whose other end is the balancer's client.
type announcedConn struct {
	net.Conn
	client *net.TCPAddr
}

func (c announcedConn) RemoteAddr() net.Addr { return c.client }

func (c announcedConn) CloseWrite() error { return closeWrite(c.Conn) }

// SyscallConn is for looking whether the client is still there.
func (c announcedConn) SyscallConn() (syscall.RawConn, error) { return socketOf(c.Conn) }

// addrOf is the address of a peer of TCP or UDP; the zero Addr for what has none.
func addrOf(addr net.Addr) netip.Addr {
	at, ok := addr.(interface{ AddrPort() netip.AddrPort })
	if !ok {
		return netip.Addr{}
	}
	return at.AddrPort().Addr().Unmap()
}
