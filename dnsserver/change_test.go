package dnsserver

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"berth/dnsserver/zone"
	"berth/sites"

	"github.com/miekg/dns"
)

// rcode is how a question ends.
func rcode(t testing.TB, s *Server, ask string) string {
	t.Helper()
	m := direct(t, s, question(ask), overTCP)
	if m.Rcode == dns.RcodeSuccess && len(m.Answer) == 0 {
		return "NODATA"
	}
	return rcodeName(m.Rcode)
}

func serial(t testing.TB, s *Server) uint32 {
	t.Helper()
	m := direct(t, s, question("example.test SOA"), overTCP)
	if len(m.Answer) != 1 {
		t.Fatalf("no SOA record: %v", m)
	}
	return m.Answer[0].(*dns.SOA).Serial
}

func wantRcodes(t testing.TB, s *Server, want map[string]string) {
	t.Helper()
	for ask, wanted := range want {
		if got := rcode(t, s, ask); got != wanted {
			t.Errorf("%s: %s, want %s", ask, got, wanted)
		}
	}
}

func TestSitesComeAndGo(t *testing.T) {
	s := newServer(t, testConfig())
	s.Apply(full(1))
	wantRcodes(t, s, map[string]string{"hello.example.test A": "NXDOMAIN", "a.b.example.test A": "NXDOMAIN"})
	site := sites.Published{ID: 1, Name: "hello", Hosts: []string{"hello.example.test", "a.b.example.test"}}
	s.Apply(sites.Change{Revision: 2, Sites: []sites.Published{site}})
	wantRcodes(t, s, map[string]string{
		"hello.example.test A": "NOERROR", "a.b.example.test A": "NOERROR", "b.example.test A": "NODATA",
	})
	s.Apply(sites.Change{Revision: 3, Gone: []string{"a.b.example.test", "hello.example.test", "www.customer.test"}})
	wantRcodes(t, s, map[string]string{
		"hello.example.test A": "NXDOMAIN", "a.b.example.test A": "NXDOMAIN", "b.example.test A": "NXDOMAIN",
	})
	// A host that moves from one site to another in one change stays.
	s.Apply(sites.Change{Revision: 4, Gone: []string{"hello.example.test"}, Sites: []sites.Published{site}})
	wantRcodes(t, s, map[string]string{"hello.example.test A": "NOERROR"})
}

func TestStoppedSitesKeepTheirName(t *testing.T) {
	s := newServer(t, testConfig())
	s.Apply(full(1))
	s.Apply(sites.Change{Revision: 2, Sites: []sites.Published{
		{ID: 1, Name: "hello", Hosts: []string{"Hello.Example.Test."}, State: sites.StateStopped},
	}})
	wantRcodes(t, s, map[string]string{"hello.example.test A": "NOERROR"})
}

func TestOwnNamesStay(t *testing.T) {
	s := newServer(t, testConfig())
	s.Apply(full(1, "www"))
	s.Apply(sites.Change{Revision: 2, Gone: []string{"example.test", "panel.example.test", "www.example.test", "ns1.example.test"}})
	s.Apply(full(3))
	wantRcodes(t, s, map[string]string{
		"example.test A": "NOERROR", "example.test NS": "NOERROR", "panel.example.test A": "NOERROR",
		"www.example.test A": "NOERROR", "ns1.example.test AAAA": "NOERROR",
	})
}

func TestFullChangeDropsWhatItDoesNotName(t *testing.T) {
	s := newServer(t, testConfig())
	first := full(1, "one", "two")
	first.RRSets = []sites.RRSet{
		recordSet("one.example.test 60 CAA 0 issue \"ca.test\""),
		recordSet("one.example.test 60 TXT kept"),
		recordSet("x.two.example.test 60 TXT gone"),
	}
	s.Apply(first)
	setChallenge(t, s, "_acme-challenge.two.example.test", "running")
	second := full(2, "one", "three")
	second.RRSets = first.RRSets[1:2]
	s.Apply(second)
	wantRcodes(t, s, map[string]string{
		"one.example.test A": "NOERROR", "one.example.test CAA": "NODATA", "one.example.test TXT": "NOERROR",
		"two.example.test A": "NODATA", "x.two.example.test TXT": "NXDOMAIN", "three.example.test A": "NOERROR",
		"_acme-challenge.two.example.test TXT": "NOERROR",
	})
	removeChallenge(t, s, "_acme-challenge.two.example.test", "running")
	wantRcodes(t, s, map[string]string{"two.example.test A": "NXDOMAIN"})
}

