package dnsserver

import (
	"testing"

	"berth/sites"
)

// populated is the zone that most tests ask: sites, records of all kinds, a delegation, a challenge.
func populated(t testing.TB) *Server {
	t.Helper()
	return fill(t, newServer(t, testConfig()))
}

func fill(t testing.TB, s *Server) *Server {
	t.Helper()
	ch := full(7, "hello", "shop", "mixed")
	ch.Sites[1].Hosts = append(ch.Sites[1].Hosts, "www.customer.test", "deep.below.example.test")
	for _, set := range []string{
		"hello.example.test 600 MX 10 mail.hello.example.test.|20 MX.Elsewhere.Test.",
		"mail.hello.example.test 600 A 198.51.100.7",
		"hello.example.test 600 TXT \"v=spf1 -all\"|second",
		"_sip._tcp.hello.example.test 60 SRV 1 2 5060 mail.hello.example.test.",
		"mixed.example.test 120 A 198.51.100.9|198.51.100.10",
		"alias.example.test 60 CNAME hello.example.test.",
		"chain.example.test 60 CNAME alias.example.test.",
		"away.example.test 60 CNAME www.elsewhere.test.",
		"nowhere.example.test 60 CNAME missing.example.test.",
		"loop1.example.test 60 CNAME loop2.example.test.",
		"loop2.example.test 60 CNAME loop1.example.test.",
		"into.example.test 60 CNAME host.child.example.test.",
		"child.example.test 900 NS ns.child.example.test.|ns.elsewhere.test.|ns1.example.test.",
		"ns.child.example.test 900 A 198.51.100.53",
		"child.example.test 900 DS 1 13 2 E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
		"a.b.c.example.test 60 TXT deep",
		"svc.example.test 60 HTTPS 1 hello.example.test. alpn=h2",
		"caa.example.test 60 CAA 0 issue \"ca.test\"",
		"odd.example.test 60 CNAME shop.example.test.",
		"odd.example.test 60 TXT beside",
	} {
		ch.RRSets = append(ch.RRSets, recordSet(set))
	}
	s.Apply(ch)
	setChallenge(t, s, "_acme-challenge.shop.example.test.", "token")
	return s
}

const soa = "example.test. 60 IN SOA ns1.example.test. hostmaster.example.test. 8 14400 3600 604800 300"

