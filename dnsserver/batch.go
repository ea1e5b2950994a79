package dnsserver

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch is packets that are read from a socket with one system call, recvmmsg(2), and their answers, which are written
// with another. Unlike ReadBatch and WriteBatch of golang.org/x/net it makes no garbage: those return an address on the
// heap for each packet. It serves one goroutine at a time.
type batch struct {
	conn     syscall.RawConn
	in       [batchSize]slot
	out      [batchSize]slot
	incoming [batchSize]header
	outgoing [batchSize]header
	answers  int // of outgoing

	// What the system calls take and give: their functions are made once, as making them anew would allocate.
	recv, send func(fd uintptr) (done bool)
	sent       int // of answers
	count      int
	errno      syscall.Errno
}

// header is the system's struct mmsghdr.
type header struct {
	unix.Msghdr
	length uint32
}

// slot is what a header points at.
type slot struct {
	vector  unix.Iovec
	data    []byte
	control [64]byte // one message with the packet's destination takes 40
	addr    [unix.SizeofSockaddrInet6]byte
}

func newBatch(conn *net.UDPConn) (*batch, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("reach the socket: %w", err)
	}
	b := &batch{conn: raw}
	for i := range b.in {
		in, out := &b.in[i], &b.out[i]
		in.data, out.data = make([]byte, packetSize), make([]byte, 0, ednsSize)
		in.vector.Base = &in.data[0]
		in.vector.SetLen(packetSize)
		b.incoming[i].Iov, b.outgoing[i].Iov = &in.vector, &out.vector
		b.incoming[i].SetIovlen(1)
		b.outgoing[i].SetIovlen(1)
		b.incoming[i].Name = &in.addr[0]
		b.incoming[i].Control = &in.control[0]
	}
	b.recv = func(fd uintptr) bool {
		b.call(unix.SYS_RECVMMSG, fd, b.incoming[:], unix.MSG_DONTWAIT)
		return b.errno != unix.EAGAIN
	}
	b.send = func(fd uintptr) bool {
		b.call(unix.SYS_SENDMMSG, fd, b.outgoing[b.sent:b.answers], unix.MSG_DONTWAIT)
		return b.errno != unix.EAGAIN
	}
	return b, nil
}

// call reads or writes messages and leaves behind how many it were. The scheduler is not told of the system call: it never
// blocks (MSG_DONTWAIT) and takes microseconds, and having the processor taken away meanwhile costs more than the call.
func (b *batch) call(trap, fd uintptr, messages []header, flags uintptr) {
	n, _, errno := unix.RawSyscall6(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(messages))), uintptr(len(messages)), flags, 0, 0)
	b.count, b.errno = int(n), errno
	if errno != 0 {
		b.count = 0
	}
}

// read waits for packets and returns how many there are. They hold until the next read.
func (b *batch) read() (packets int, err error) {
	b.answers = 0
	for i := range b.incoming {
		b.incoming[i].Namelen = unix.SizeofSockaddrInet6
		b.incoming[i].SetControllen(len(b.in[i].control))
	}
	if err := b.conn.Read(b.recv); err != nil {
		return 0, err
	}
	if b.errno != 0 {
		return 0, fmt.Errorf("read packets: %w", b.errno)
	}
	return b.count, nil
}

// packet is the i-th that was read.
func (b *batch) packet(i int) []byte {
	return b.in[i].data[:min(b.incoming[i].length, packetSize)]
}

// client is the sender of the i-th packet.
func (b *batch) client(i int) netip.AddrPort {
	addr := &b.in[i].addr
	port := binary.BigEndian.Uint16(addr[2:])
	switch binary.NativeEndian.Uint16(addr[:]) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(addr[4:8])), port)
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(addr[8:24])).Unmap(), port)
	}
	return netip.AddrPort{}
}

// room is for the next answer.
func (b *batch) room() []byte { return b.out[b.answers].data[:0] }

// answer takes what is to be sent to the sender of the i-th packet, from the address that it was sent to.
func (b *batch) answer(i int, data []byte) {
	if len(data) == 0 {
		return
	}
	slot, to := &b.out[b.answers], &b.outgoing[b.answers]
	slot.data = data
	slot.vector.Base = &data[0]
	slot.vector.SetLen(len(data))
	to.Name, to.Namelen = b.incoming[i].Name, b.incoming[i].Namelen
	to.Control, to.Controllen = nil, 0
	if length := keepSource(b.in[i].control[:b.incoming[i].Controllen]); length > 0 {
		to.Control = b.incoming[i].Control
		to.SetControllen(length)
	}
	b.answers++
}

// write sends the answers. One that cannot be sent is left out.
func (b *batch) write() {
	for b.sent = 0; b.sent < b.answers; b.sent += b.count {
		if b.conn.Write(b.send) != nil {
			return
		}
		if b.errno != 0 && b.errno != unix.EINTR {
			b.sent++
		}
	}
}

// keepSource turns the control message with a packet's destination into one that makes it the answer's source (ip(7),
// RFC 3542 section 6), and returns its length, or 0 where there is none.
func keepSource(control []byte) (length int) {
	if len(control) < unix.SizeofCmsghdr {
		return 0
	}
	head := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	data := control[unix.CmsgLen(0):]
	switch {
	case head.Level == unix.IPPROTO_IPV6 && head.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
		if !netip.AddrFrom16([16]byte(data[:16])).IsLinkLocalUnicast() {
			clear(data[16:20]) // the interface: the routes decide
		}
		return unix.CmsgSpace(unix.SizeofInet6Pktinfo)
	case head.Level == unix.IPPROTO_IP && head.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
		clear(data[:4])             // the interface
		copy(data[4:8], data[8:12]) // the source is what was the destination
		return unix.CmsgSpace(unix.SizeofInet4Pktinfo)
	}
	return 0
}
