package delegation

import (
	"context"
	"net/netip"

	"berth/dnsserver/dnsclient"

	"github.com/miekg/dns"
)

// client is how servers are asked.
func (c Config) client() dnsclient.Client { return dnsclient.Client{Timeout: c.Timeout, Dial: c.Dial} }

// within holds for names at or below a zone, which may be the root ".".
func within(name, zone string) bool { return dns.IsSubDomain(dns.Fqdn(zone), dns.Fqdn(name)) }

// resolve asks the resolver.
func (c Config) resolve(ctx context.Context, name string, rrtype uint16) (*dns.Msg, error) {
	q := dnsclient.Question{Name: name, Type: rrtype, Recurse: true, Unchecked: true} // what is broken is to be found, not hidden
	return c.client().Ask(ctx, c.Resolver, q)
}

// addresses returns what the resolver says of a host, of both families.
func (c Config) addresses(ctx context.Context, host string) []netip.Addr {
	var addrs []netip.Addr
	for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		answer, err := c.resolve(ctx, host, rrtype)
		if err != nil {
			continue
		}
		for _, rr := range answer.Answer {
			if addr, ok := address(rr); ok {
				addrs = append(addrs, addr)
			}
		}
	}
	return addrs
}

func address(rr dns.RR) (netip.Addr, bool) {
	switch rr := rr.(type) {
	case *dns.A:
		addr, ok := netip.AddrFromSlice(rr.A)
		return addr.Unmap(), ok
	case *dns.AAAA:
		return netip.AddrFromSlice(rr.AAAA)
	}
	return netip.Addr{}, false
}
