package dnsserver

import (
	"context"
	"net"
	"net/netip"
	"slices"
)

// dialFrom connects from one of the addresses: other nameservers know us by them. It is the one that the system chooses, where
// that is one of them; else the first that can be answered.
func dialFrom(sources []netip.Addr) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		to, err := netip.ParseAddrPort(addr)
		if err != nil {
			return nil, err
		}
		if from, ok := sourceFor(sources, route(ctx, addr), to.Addr().Unmap()); ok {
			local := netip.AddrPortFrom(from, 0)
			if d.LocalAddr = net.Addr(net.UDPAddrFromAddrPort(local)); network == "tcp" {
				d.LocalAddr = net.TCPAddrFromAddrPort(local)
			}
		}
		return d.DialContext(ctx, network, addr)
	}
}

// route is the address that the system would connect from; the zero one, if it knows no way. Nothing is sent.
func route(ctx context.Context, addr string) netip.Addr {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", addr)
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close()
	local, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.Addr{}
	}
	return local.AddrPort().Addr().Unmap()
}

// sourceFor is the address to connect from instead of the one that the system chooses; false where that is as good.
func sourceFor(sources []netip.Addr, chosen, to netip.Addr) (netip.Addr, bool) {
	if slices.Contains(sources, chosen) {
		return netip.Addr{}, false
	}
	for _, from := range sources {
		if from.Is4() == to.Is4() && answerableAt(from, to) {
			return from, true
		}
	}
	return netip.Addr{}, false
}

// answerableAt reports whether what comes from one address can be answered by the other: a private address is known on its own
// networks alone (RFC 1918, RFC 4193).
func answerableAt(from, to netip.Addr) bool {
	switch {
	case from.IsUnspecified() || from.IsLinkLocalUnicast():
		return false
	case from.IsLoopback():
		return to.IsLoopback()
	case from.IsPrivate():
		return to.IsPrivate() || to.IsLoopback()
	}
	return true
}
