package zone

import (
	"testing"

	"berth/sites"

	"github.com/miekg/dns"
)

// A full change that names a set of another zone does not keep the one of this zone's apex.
func TestSetsOfOtherZonesKeepNothing(t *testing.T) {
	z := newZone(t, testConfig())
	ch := full(1)
	ch.RRSets = []sites.RRSet{{Name: "example.test", Type: "MX", TTL: 60, Data: []string{"10 mail.elsewhere.test."}}}
	z.Apply(ch)
	if z.Current().root.get("").set(dns.TypeMX).TTL != 60 {
		t.Fatal("the set is not served")
	}
	ch = full(2)
	ch.RRSets = []sites.RRSet{{Name: "elsewhere.test", Type: "MX", TTL: 70, Data: []string{"10 mail.elsewhere.test."}}}
	z.Apply(ch)
	if set := z.Current().root.get("").set(dns.TypeMX); set != nil && set.TTL == 60 {
		t.Error("the set is still served")
	}
}
