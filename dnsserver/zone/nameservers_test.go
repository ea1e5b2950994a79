package zone

import (
	"fmt"
	"testing"

	"berth/sites"
)

func TestNameservers(t *testing.T) {
	z := newZone(t, testConfig())
	if hosts, _ := z.Current().Nameservers(); len(hosts) > 0 {
		t.Errorf("of a zone that is not known: %v", hosts)
	}
	z.Apply(full(1))
	hosts, glue := z.Current().Nameservers()
	if got, want := fmt.Sprint(hosts), "[ns1.example.test ns2.dns.example.test ns.elsewhere.test]"; got != want {
		t.Errorf("nameservers %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(glue), "map[ns1.example.test:[192.0.2.1 2001:db8::1] ns2.dns.example.test:[192.0.2.1 2001:db8::1]]"; got != want {
		t.Errorf("glue %s, want %s", got, want)
	}
}

// A nameserver below a delegation has its own glue, not that of the others there.
func TestNameserversBelowADelegation(t *testing.T) {
	cfg := testConfig()
	cfg.Main, cfg.Nameservers = false, []string{"ns1.example.test"} // in the main zone the NS records are always berth's own
	z := newZone(t, cfg)
	ch := full(1)
	ch.RRSets = []sites.RRSet{
		{Name: "example.test", Type: "NS", TTL: 60, Data: []string{"ns1.example.test.", "a.sub.example.test.", "b.sub.example.test."}},
		{Name: "sub.example.test", Type: "NS", TTL: 60, Data: []string{"a.sub.example.test.", "b.sub.example.test."}},
		{Name: "a.sub.example.test", Type: "A", TTL: 60, Data: []string{"192.0.2.7"}},
		{Name: "b.sub.example.test", Type: "AAAA", TTL: 60, Data: []string{"2001:db8::7"}},
	}
	z.Apply(ch)
	_, glue := z.Current().Nameservers()
	if got, want := fmt.Sprint(glue["a.sub.example.test"], glue["b.sub.example.test"]), "[192.0.2.7] [2001:db8::7]"; got != want {
		t.Errorf("glue %s, want %s", got, want)
	}
}