var answers = []struct{ ask, want string }{
	// The zone's own names.
	{"example.test SOA", "NOERROR aa\nanswer " + soa},
	{"example.test NS", `NOERROR aa
		answer example.test. 3600 IN NS ns1.example.test.
		answer example.test. 3600 IN NS ns2.dns.example.test.
		answer example.test. 3600 IN NS ns.elsewhere.test.
		additional ns1.example.test. 3600 IN A 192.0.2.1
		additional ns1.example.test. 3600 IN AAAA 2001:db8::1
		additional ns2.dns.example.test. 3600 IN A 192.0.2.1
		additional ns2.dns.example.test. 3600 IN AAAA 2001:db8::1`},
	{"example.test A", "NOERROR aa\nanswer example.test. 300 IN A 192.0.2.1"},
	{"example.test AAAA", "NOERROR aa\nanswer example.test. 300 IN AAAA 2001:db8::1"},
	{"panel.example.test A", "NOERROR aa\nanswer panel.example.test. 300 IN A 192.0.2.1"},
	{"www.example.test AAAA", "NOERROR aa\nanswer www.example.test. 300 IN AAAA 2001:db8::1"},
	{"ns2.dns.example.test A", "NOERROR aa\nanswer ns2.dns.example.test. 3600 IN A 192.0.2.1"},

	// Sites.
	{"hello.example.test A", "NOERROR aa\nanswer hello.example.test. 300 IN A 192.0.2.1"},
	{"hello.example.test AAAA", "NOERROR aa\nanswer hello.example.test. 300 IN AAAA 2001:db8::1"},
	{"deep.below.example.test A", "NOERROR aa\nanswer deep.below.example.test. 300 IN A 192.0.2.1"},

	// Names and types that are not there; no wildcard.
	{"missing.example.test A", "NXDOMAIN aa\nauthority " + soa},
	{"x.hello.example.test A", "NXDOMAIN aa\nauthority " + soa},
	{"hell.example.test A", "NXDOMAIN aa\nauthority " + soa},
	{"hello2.example.test A", "NXDOMAIN aa\nauthority " + soa},
	{"*.example.test A", "NXDOMAIN aa\nauthority " + soa},
	{"shop.example.test SRV", "NOERROR aa\nauthority " + soa},
	{"shop.example.test SOA", "NOERROR aa\nauthority " + soa},
	{"example.test TYPE1000", "NOERROR aa\nauthority " + soa},
	{"example.test TYPE0", "NOERROR aa\nauthority " + soa},

	// Empty non-terminals exist (RFC 8020).
	{"dns.example.test A", "NOERROR aa\nauthority " + soa},
	{"below.example.test A", "NOERROR aa\nauthority " + soa},
	{"c.example.test TXT", "NOERROR aa\nauthority " + soa},
	{"b.c.example.test TXT", "NOERROR aa\nauthority " + soa},
	{"_tcp.hello.example.test SRV", "NOERROR aa\nauthority " + soa},
	{"x.c.example.test TXT", "NXDOMAIN aa\nauthority " + soa},
	{"a.b.c.example.test TXT", "NOERROR aa\nanswer a.b.c.example.test. 60 IN TXT \"deep\""},

	// Challenges.
	{"_acme-challenge.shop.example.test TXT", "NOERROR aa\nanswer _acme-challenge.shop.example.test. 0 IN TXT \"token\""},
	{"_acme-challenge.shop.example.test A", "NOERROR aa\nauthority " + soa},
	{"_acme-challenge.hello.example.test TXT", "NXDOMAIN aa\nauthority " + soa},

	// Records that people have entered.
	{"hello.example.test MX", `NOERROR aa
		answer hello.example.test. 600 IN MX 10 mail.hello.example.test.
		answer hello.example.test. 600 IN MX 20 mx.elsewhere.test.
		additional mail.hello.example.test. 600 IN A 198.51.100.7`},
	{"hello.example.test TXT", `NOERROR aa
		answer hello.example.test. 600 IN TXT "v=spf1 -all"
		answer hello.example.test. 600 IN TXT "second"`},
	{"_sip._tcp.hello.example.test SRV", `NOERROR aa
		answer _sip._tcp.hello.example.test. 60 IN SRV 1 2 5060 mail.hello.example.test.
		additional mail.hello.example.test. 600 IN A 198.51.100.7`},
	{"mixed.example.test A", `NOERROR aa
		answer mixed.example.test. 120 IN A 198.51.100.9
		answer mixed.example.test. 120 IN A 198.51.100.10`},
	{"mixed.example.test AAAA", "NOERROR aa\nanswer mixed.example.test. 300 IN AAAA 2001:db8::1"},
	{"svc.example.test HTTPS", `NOERROR aa
		answer svc.example.test. 60 IN HTTPS 1 hello.example.test. alpn="h2"
		additional hello.example.test. 300 IN A 192.0.2.1
		additional hello.example.test. 300 IN AAAA 2001:db8::1`},
	{"caa.example.test CAA", "NOERROR aa\nanswer caa.example.test. 60 IN CAA 0 issue \"ca.test\""},
	{"odd.example.test TXT", "NOERROR aa\nanswer odd.example.test. 60 IN TXT \"beside\""},
	{"odd.example.test CNAME", "NOERROR aa\nauthority " + soa},

	// Aliases.
	{"alias.example.test CNAME", "NOERROR aa\nanswer alias.example.test. 60 IN CNAME hello.example.test."},
	{"chain.example.test A", `NOERROR aa
		answer chain.example.test. 60 IN CNAME alias.example.test.
		answer alias.example.test. 60 IN CNAME hello.example.test.
		answer hello.example.test. 300 IN A 192.0.2.1`},
	{"alias.example.test CAA", `NOERROR aa
		answer alias.example.test. 60 IN CNAME hello.example.test.
		authority ` + soa},
	{"away.example.test A", "NOERROR aa\nanswer away.example.test. 60 IN CNAME www.elsewhere.test."},
	{"nowhere.example.test A", `NXDOMAIN aa
		answer nowhere.example.test. 60 IN CNAME missing.example.test.
		authority ` + soa},
	{"loop1.example.test A", `NOERROR aa
		answer loop1.example.test. 60 IN CNAME loop2.example.test.
		answer loop2.example.test. 60 IN CNAME loop1.example.test.`},

	// Delegation.
	{"host.child.example.test A", "NOERROR\n" + referral},
	{"child.example.test NS", "NOERROR\n" + referral},
	{"child.example.test A", "NOERROR\n" + referral},
	{"ns.child.example.test A", "NOERROR\n" + referral},
	{"x.child.example.test DS", "NOERROR\n" + referral},
	{"into.example.test A", "NOERROR aa\nanswer into.example.test. 60 IN CNAME host.child.example.test.\n" + referral},
	{"child.example.test DS", "NOERROR aa\nanswer child.example.test. 900 IN DS 1 13 2 " +
		"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"},

	// ANY has one set.
	{"hello.example.test ANY", "NOERROR aa\nanswer hello.example.test. 300 IN A 192.0.2.1"},
	{"example.test ANY", "NOERROR aa\nanswer example.test. 300 IN A 192.0.2.1"},
	{"chain.example.test ANY", "NOERROR aa\nanswer chain.example.test. 60 IN CNAME alias.example.test."},
	{"missing.example.test ANY", "NXDOMAIN aa\nauthority " + soa},

	// Not ours to answer.
	{"elsewhere.test A", "REFUSED"},
	{"www.customer.test A", "REFUSED"},
	{"notexample.test A", "REFUSED"},
	{"test NS", "REFUSED"},
	{". NS", "REFUSED"},
	{"example.test AXFR", "REFUSED"},
	{"example.test IXFR", "REFUSED"},
	{"example.test MAILB", "NOTIMP"},
	{"example.test OPT", "FORMERR"},
}

