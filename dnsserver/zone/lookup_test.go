package zone

import (
	"strings"
	"testing"

	"berth/sites"

	"github.com/miekg/dns"
)

// Answers, proofs included, are found without an allocation; those from a wildcard take one, for the name.
func TestSignedAnswersDoNotAllocate(t *testing.T) {
	for _, signing := range signings {
		z := newSecondary(t, "example.test", signZone(t, trickyZone, signing.flags...))
		var r Reply
		for _, c := range []struct {
			host   string
			rrtype uint16
			most   float64
		}{
			{"www.example.test", dns.TypeA, 0},
			{"example.test", dns.TypeSOA, 0},
			{"example.test", dns.TypeDNSKEY, 0},
			{"www.example.test", dns.TypeMX, 0},
			{"missing.example.test", dns.TypeA, 0},
			{"x.y.z.missing.below.www.example.test", dns.TypeA, 0},
			{"b.c.example.test", dns.TypeA, 0},
			{"chain.example.test", dns.TypeA, 0},
			{"host.secure.example.test", dns.TypeA, 0},
			{"x.insecure.example.test", dns.TypeA, 0},
			{"insecure.example.test", dns.TypeDS, 0},
			{"foo.wild.example.test", dns.TypeA, 1},
			{"foo.wild.example.test", dns.TypeAAAA, 0},
		} {
			wire, err := PackName(c.host)
			if err != nil {
				t.Fatal(err)
			}
			key, _ := z.AppendKey(nil, []byte(wire))
			if n := testing.AllocsPerRun(100, func() { z.Current().Lookup(&r, key, c.rrtype, true) }); n > c.most {
				t.Errorf("%s: %s %s: %.0f allocations", signing.name, c.host, dns.TypeToString[c.rrtype], n)
			}
		}
	}
}

// The types that have too many answers are answered with one set.
func TestManyAnswersAreCutToOneSet(t *testing.T) {
	z := newSecondary(t, "example.test", signZone(t, trickyZone))
	for _, c := range []struct {
		host   string
		rrtype uint16
		want   uint16
		rrsigs int
	}{
		{"www.example.test.", dns.TypeANY, dns.TypeA, 1},
		{"alias.example.test.", dns.TypeANY, dns.TypeCNAME, 1},
		{"foo.wild.example.test.", dns.TypeANY, dns.TypeA, 1},
		{"www.example.test.", dns.TypeRRSIG, dns.TypeRRSIG, 1},
		{"foo.wild.example.test.", dns.TypeRRSIG, dns.TypeRRSIG, 1},
		{"_443._tcp.www.example.test.", dns.TypeANY, dns.TypeTLSA, 1},
	} {
		for _, do := range []bool{false, true} {
			m := message(t, z, dns.Question{Name: c.host, Qtype: c.rrtype, Qclass: dns.ClassINET}, do)
			rrsigs, others := 0, 0
			for _, rr := range m.Answer {
				if rr.Header().Rrtype == dns.TypeRRSIG {
					rrsigs++
				} else if others++; rr.Header().Rrtype != c.want {
					t.Errorf("%s %s has %s", c.host, dns.TypeToString[c.rrtype], rr)
				}
			}
			want := 0
			if do || c.want == dns.TypeRRSIG {
				want = c.rrsigs
			}
			if m.Rcode != dns.RcodeSuccess || rrsigs != want || others == 0 && c.want != dns.TypeRRSIG {
				t.Errorf("%s %s, DO %v: %s", c.host, dns.TypeToString[c.rrtype], do, describe(m))
			}
		}
	}
	if m := message(t, newSecondary(t, "example.test", plainZone), dns.Question{Name: "www.example.test.", Qtype: dns.TypeRRSIG}, true); len(m.Answer) > 0 || len(m.Ns) != 1 {
		t.Errorf("RRSIG where nothing is signed: %s", describe(m))
	}
}

// Only glue of the delegation itself has to be in a referral; addresses that can be asked for may be left out.
func TestGlueComesFirst(t *testing.T) {
	z := newSecondary(t, "example.test", signZone(t, trickyZone))
	for _, c := range []struct {
		cut         string
		glue, other int
	}{{"insecure.example.test", 1, 2}, {"secure.example.test", 2, 0}, {"d1.onlycuts.example.test", 0, 2}} {
		wire, err := PackName(c.cut)
		if err != nil {
			t.Fatal(err)
		}
		key, _ := z.AppendKey(nil, []byte(wire))
		var r Reply
		z.Current().Lookup(&r, key, dns.TypeA, true)
		if !r.Referral || r.Glue != c.glue || len(r.Additional) != c.glue+c.other {
			t.Errorf("%s: referral %v, %d of %d sets are glue, want %d of %d", c.cut, r.Referral, r.Glue, len(r.Additional), c.glue, c.glue+c.other)
		}
	}
}

// With an alias of a service go the records of its target and their addresses, as far as there are any and they are the zone's; a loop ends.
func TestAliasesOfServicesAreFollowed(t *testing.T) {
	z := newZone(t, testConfig())
	ch := full(1)
	for owner, data := range map[string]string{
		"far": "0 near.example.test.", "near": "0 svc.example.test.", "svc": "1 host.example.test. alpn=h2", "mode": "1 svc.example.test.",
		"loop1": "0 loop2.example.test.", "loop2": "0 loop1.example.test.", "gone": "0 missing.example.test.", "away": "0 svc.elsewhere.test.",
		"hidden": "0 x.cut.example.test.", "x.cut": "1 .",
	} {
		ch.RRSets = append(ch.RRSets, sites.RRSet{Name: owner + ".example.test", Type: "SVCB", TTL: 60, Data: []string{data}})
	}
	ch.RRSets = append(ch.RRSets, sites.RRSet{Name: "host.example.test", Type: "A", TTL: 60, Data: []string{"192.0.2.7"}},
		sites.RRSet{Name: "cut.example.test", Type: "NS", TTL: 60, Data: []string{"ns.elsewhere.test."}})
	z.Apply(ch)
	for owner, want := range map[string]string{
		"far": "near SVCB, svc SVCB, host A", "near": "svc SVCB, host A", "svc": "host A", "mode": "", "loop1": "loop2 SVCB", "gone": "", "away": "", "hidden": "",
	} {
		m := message(t, z, dns.Question{Name: owner + ".example.test.", Qtype: dns.TypeSVCB, Qclass: dns.ClassINET}, false)
		var got []string
		for _, rr := range m.Extra {
			got = append(got, strings.TrimSuffix(rr.Header().Name, ".example.test.")+" "+dns.TypeToString[rr.Header().Rrtype])
		}
		if text := strings.Join(got, ", "); text != want || len(m.Answer) != 1 {
			t.Errorf("%s: %d answers and %q, want %q", owner, len(m.Answer), text, want)
		}
	}
}