func TestSerial(t *testing.T) {
	s := newServer(t, testConfig())
	mail := recordSet("one.example.test 60 MX 10 mail.elsewhere.test.")
	site := published("one", "two")
	for _, step := range []struct {
		name   string
		change sites.Change
		want   uint32
	}{
		{"the first full change gives its revision", full(40, "one"), 40},
		{"another site", sites.Change{Revision: 41, Sites: site}, 41},
		{"the same again", sites.Change{Revision: 42, Sites: site}, 41},
		{"another state of a site", sites.Change{Revision: 43, Sites: []sites.Published{{ID: 1, Hosts: site[0].Hosts, State: sites.StateStopped}}}, 41},
		{"hosts outside the zone", sites.Change{Revision: 44, Sites: []sites.Published{{ID: 1, Hosts: []string{"customer.test"}}}, Gone: []string{"gone.test"}}, 41},
		{"a name that berth itself has", sites.Change{Revision: 45, Sites: []sites.Published{{ID: 3, Hosts: []string{"www.example.test"}}}}, 41},
		{"records", sites.Change{Revision: 46, RRSets: []sites.RRSet{mail}}, 46},
		{"the same records", sites.Change{Revision: 47, RRSets: []sites.RRSet{mail}}, 46},
		{"other data", sites.Change{Revision: 48, RRSets: []sites.RRSet{recordSet("one.example.test 60 MX 20 mail.elsewhere.test.")}}, 48},
		{"another TTL", sites.Change{Revision: 49, RRSets: []sites.RRSet{recordSet("one.example.test 61 MX 20 mail.elsewhere.test.")}}, 49},
		{"faulty records in their place", sites.Change{Revision: 50, RRSets: []sites.RRSet{recordSet("one.example.test 61 MX mail")}}, 50},
		{"no records", sites.Change{Revision: 51, RRSets: []sites.RRSet{{Name: "one.example.test", Type: "MX"}}}, 50},
		{"a full change with nothing new", full(52, "one", "two"), 50},
		{"a full change with something new", full(53, "one"), 53},
		{"a revision from the past", sites.Change{Revision: 9, Sites: published("late")}, 54},
		{"a host that goes", sites.Change{Revision: 55, Gone: []string{"late.example.test"}}, 55},
		{"the host again", sites.Change{Revision: 56, Gone: []string{"late.example.test"}}, 55},
	} {
		s.Apply(step.change)
		if got := serial(t, s); got != step.want {
			t.Fatalf("%s: serial %d, want %d", step.name, got, step.want)
		}
	}
	setChallenge(t, s, "_acme-challenge.example.test", "v")
	if got := serial(t, s); got != 57 {
		t.Errorf("after a challenge: %d", got)
	}
	if got := s.Stats().Serial; got != 57 {
		t.Errorf("in the status: %d", got)
	}
}

func TestChallenges(t *testing.T) {
	s := newServer(t, testConfig())
	s.Apply(full(1, "hello"))
	const at = "_acme-challenge.example.test"
	values := func() string {
		var texts []string
		for _, rr := range direct(t, s, question(at+" TXT"), overUDP).Answer {
			texts = append(texts, strings.Join(rr.(*dns.TXT).Txt, "+"))
		}
		return strings.Join(texts, " ")
	}
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() { setChallenge(t, s, at, "one") }, "one"},
		{func() { setChallenge(t, s, "_ACME-Challenge.Example.TEST.", "two") }, "one two"},
		{func() { setChallenge(t, s, at, "two") }, "one two"},
		{func() { s.Apply(full(2, "hello")) }, "one two"},
		{func() { removeChallenge(t, s, at, "never set") }, "one two"},
		{func() { removeChallenge(t, s, at+".", "one") }, "two"},
		{func() { setChallenge(t, s, at, strings.Repeat("x", 300)) }, "two " + strings.Repeat("x", 255) + "+" + strings.Repeat("x", 45)},
		{func() { removeChallenge(t, s, at, strings.Repeat("x", 300)) }, "two"},
		{func() { removeChallenge(t, s, at, "two") }, ""},
	} {
		step.do()
		if got := values(); got != step.want {
			t.Fatalf("values %q, want %q", got, step.want)
		}
	}
	wantRcodes(t, s, map[string]string{at + " TXT": "NXDOMAIN"})
	s.Apply(sites.Change{Revision: 3, RRSets: []sites.RRSet{recordSet(at + " 60 TXT entered")}})
	setChallenge(t, s, at, "running")
	if got := values(); got != "entered running" {
		t.Errorf("beside an entered record: %q", got)
	}
	removeChallenge(t, s, at, "running")
	if got := values(); got != "entered" {
		t.Errorf("an entered record alone: %q", got)
	}
}

func TestChallengesOutsideTheZone(t *testing.T) {
	s := newServer(t, testConfig())
	s.Apply(full(1))
	names, at := s.Stats().Names, serial(t, s)
	for _, name := range []string{"_acme-challenge.customer.test", "..", ""} {
		err := s.SetChallenge(context.Background(), name, "v")
		if err == nil || !strings.Contains(err.Error(), "is in no zone that is kept here") {
			t.Errorf("%q: error %v", name, err)
		}
	}
	if got := s.Stats().Names; got != names || serial(t, s) != at {
		t.Errorf("%d names, want %d", got, names)
	}
}

