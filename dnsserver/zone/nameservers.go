package zone

import (
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// Nameservers are the hosts that the zone names as its nameservers, without trailing dot, and the addresses that it has of those at
// or below its apex: what its parent should say (RFC 1034 section 4.2.2). There are none as long as the zone is not known.
func (z *Snapshot) Nameservers() (hosts []string, glue map[string][]netip.Addr) {
	var named Reply
	if !z.Known() {
		return nil, nil
	}
	z.Lookup(&named, nil, dns.TypeNS, false)
	glue = make(map[string][]netip.Addr)
	for _, p := range named.Answer {
		for i := range p.Set.Records {
			target := p.Set.Records[i].target()
			host := strings.TrimSuffix(presentation(target.wire), ".")
			hosts = append(hosts, host)
			if !target.inside {
				continue
			}
			e := z.root.get(target.key) // glue, too, and that of this host alone
			glue[host] = append(e.addresses(dns.TypeA), e.addresses(dns.TypeAAAA)...)
		}
	}
	return hosts, glue
}

// addresses are those that an entry, which may be nil, has of a type.
func (e *entry) addresses(rrtype uint16) (addrs []netip.Addr) {
	if e == nil || e.set(rrtype) == nil {
		return nil
	}
	return e.set(rrtype).addresses(rrtype)
}

// addresses are those in a set of that type; there are none in one of another.
func (s *Set) addresses(rrtype uint16) (addrs []netip.Addr) {
	if s.Type != rrtype {
		return nil
	}
	for _, record := range s.Records {
		if addr, ok := netip.AddrFromSlice(record.AppendData(nil)); ok {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}
