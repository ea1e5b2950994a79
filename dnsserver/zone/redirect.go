package zone

import (
	"slices"

	"github.com/miekg/dns"
)

// redirect answers about a name below one with a DNAME record: the records and the alias that follows from them, which has
// no signature (RFC 6672 sections 3.1 and 5.3.1). It returns what the alias stands for, unless the alias was asked for.
func (z *Snapshot) redirect(r *Reply, e *entry, key []byte, rrtype uint16) (target *name) {
	i := e.index(dns.TypeDNAME)
	set := e.sets[i]
	if !slices.ContainsFunc(r.Answer, func(p Placed) bool { return p.Set == set }) { // an alias may have led here before
		r.Answer = append(r.Answer, e.placed(i, r.dnssec))
	}
	wire := appendLabels(nil, key[len(e.name.key):])
	if wire = set.Records[0].AppendData(wire); len(wire) > MaxName {
		r.Rcode = dns.RcodeYXDomain
		return nil
	}
	found := origin(z.apex.wire).name(string(lower(wire)))
	alias := &Set{Type: dns.TypeCNAME, TTL: set.TTL, Records: []Record{pointer(found)}}
	r.Answer = append(r.Answer, Placed{Owner: string(z.appendName(nil, key)), Set: alias})
	if rrtype == dns.TypeCNAME || rrtype == dns.TypeANY {
		return nil
	}
	return alias.Records[0].target()
}
