package sites

import (
	"slices"
	"strings"
)

// isAddressType holds for types that say where a name's services are, or that the name is another one's alias.
func isAddressType(rrtype string) bool {
	return rrtype == "CNAME" || slices.Contains(addressTypes, rrtype)
}

// records are what a domain's owner is to enter, and what does as well: below the domain that was registered an alias of the site's
// own name, at it, where there can be none (RFC 1034 section 3.6.2), addresses with a proof.
func (w *domainWatch) records(d Domain, host string, aliasProves bool) (best, instead []DomainRecord) {
	zone := registered(d.Name)
	record := func(name, rrtype, data string) DomainRecord {
		label := strings.TrimSuffix(strings.TrimSuffix(name, zone), ".")
		return DomainRecord{Name: name, Label: orDefault(label, "@"), Type: rrtype, Data: data}
	}
	proof := record(TextName(d.Name), "TXT", d.Token)
	for _, addr := range w.own {
		rrtype := "A"
		if addr.Is6() {
			rrtype = "AAAA"
		}
		instead = append(instead, record(d.Name, rrtype, addr.String()))
	}
	instead = append(instead, proof)
	if d.Name == zone {
		return instead, nil
	}
	best = []DomainRecord{record(d.Name, "CNAME", host)}
	if !aliasProves {
		best = append(best, proof)
	}
	return best, instead
}
