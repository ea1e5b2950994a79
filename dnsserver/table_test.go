package dnsserver

import (
	"context"
	"errors"
	"testing"

	"berth/sites"
)

func primary(names ...string) []sites.PublishedZone {
	zones := make([]sites.PublishedZone, len(names))
	for i, name := range names {
		zones[i] = sites.PublishedZone{Zone: sites.Zone{ID: sites.ZoneID(i + 2), Name: name, Kind: sites.ZonePrimary}}
	}
	return zones
}

func TestZonesComeAndGo(t *testing.T) {
	s := newServer(t, testConfig())
	s.Apply(full(1, "hello"))
	wantRcodes(t, s, map[string]string{"customer.test SOA": "REFUSED", "mail.customer.test A": "REFUSED"})
	s.Apply(sites.Change{
		Revision: 2, Zones: primary("customer.test"),
		RRSets: []sites.RRSet{recordSet("mail.customer.test 60 A 192.0.2.3"), recordSet("hello.example.test 60 TXT beside")},
	})
	wantRcodes(t, s, map[string]string{
		"customer.test SOA": "NOERROR", "customer.test NS": "NOERROR", "mail.Customer.TEST A": "NOERROR",
		"x.customer.test A": "NXDOMAIN", "xcustomer.test A": "REFUSED", "test A": "REFUSED",
		"hello.example.test TXT": "NOERROR", "mail.example.test A": "NXDOMAIN",
	})
	s.Apply(sites.Change{Revision: 3, GoneZones: []string{"customer.test"}})
	wantRcodes(t, s, map[string]string{"customer.test SOA": "REFUSED", "hello.example.test A": "NOERROR"})
}

func TestFullChangeDropsZonesThatItDoesNotName(t *testing.T) {
	s := newServer(t, testConfig())
	both := full(1, "hello")
	both.Zones = primary("one.test", "two.test")
	s.Apply(both)
	wantRcodes(t, s, map[string]string{"one.test SOA": "NOERROR", "two.test SOA": "NOERROR", "example.test SOA": "NOERROR"})
	one := full(2, "hello")
	one.Zones = both.Zones[:1]
	one.RRSets = []sites.RRSet{recordSet("a.one.test 60 A 192.0.2.3"), recordSet("b.two.test 60 A 192.0.2.3")}
	s.Apply(one)
	wantRcodes(t, s, map[string]string{
		"one.test SOA": "NOERROR", "a.one.test A": "NOERROR", "two.test SOA": "REFUSED", "b.two.test A": "REFUSED",
		"hello.example.test A": "NOERROR",
	})
}

// Neither a change that names the main zone as gone nor one that names no zones takes it away.
func TestMainZoneStays(t *testing.T) {
	s := newServer(t, testConfig())
	s.Apply(full(1, "hello"))
	s.Apply(sites.Change{Revision: 2, GoneZones: []string{"example.test"}})
	s.Apply(full(3, "hello"))
	wantRcodes(t, s, map[string]string{"hello.example.test A": "NOERROR"})
}

// A host is answered for in the hosted zone that it belongs to, and a site may have hosts in several.
func TestHostsGoToTheirZone(t *testing.T) {
	s := newServer(t, testConfig())
	ch := full(1)
	ch.Zones = primary("customer.test", "other.test")
	ch.Sites = []sites.Published{{ID: 1, Name: "shop", Hosts: []string{
		"shop.example.test", "www.Customer.test.", "a.customer.test", "shop.other.test", "shop.elsewhere.test",
	}}}
	s.Apply(ch)
	there := map[string]string{
		"shop.example.test A": "NOERROR", "www.customer.test A": "NOERROR", "a.customer.test A": "NOERROR", "shop.other.test A": "NOERROR",
		"shop.elsewhere.test A": "REFUSED",
	}
	wantRcodes(t, s, there)
	s.Apply(sites.Change{Revision: 2, Gone: []string{"a.customer.test", "shop.other.test"}})
	there["a.customer.test A"], there["shop.other.test A"] = "NXDOMAIN", "NXDOMAIN"
	wantRcodes(t, s, there)
}

