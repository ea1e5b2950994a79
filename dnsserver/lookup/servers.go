package lookup

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"berth/dnsserver/dnsclient"
	"berth/sites"

	"github.com/miekg/dns"
)

// servers are some nameservers of the zone that a name lies in, as the resolver knows them; none where it knows none. They are
// others' to name, so addresses inside of networks are left out: nobody is to have berth ask around there.
func (c Config) servers(ctx context.Context, name string) (found []netip.AddrPort) {
	for _, host := range c.nameservers(ctx, name) {
		for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			answer, err := c.resolve(ctx, host, rrtype)
			if err != nil {
				continue
			}
			for _, addr := range addresses(answer) {
				if public(addr) && len(found) < maxServers {
					found = append(found, netip.AddrPortFrom(addr, port))
					break // the next one is another machine, perhaps
				}
			}
		}
	}
	return found
}

// responsive is the server that answers first with authority; the zero one where none does, as behind a firewall.
func (c Config) responsive(ctx context.Context, servers []netip.AddrPort, name string) (first netip.AddrPort) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answered := make(chan netip.AddrPort, len(servers))
	for _, server := range servers {
		go func() {
			if _, err := c.ask(ctx, server, dnsclient.Question{Name: name, Type: dns.TypeA}); err != nil {
				server = netip.AddrPort{}
			}
			answered <- server
		}()
	}
	for range servers { // even when one is found: what was started is waited for
		if server := <-answered; server.IsValid() && !first.IsValid() {
			first = server
			cancel()
		}
	}
	return first
}

// nameservers are those of the closest zone at or above a name.
func (c Config) nameservers(ctx context.Context, name string) (hosts []string) {
	for strings.Contains(name, ".") {
		answer, _ := c.resolve(ctx, name, dns.TypeNS)
		if answer == nil {
			return nil
		}
		for _, rr := range answer.Answer {
			if ns, ok := rr.(*dns.NS); ok && dnsclient.SameName(ns.Hdr.Name, name) && len(hosts) < maxServers {
				hosts = append(hosts, sites.CanonicalHost(ns.Ns))
			}
		}
		if len(hosts) > 0 {
			return hosts
		}
		_, name, _ = strings.Cut(name, ".")
	}
	return nil
}

// public holds for addresses that the internet can route to.
func public(addr netip.Addr) bool {
	inside := func(network string) bool { return netip.MustParsePrefix(network).Contains(addr) }
	return addr.IsGlobalUnicast() && !addr.IsPrivate() && !slices.ContainsFunc(special(), inside)
}

// special are networks that are unicast by their form, and lead nowhere or inside: of RFC 6890, and those in whose addresses others
// of IPv4 are written, which a translator would take for private ones (RFC 6052, RFC 8215, RFC 3056, RFC 4380).
func special() []string {
	return []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "fec0::/10",
	}
}

// addresses are those in an answer.
func addresses(m *dns.Msg) (found []netip.Addr) {
	for _, rr := range m.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			if addr, ok := netip.AddrFromSlice(rr.A); ok {
				found = append(found, addr.Unmap())
			}
		case *dns.AAAA:
			if addr, ok := netip.AddrFromSlice(rr.AAAA); ok {
				found = append(found, addr.Unmap())
			}
		}
	}
	return found
}
