package http1

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// hungUp reports whether the client has ended its side of a connection, or all of it. It reads nothing, and so sees the end behind
// data that nobody has read. It cannot see one that is still on its way because the client has sent more than there is room for.
// A connection that has no socket is taken to go on.
func hungUp(conn net.Conn) (gone bool) {
	socket := socketBelow(conn)
	if socket == nil {
		return false
	}
	_ = socket.Control(func(fd uintptr) { // fails on a connection that was closed here
		look := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(look, 0)
		gone = n > 0 && err == nil
	})
	return gone
}

// socketBelow returns the socket of a connection, or nil.
func socketBelow(conn net.Conn) syscall.RawConn {
	if over, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = over.NetConn()
	}
	under, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	socket, err := under.SyscallConn()
	if err != nil {
		return nil
	}
	return socket
}