// What touches one zone leaves the serials of others alone.
func TestSerialsAreOfTheirZone(t *testing.T) {
	s := newServer(t, testConfig())
	ch := full(5, "hello")
	ch.Zones = primary("customer.test")
	s.Apply(ch)
	s.Apply(sites.Change{Revision: 6, RRSets: []sites.RRSet{recordSet("mail.customer.test 60 A 192.0.2.3")}})
	table := s.zones.Load()
	if main, other := table.main.Current().Serial(), table.at("customer.test").Current().Serial(); main != 5 || other != 6 {
		t.Errorf("serials %d and %d, want 5 and 6", main, other)
	}
}

func TestChallengesGoToTheirZone(t *testing.T) {
	s := newServer(t, testConfig())
	ch := full(1)
	ch.Zones = primary("customer.test")
	s.Apply(ch)
	setChallenge(t, s, "_acme-challenge.customer.test", "v")
	wantRcodes(t, s, map[string]string{"_acme-challenge.customer.test TXT": "NOERROR"})
	removeChallenge(t, s, "_acme-challenge.customer.test.", "v")
	wantRcodes(t, s, map[string]string{"_acme-challenge.customer.test TXT": "NXDOMAIN"})
}

// Challenges are changes: they have revisions of the store's, and none is set when there is no revision for it.
func TestChallengesAreRevisions(t *testing.T) {
	cfg := testConfig()
	taken, failure := 0, error(nil)
	cfg.Revise = func(_ context.Context, fn func(int64)) error {
		if failure == nil {
			taken++
			fn(int64(taken))
		}
		return failure
	}
	s := newServer(t, cfg)
	s.Apply(full(1))
	setChallenge(t, s, "_acme-challenge.example.test", "v")
	if taken != 1 {
		t.Errorf("%d revisions taken", taken)
	}
	failure = errors.New("disk full")
	if err := s.SetChallenge(context.Background(), "_acme-challenge.hello.example.test", "v"); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
	wantRcodes(t, s, map[string]string{"_acme-challenge.example.test TXT": "NOERROR", "_acme-challenge.hello.example.test TXT": "NXDOMAIN"})
}

// A zone of a name below another's is found before it.
func TestLongestSuffixWins(t *testing.T) {
	s := newServer(t, testConfig())
	ch := full(1, "hello")
	ch.Zones = primary("sub.example.test", "test")
	ch.RRSets = []sites.RRSet{recordSet("a.sub.example.test 60 A 192.0.2.3"), recordSet("b.test 60 A 192.0.2.3")}
	s.Apply(ch)
	for ask, zone := range map[string]string{
		"a.sub.example.test A": "sub.example.test.", "x.sub.example.test A": "sub.example.test.",
		"xsub.example.test A": "example.test.", "b.test TYPE1000": "test.", "anything.test A": "test.",
	} {
		m := direct(t, s, question(ask), overUDP)
		if len(m.Answer) == 0 && (len(m.Ns) == 0 || m.Ns[0].Header().Name != zone) {
			t.Errorf("%s: %v, want it of %s", ask, m, zone)
		}
	}
}

func TestManyZonesDoNotAllocate(t *testing.T) {
	s := populated(t)
	s.Apply(sites.Change{Revision: 8, Zones: primary("one.test", "two.test")})
	responder := s.newResponder()
	var out []byte
	for _, ask := range []string{"hello.example.test A", "one.test SOA", "x.two.test A", "elsewhere.test A"} {
		packet := pack(t, withSize(ask, 1232))
		if n := testing.AllocsPerRun(100, func() { out = responder.respond(out[:0], packet, overUDP, testClient) }); n > 0 {
			t.Errorf("%s: %.0f allocations", ask, n)
		}
	}
}
