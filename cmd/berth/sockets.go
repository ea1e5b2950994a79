package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// sockets are all that the service listens on. They are bound before anything else starts.
type sockets struct {
	http, https, dnsTCP, dnsTLS []net.Listener
	admin                       []net.Listener
	operator                    net.Listener
	dnsUDP, http3               []net.PacketConn
}

// bind opens all sockets, or none.
func bind(ctx context.Context, c *config) (_ *sockets, err error) {
	s := &sockets{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	for _, addr := range c.HTTPAddr {
		if s.http, err = listen(ctx, s.http, addr, "--http-addr"); err != nil {
			return nil, err
		}
	}
	for _, addr := range c.HTTPSAddr {
		if err = s.listenHTTPS(ctx, addr, c.HTTP3); err != nil {
			return nil, err
		}
	}
	for _, addr := range c.DNSTLSAddr {
		if s.dnsTLS, err = listen(ctx, s.dnsTLS, addr, "--dns-tls-addr"); err != nil {
			return nil, err
		}
	}
	for _, addr := range c.AdminAddr {
		if s.admin, err = listen(ctx, s.admin, addr, "--admin-addr"); err != nil {
			return nil, err
		}
	}
	for _, addr := range c.DNSAddr {
		if err = s.listenDNS(ctx, addr); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func listen(ctx context.Context, to []net.Listener, addr, flag string) ([]net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return to, explainBind(err, flag, addr, "TCP")
	}
	return append(to, l), nil
}

// listenHTTPS binds TCP, and UDP on the same port where HTTP/3 is wanted. Port 0 picks one that is free for both.
func (s *sockets) listenHTTPS(ctx context.Context, addr string, http3 bool) error {
	const flag = "--https-addr"
	var lc net.ListenConfig
	for try := 0; ; try++ {
		tcp, err := lc.Listen(ctx, "tcp", addr)
		if err != nil {
			return explainBind(err, flag, addr, "TCP")
		}
		if !http3 {
			s.https = append(s.https, tcp)
			return nil
		}
		udp, err := lc.ListenPacket(ctx, "udp", tcp.Addr().String())
		if err == nil {
			s.https, s.http3 = append(s.https, tcp), append(s.http3, udp)
			return nil
		}
		_ = tcp.Close()
		if err := explainBind(err, flag, addr, "UDP"); !anyPort(addr) || try == 20 {
			return fmt.Errorf("%w; it is for HTTP/3, which --no-http3 turns off", err)
		}
	}
}

func anyPort(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	return err == nil && port == "0"
}

// listenDNS binds UDP and TCP on one port. Port 0 picks one that is free for both.
func (s *sockets) listenDNS(ctx context.Context, addr string) error {
	var lc net.ListenConfig
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("--dns-addr %q: give an address and a port, such as :53", addr)
	}
	for try := 0; ; try++ {
		udp, err := listenUDP(ctx, addr)
		if err != nil {
			return explainBind(err, "--dns-addr", addr, "UDP")
		}
		same := net.JoinHostPort(host, strconv.Itoa(udp[0].LocalAddr().(*net.UDPAddr).Port))
		tcp, err := lc.Listen(ctx, "tcp", same)
		if err == nil {
			s.dnsUDP, s.dnsTCP = append(s.dnsUDP, udp...), append(s.dnsTCP, tcp)
			return nil
		}
		closeAll(udp)
		if err := explainBind(err, "--dns-addr", same, "TCP"); port != "0" || try == 20 {
			return err
		}
	}
}

// listenUDP binds a socket for each processor to an address; the system deals clients out among them (SO_REUSEPORT in
// socket(7)). The first begins to share when it has the port: so one that another program has is refused, even if that
// program would share it.
func listenUDP(ctx context.Context, addr string) (bound []net.PacketConn, err error) {
	defer func() {
		if err != nil {
			closeAll(bound)
		}
	}()
	var alone, shared net.ListenConfig
	first, err := alone.ListenPacket(ctx, "udp", addr)
	if err != nil {
		return nil, err
	}
	bound = append(bound, first)
	raw, err := first.(*net.UDPConn).SyscallConn()
	if err != nil {
		return bound, err
	}
	if err := sharePort("", "", raw); err != nil {
		return bound, err
	}
	shared.Control = sharePort
	for len(bound) < runtime.GOMAXPROCS(0) {
		next, err := shared.ListenPacket(ctx, "udp", first.LocalAddr().String())
		if err != nil {
			return bound, err
		}
		bound = append(bound, next)
	}
	return bound, nil
}

// sharePort is a Control of net.ListenConfig.
func sharePort(_, _ string, conn syscall.RawConn) error {
	var refused error
	err := conn.Control(func(fd uintptr) {
		refused = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(err, refused)
}

func closeAll(conns []net.PacketConn) {
	for _, conn := range conns {
		_ = conn.Close()
	}
}

// dnsSources are the addresses that DNS is bound to, as far as they say by which one others know this server.
func (s *sockets) dnsSources() (addrs []netip.Addr) {
	for _, l := range s.dnsTCP {
		if addr := l.Addr().(*net.TCPAddr).AddrPort().Addr().Unmap(); addr.IsGlobalUnicast() {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

func explainBind(err error, flag, addr, network string) error {
	f := &bindFault{flag: flag, addr: addr}
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && flag == "--dns-addr" && strings.HasSuffix(addr, ":53"):
		f.why = "another program has this " + network + " port (a local resolver, perhaps: bind to the public address alone, such as --dns-addr 192.0.2.1:53)"
	case errors.Is(err, syscall.EADDRINUSE):
		f.why = "another program has this " + network + " port"
	case errors.Is(err, syscall.EACCES):
		f.why = "not allowed to bind this port; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		f.why = "this machine does not have that address"
	default:
		return fmt.Errorf("%s %s: %w", flag, addr, err)
	}
	return f
}

// bindFault says why a socket cannot be had.
type bindFault struct{ flag, addr, why string }

func (f *bindFault) Error() string { return f.flag + " " + f.addr + ": " + f.why }

func (s *sockets) close() {
	for _, l := range [][]net.Listener{s.http, s.https, s.dnsTCP, s.dnsTLS, s.admin} {
		for _, l := range l {
			_ = l.Close()
		}
	}
	if s.operator != nil {
		_ = s.operator.Close()
	}
	closeAll(s.dnsUDP)
	closeAll(s.http3)
}

// httpPort is the port on which this server is looked for by HTTP.
func (s *sockets) httpPort() int {
	if len(s.http) == 0 {
		return 80
	}
	return s.http[0].Addr().(*net.TCPAddr).Port
}

// httpsPort is the port that URLs name.
func (s *sockets) httpsPort() int {
	if len(s.https) == 0 {
		return 443
	}
	return s.https[0].Addr().(*net.TCPAddr).Port
}