// A faulty set is logged once, is not served, and does no harm to others.
func TestFaultyRecords(t *testing.T) {
	cfg := testConfig()
	logger, lines := logLines()
	cfg.Logger = logger
	s := newServer(t, cfg)
	faulty := []sites.RRSet{
		recordSet("bad.example.test 60 A 192.0.2.300"),
		recordSet("bad.example.test 60 MX mail"),
		recordSet("bad.example.test 60 TXT \"open"),
		recordSet("bad.example.test 60 A2 1"),
		recordSet("bad.example.test 60 ANY 1"),
		recordSet("bad.example.test 60 SOA ns1.example.test. h.example.test. 1 1 1 1 1"),
		recordSet("bad.example.test 60 CNAME a.test.|b.test."),
		recordSet("bad.example.test 3000000000 AAAA ::1"),
		recordSet("bad.example.test 60 HINFO" + strings.Repeat(" a b|", zone.MaxRecords) + "a b"),
		recordSet("example.test 60 CNAME hello.example.test."),
		recordSet("*.example.test 60 NS ns.elsewhere.test."),
		{Name: "bad.example.test", TTL: 60, Type: "CAA", Data: []string{"0 issue \"a\"\n$INCLUDE /etc/passwd"}},
		{Name: "bad.example.test", TTL: 60, Type: "PTR", Data: []string{""}},
		{Name: "bad.example.test", TTL: 60, Type: "SRV", Data: []string{"1 1 1 a.test. ; rest", "junk"}},
	}
	ch := full(1, "hello")
	ch.RRSets = append(faulty, recordSet("good.example.test 60 A 192.0.2.3"))
	s.Apply(ch)
	ch.Revision = 2
	s.Apply(ch)
	wantRcodes(t, s, map[string]string{
		"bad.example.test A": "NXDOMAIN", "x.example.test A": "NXDOMAIN", "example.test A": "NOERROR",
		"good.example.test A": "NOERROR", "hello.example.test A": "NOERROR",
	})
	if !strings.Contains(lines.String(), "at most 100 records, not 101") {
		t.Errorf("nothing of the bound of records:\n%s", lines)
	}
	if got := strings.Count(lines.String(), "is not served"); got != len(faulty) {
		t.Errorf("logged %d of %d:\n%s", got, len(faulty), lines)
	}
	s.Apply(sites.Change{Revision: 3, RRSets: []sites.RRSet{recordSet("bad.example.test 60 a 192.0.2.3")}})
	wantRcodes(t, s, map[string]string{"bad.example.test A": "NOERROR"})
	s.Apply(sites.Change{Revision: 4, RRSets: []sites.RRSet{
		recordSet("elsewhere.test 60 A 192.0.2.3"), {Name: "..", Type: "A", Data: []string{"192.0.2.3"}},
	}})
	if got := serial(t, s); got != 3 {
		t.Errorf("records of another zone changed the serial to %d", got)
	}
}

// Queries see a change as a whole or not at all, while changes and challenges go on.
func TestQueriesDuringChanges(t *testing.T) {
	r := start(t, newServer(t, testConfig()))
	r.Apply(full(1, "stays"))
	pair := published("left", "right")
	done := make(chan struct{})
	var changing sync.WaitGroup
	changing.Go(func() {
		for revision := int64(2); revision < 600; revision += 3 {
			r.Apply(sites.Change{Revision: revision, Sites: pair})
			r.Apply(sites.Change{Revision: revision + 1, Gone: []string{"left.example.test", "right.example.test"}})
			r.Apply(full(revision+2, "stays"))
		}
		close(done)
	})
	changing.Go(func() {
		for i := range 300 {
			name := fmt.Sprintf("_acme-challenge.%d.example.test", i%7)
			setChallenge(t, r.Server, name, "v")
			if got := rcode(t, r.Server, name+" TXT"); got != "NOERROR" {
				t.Errorf("a challenge that was set: %s", got)
			}
			removeChallenge(t, r.Server, name, "v")
			if got := rcode(t, r.Server, name+" TXT"); got != "NXDOMAIN" {
				t.Errorf("a challenge that was removed: %s", got)
			}
		}
	})
	for _, addr := range []string{r.udp4, r.tcp4} {
		changing.Go(func() {
			network := "udp"
			if addr == r.tcp4 {
				network = "tcp"
			}
			last := uint32(0)
			for {
				select {
				case <-done:
					return
				default:
				}
				m := exchange(t, network, addr, question("stays.example.test A"))
				if m.Rcode != dns.RcodeSuccess || len(m.Answer) != 1 {
					t.Errorf("a site that stays: %v", m)
					return
				}
				now := exchange(t, network, addr, question("example.test SOA")).Answer[0].(*dns.SOA).Serial
				if now < last {
					t.Errorf("the serial went from %d back to %d", last, now)
					return
				}
				last = now
			}
		})
	}
	changing.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			now := r.zones.Load().main.Current()
			var left, right zone.Reply
			now.Lookup(&left, []byte("left\x00"), dns.TypeA, false)
			now.Lookup(&right, []byte("right\x00"), dns.TypeA, false)
			if left.Rcode != right.Rcode {
				t.Error("half a change is visible")
				return
			}
		}
	})
	changing.Wait()
}
