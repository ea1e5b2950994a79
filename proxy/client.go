package proxy

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddr is the address of the client that a request came from: the other end of the connection or, once the request
// is identified, what a trusted gateway says of it. IPv4 is never mapped into IPv6; the zero Addr stands for a client
// without such an address. It allocates nothing.
func clientAddr(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap()
}

// networks are those that gateways are trusted in.
type networks []netip.Prefix

func (n networks) contain(addr netip.Addr) bool {
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// arrival is how a request came.
type arrival struct {
	secure  bool // the client has used HTTPS, if only to the gateway
	gateway bool // a trusted gateway has brought it
}

// identify finds out who the client is, and puts that in r.RemoteAddr for all that comes after. Forwarding fields are
// believed from trusted gateways alone, and nobody sees them afterwards.
func (p *Proxy) identify(r *http.Request) arrival {
	came := arrival{secure: r.TLS != nil}
	if gateway := clientAddr(r); p.gateways.contain(gateway) {
		came.gateway = true
		if client := p.gateways.forwardedFor(r.Header["X-Forwarded-For"], gateway); client != gateway {
			r.RemoteAddr = netip.AddrPortFrom(client, 0).String()
		}
		came.secure = forwardedSecure(r.Header["X-Forwarded-Proto"], came.secure)
	}
	dropForged(r.Header)
	dropForged(r.Trailer) // what it will have: only what is announced goes on
	dropUpgrade(r.Header)
	dropListed(r.Header)
	return came
}

// forwardedFor is the address that the trusted gateways agree on: read from the end, to which each adds whom it serves, the
// first that is none of them. What comes before it is hearsay.
func (n networks) forwardedFor(fields []string, client netip.Addr) netip.Addr {
	for _, field := range slices.Backward(fields) {
		for rest, more := field, true; more; {
			at := strings.LastIndexByte(rest, ',')
			addr, ok := forwardedAddr(rest[at+1:])
			if !ok {
				return client
			}
			if client = addr; !n.contain(client) {
				return client
			}
			if more = at >= 0; more {
				rest = rest[:at]
			}
		}
	}
	return client
}

// forwardedAddr reads an address; some gateways add the port, and brackets to IPv6.
func forwardedAddr(text string) (netip.Addr, bool) {
	text = strings.Trim(text, " \t")
	if addr, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	from, err := netip.ParseAddrPort(text)
	return from.Addr().Unmap().WithZone(""), err == nil
}

// forwardedSecure reports whether the last gateway was reached by HTTPS, if it says that in a way that is known.
func forwardedSecure(fields []string, otherwise bool) bool {
	if len(fields) == 0 {
		return otherwise
	}
	last := fields[len(fields)-1]
	switch strings.ToLower(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])) {
	case "https":
		return true
	case "http":
		return false
	}
	return otherwise
}
