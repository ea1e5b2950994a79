package proxy

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// The PROXY protocol of HAProxy, versions 1 and 2: a balancer begins a connection by announcing whose it is.
// https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt
const (
	announceV1 = "PROXY "
	announceV2 = "\r\n\r\n\x00\r\nQUIT\n"

	longestV1 = 107 // bytes, the line's end included
)

var errAnnouncement = errors.New("not a header of the PROXY protocol")

// readAnnouncement reads the header that r begins with, and not a byte more. The address is the client's; it is not valid
// when the balancer speaks for itself or of a client without an address of TCP.
func readAnnouncement(r io.Reader) (netip.AddrPort, error) {
	start := make([]byte, len(announceV2), longestV1)
	if _, err := io.ReadFull(r, start); err != nil {
		return netip.AddrPort{}, err
	}
	switch {
	case string(start) == announceV2:
		return readV2(r)
	case strings.HasPrefix(string(start), announceV1):
		return readV1(r, start)
	}
	return netip.AddrPort{}, errAnnouncement
}

// readV1 reads on to the end of the line.
func readV1(r io.Reader, line []byte) (netip.AddrPort, error) {
	var next [1]byte
	for !strings.HasSuffix(string(line), "\r\n") {
		if len(line) == longestV1 {
			return netip.AddrPort{}, errAnnouncement
		}
		if _, err := io.ReadFull(r, next[:]); err != nil {
			return netip.AddrPort{}, err
		}
		line = append(line, next[0])
	}
	return parseV1(strings.TrimSuffix(string(line), "\r\n"))
}

func parseV1(line string) (client netip.AddrPort, err error) {
	fields := strings.Split(line, " ")
	switch {
	case len(fields) >= 2 && fields[1] == "UNKNOWN":
		return netip.AddrPort{}, nil
	case len(fields) != 6 || fields[1] != "TCP4" && fields[1] != "TCP6":
		return netip.AddrPort{}, errAnnouncement
	}
	var ends [2]netip.AddrPort // source and destination
	for i := range ends {
		addr, err := netip.ParseAddr(fields[2+i])
		if err != nil || addr.Is4() != (fields[1] == "TCP4") || addr.Zone() != "" {
			return netip.AddrPort{}, errAnnouncement
		}
		port, err := strconv.ParseUint(fields[4+i], 10, 16)
		if err != nil {
			return netip.AddrPort{}, errAnnouncement
		}
		ends[i] = netip.AddrPortFrom(addr.Unmap(), uint16(port))
	}
	return ends[0], nil
}

// readV2 reads what follows the signature: version and command, family, length, addresses, and what the balancer adds.
func readV2(r io.Reader) (client netip.AddrPort, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return client, err
	}
	length := int(binary.BigEndian.Uint16(head[2:]))
	const local, proxied = 0x20, 0x21
	if head[0] != local && head[0] != proxied {
		return client, errAnnouncement
	}
	if size := addressSize(head[1]); head[0] == proxied && size > 0 {
		var ends [36]byte // two addresses and two ports
		whole := ends[:2*size+4]
		if length -= len(whole); length < 0 {
			return client, errAnnouncement
		}
		if _, err := io.ReadFull(r, whole); err != nil {
			return client, err
		}
		addr, _ := netip.AddrFromSlice(whole[:size]) // of 4 or 16 bytes
		client = netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(whole[2*size:]))
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	return client, err
}

// addressSize is how many bytes an address has in a family and over a transport; 0 for all but TCP over IP.
func addressSize(family byte) int {
	switch family {
	case 0x11:
		return 4
	case 0x21:
		return 16
	}
	return 0
}