const referral = `authority child.example.test. 900 IN NS ns.child.example.test.
	authority child.example.test. 900 IN NS ns.elsewhere.test.
	authority child.example.test. 900 IN NS ns1.example.test.
	additional ns.child.example.test. 900 IN A 198.51.100.53
	additional ns1.example.test. 3600 IN A 192.0.2.1
	additional ns1.example.test. 3600 IN AAAA 2001:db8::1`

func TestAnswers(t *testing.T) {
	r := start(t, populated(t))
	for _, via := range []struct{ name, network, addr string }{
		{"UDP over IPv4", "udp", r.udp4},
		{"UDP over IPv6", "udp", r.udp6},
		{"TCP over IPv4", "tcp", r.tcp4},
		{"TCP over IPv6", "tcp", r.tcp6},
	} {
		t.Run(via.name, func(t *testing.T) {
			if via.addr == "" {
				t.Skip("no IPv6 on this machine")
			}
			for _, c := range answers {
				t.Run(c.ask, func(t *testing.T) {
					q := question(c.ask)
					q.SetEdns0(1232, false)
					got := render(exchange(t, via.network, via.addr, q))
					if want := normal(c.want); got != want {
						t.Errorf("got\n%s\nwant\n%s", got, want)
					}
				})
			}
		})
	}
}

func TestUnknownUntilTheFirstFullChange(t *testing.T) {
	s := newServer(t, testConfig())
	s.Apply(sites.Change{Revision: 3, Sites: published("early")})
	setChallenge(t, s, "_acme-challenge.example.test", "v")
	for ask, want := range map[string]string{
		"panel.example.test A":              "NOERROR aa\nanswer panel.example.test. 300 IN A 192.0.2.1",
		"early.example.test A":              "NOERROR aa\nanswer early.example.test. 300 IN A 192.0.2.1",
		"_acme-challenge.example.test TXT":  "NOERROR aa\nanswer _acme-challenge.example.test. 0 IN TXT \"v\"",
		"hello.example.test A":              "SERVFAIL",
		"panel.example.test SRV":            "SERVFAIL",
		"example.test SOA":                  "SERVFAIL",
		"_acme-challenge.example.test AAAA": "SERVFAIL",
		"elsewhere.test A":                  "REFUSED",
	} {
		if got := render(direct(t, s, question(ask), overUDP)); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", ask, got, want)
		}
	}
}
