package proxy

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// What connections that stand for one of TCP pass on of it.

// closeWrite ends one direction of what has two.
func closeWrite(to io.Writer) error {
	half, ok := to.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// socketOf is for looking at a connection without reading.
func socketOf(conn net.Conn) (syscall.RawConn, error) {
	under, ok := conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return under.SyscallConn()
}
