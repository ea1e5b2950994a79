package delegation

import (
	"fmt"
	"net/netip"
	"slices"
)

// RegistrarLines are the records that the zone's parent should have, in presentation format: its nameservers, the addresses of
// those at or below the zone, and the DS records. The registry chooses the TTL.
func RegistrarLines(zone Zone) (ns, glue, ds []string) {
	zone = zone.canonical()
	for _, host := range zone.Nameservers {
		ns = append(ns, fmt.Sprintf("%s. IN NS %s.", zone.Name, host))
		if !within(host, zone.Name) {
			continue
		}
		for _, addr := range slices.SortedFunc(slices.Values(zone.Glue[host]), netip.Addr.Compare) {
			rrtype := "A"
			if addr.Is6() {
				rrtype = "AAAA"
			}
			glue = append(glue, fmt.Sprintf("%s. IN %s %s", host, rrtype, addr))
		}
	}
	for _, record := range zone.DS {
		ds = append(ds, fmt.Sprintf("%s. IN DS %s", zone.Name, dsText(record)))
	}
	return ns, glue, ds
}
