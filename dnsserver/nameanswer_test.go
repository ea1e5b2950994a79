package dnsserver

import (
	"net/netip"
	"reflect"
	"testing"

	"berth/sites"
)

func TestWhatTheWorldIsToldOfAName(t *testing.T) {
	s := newServer(t, testConfig())
	change := full(1, "hello")
	change.Zones = append(primary("customer.test"), sites.PublishedZone{Zone: sites.Zone{ID: 9, Name: "copy.test", Kind: sites.ZoneSecondary}})
	change.RRSets = []sites.RRSet{
		recordSet("www.customer.test 60 CNAME mail.customer.test"), recordSet("mail.customer.test 60 A 192.0.2.3"),
		recordSet("text.customer.test 60 TXT x"), recordSet("sub.customer.test 60 NS ns.elsewhere.test"),
	}
	s.Apply(change)
	own, mail := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, []netip.Addr{netip.MustParseAddr("192.0.2.3")}
	for name, want := range map[string]sites.NameAnswer{
		"Hello.Example.test.":  {Zone: "example.test", Exists: true, Addresses: own},
		"nobody.example.test":  {Zone: "example.test"},
		"www.customer.test":    {Zone: "customer.test", Exists: true, Alias: "mail.customer.test", Addresses: mail},
		"text.customer.test":   {Zone: "customer.test", Exists: true},
		"x.sub.customer.test":  {Zone: "customer.test", Exists: true, Delegated: true},
		"www.copy.test":        {Zone: "copy.test", Silent: true},
		"www.elsewhere.test":   {},
		"not a name..customer": {},
	} {
		if got := s.NameAnswer(name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}
