package zone

import (
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// records reads a zone file.
func records(t testing.TB, text string) []dns.RR {
	t.Helper()
	var all []dns.RR
	parser := dns.NewZoneParser(strings.NewReader(text), "", "")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		all = append(all, rr)
	}
	if err := parser.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func newSecondary(t testing.TB, zone, text string) *Zone {
	t.Helper()
	z, err := NewSecondary(zone, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Load(records(t, text)); err != nil {
		t.Fatal(err)
	}
	return z
}

func mustSecondary(t testing.TB, rrs []dns.RR) *Zone {
	t.Helper()
	z := newSecondary(t, "example.test", plainZone)
	z.Expire()
	if err := z.Load(rrs); err != nil {
		t.Fatal(err)
	}
	return z
}

// contentOf is everything that a zone has, as text.
func contentOf(t testing.TB, z *Zone) []string {
	t.Helper()
	all := append([]Placed{z.Current().SOA()}, slices.Collect(z.Current().All())...)
	return lines(unpack(t, all))
}

// ask returns the sections of an answer, a record a line.
func ask(t testing.TB, z *Zone, host string, rrtype uint16, dnssec bool) (rcode int, lines []string) {
	t.Helper()
	var r Reply
	wire, err := PackName(host)
	if err != nil {
		t.Fatal(err)
	}
	key, inside := z.AppendKey(nil, []byte(wire))
	if !inside {
		t.Fatalf("%s is not in the zone", host)
	}
	z.Current().Lookup(&r, key, rrtype, dnssec)
	for _, section := range [][]Placed{r.Answer, r.Authority, r.Additional} {
		for _, p := range section {
			for i := range p.Set.Records {
				lines = append(lines, presentation(p.Owner)+" "+dns.TypeToString[p.Set.Type]+" "+string(p.Set.Records[i].AppendData(nil)))
			}
		}
	}
	return r.Rcode, lines
}

const plainZone = `
example.test. 3600 IN SOA ns1.example.test. admin.example.test. 10 3600 600 86400 300
example.test. 3600 IN NS ns1.example.test.
ns1.example.test. 3600 IN A 192.0.2.1
www.example.test. 300 IN A 192.0.2.2
www.example.test. 300 IN A 192.0.2.3
elsewhere.test. 300 IN A 192.0.2.4
`

func TestSecondaryIsUnknownUntilLoadedAndWhenExpired(t *testing.T) {
	z, err := NewSecondary("Example.Test", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := func(rcode int) {
		t.Helper()
		if got, _ := ask(t, z, "www.example.test", dns.TypeA, false); got != rcode {
			t.Errorf("%s, want %s", dns.RcodeToString[got], dns.RcodeToString[rcode])
		}
	}
	want(dns.RcodeServerFailure)
	if err := z.Load(records(t, plainZone)); err != nil {
		t.Fatal(err)
	}
	want(dns.RcodeSuccess)
	if z.Current().Serial() != 10 || z.Current().Names() != 3 || z.Name() != "example.test" {
		t.Errorf("serial %d, %d names", z.Current().Serial(), z.Current().Names())
	}
	z.Expire()
	want(dns.RcodeServerFailure)
}

func TestPatchFitsExactlyOrChangesNothing(t *testing.T) {
	const soa = "example.test. 3600 IN SOA ns1.example.test. admin.example.test. "
	for _, c := range []struct{ name, removed, added, want string }{
		{"a record comes", soa + "10 3600 600 86400 300", soa + "11 3600 600 86400 300\nmail.example.test. 60 IN A 192.0.2.9", ""},
		{"a record goes", soa + "10 3600 600 86400 300\nwww.example.test. 300 IN A 192.0.2.2", soa + "12 3600 600 86400 300", ""},
		{"nothing there", soa + "10 3600 600 86400 300\nwww.example.test. 300 IN A 192.0.2.9", soa + "12 3600 600 86400 300", "www.example.test. A: what is to go is not there"},
		{"another SOA", soa + "9 3600 600 86400 300", soa + "12 3600 600 86400 300", "example.test. SOA: what is to go is not there"},
		{"no SOA", soa + "10 3600 600 86400 300", "", "one SOA record"},
		{"backwards", soa + "10 3600 600 86400 300", soa + "9 3600 600 86400 300", "the serial 9 does not follow"},
		{"no nameserver", soa + "10 3600 600 86400 300\nexample.test. 3600 IN NS ns1.example.test.", soa + "11 3600 600 86400 300", "no NS records"},
	} {
		t.Run(c.name, func(t *testing.T) {
			z := newSecondary(t, "example.test", plainZone)
			before := z.Current()
			err := z.Patch(records(t, c.removed), records(t, c.added))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want == "" && z.Current().Serial() <= 10:
				t.Error("the serial has not moved")
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want %q", err, c.want)
			case c.want != "" && z.Current() != before:
				t.Error("the zone has changed")
			}
		})
	}
	z := newSecondary(t, "example.test", plainZone)
	if err := z.Patch(records(t, soa+"10 3600 600 86400 300\nwww.example.test. 300 IN A 192.0.2.2"), records(t, soa+"11 3600 600 86400 300")); err != nil {
		t.Fatal(err)
	}
	if _, lines := ask(t, z, "www.example.test", dns.TypeA, false); !slices.Equal(lines, []string{"www.example.test. A \xc0\x00\x02\x03"}) {
		t.Errorf("%q is left", lines)
	}
}

func TestZonesThatCannotBeServedAreRefused(t *testing.T) {
	for _, c := range []struct{ name, more, want string }{
		{"two SOA records", "example.test. 3600 IN SOA ns1.example.test. admin.example.test. 11 3600 600 86400 300", "one SOA record"},
		{"another class", "www.example.test. 300 CH A 192.0.2.1", "not IN"},
		{"many iterations", "example.test. 0 IN NSEC3PARAM 1 0 151 -", "151 iterations"},
		{"NSEC3 at a name", "www.example.test. 300 IN NSEC3 1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A", "not a SHA-1 hash below"},
	} {
		t.Run(c.name, func(t *testing.T) {
			z := newSecondary(t, "example.test", plainZone)
			before := z.Current()
			err := z.Load(records(t, plainZone+c.more+"\n"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if z.Current() != before {
				t.Error("the zone has changed")
			}
		})
	}
}
