package dnsserver

import (
	"net"
	"net/netip"
	"testing"
)

// Other nameservers know a server by the address that it speaks from, so it is one of those that it answers on.
func TestPeersAreAskedFromOurAddress(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	other, chosen := netip.MustParseAddr("127.0.0.53"), netip.MustParseAddr("127.0.0.1")
	for want, sources := range map[string][]netip.Addr{
		"127.0.0.53": {netip.MustParseAddr("2001:db8::1"), other},
		"127.0.0.1":  {other, chosen}, // as the system chooses
	} {
		for _, network := range []string{"udp", "tcp"} {
			conn, err := dialFrom(sources)(t.Context(), network, listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if host, _, _ := net.SplitHostPort(conn.LocalAddr().String()); host != want {
				t.Errorf("%s from %s, want %s", network, host, want)
			}
			conn.Close()
		}
	}
}

// An address that the other end cannot answer is none to speak from.
func TestSourceFor(t *testing.T) {
	all := []netip.Addr{
		netip.MustParseAddr("127.0.0.53"), netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("198.51.100.5"),
		netip.MustParseAddr("fe80::5"), netip.MustParseAddr("fd00::5"),
	}
	for _, c := range []struct{ chosen, to, want string }{
		{"198.51.100.5", "203.0.113.9", ""},
		{"198.51.100.77", "203.0.113.9", "198.51.100.5"},
		{"10.0.0.5", "10.0.0.9", ""},
		{"10.0.0.77", "10.0.0.9", "10.0.0.5"},
		{"127.0.0.1", "127.0.0.1", "127.0.0.53"},
		{"2001:db8::77", "2001:db8::9", ""},
		{"fd00::77", "fd00::9", "fd00::5"},
	} {
		from, ok := sourceFor(all, netip.MustParseAddr(c.chosen), netip.MustParseAddr(c.to))
		if got := from.String(); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("to %s instead of %s: %s, %t, want %q", c.to, c.chosen, got, ok, c.want)
		}
	}
}
