package zone

import (
	"strings"

	"berth/sites"

	"github.com/miekg/dns"
)

// Answer is what the world gets that asks for the addresses of a name in presentation format, which must lie in the zone.
func (z *Snapshot) Answer(name string) sites.NameAnswer {
	out := sites.NameAnswer{Zone: strings.TrimSuffix(presentation(z.apex.wire), ".")}
	n, err := origin(z.apex.wire).parse(name)
	if err != nil || !n.inside {
		return sites.NameAnswer{}
	}
	for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		var r Reply
		z.Lookup(&r, []byte(n.key), rrtype, false)
		out.Silent = out.Silent || r.Rcode == dns.RcodeServerFailure
		out.Exists = out.Exists || r.Rcode == dns.RcodeSuccess
		out.Delegated = out.Delegated || r.Referral
		for _, p := range r.Answer {
			out.Addresses = append(out.Addresses, p.Set.addresses(rrtype)...)
			if p.Set.Type == dns.TypeCNAME && rrtype == dns.TypeA {
				out.Alias = strings.TrimSuffix(presentation(p.Set.Records[0].target().wire), ".")
			}
		}
	}
	return out
}
