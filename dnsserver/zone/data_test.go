package zone

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// received is a record as it comes out of a message in which its data is so long, all zeros, or an error.
func received(owner string, rrtype uint16, length int) (dns.RR, error) {
	wire := make([]byte, MaxName)
	at, err := dns.PackDomainName(owner, wire, 0, nil, false)
	if err != nil {
		return nil, err
	}
	wire = append(wire[:at], byte(rrtype>>8), byte(rrtype), 0, dns.ClassINET, 0, 0, 0, 60, 0, byte(length))
	rr, _, err := dns.UnpackRR(append(wire, make([]byte, length)...), 0)
	return rr, err
}

// The library takes data that ends too early for data of zeros. None of it is taken over, whatever the type.
func TestDataThatEndsTooEarlyIsRefused(t *testing.T) {
	const soa = "example.test. 3600 IN SOA ns1.example.test. admin.example.test. 10 3600 600 86400 300\n"
	for rrtype, lengths := range map[uint16][]int{
		dns.TypeA: {0}, dns.TypeAAAA: {0}, dns.TypeTXT: {0}, dns.TypeNS: {0}, dns.TypeCNAME: {0}, dns.TypePTR: {0}, dns.TypeDNAME: {0},
		dns.TypeMX: {0, 2}, dns.TypeSRV: {0, 2, 4, 6}, dns.TypeHTTPS: {0, 2}, dns.TypeNAPTR: {0, 2, 4, 7}, dns.TypeRP: {0, 1}, dns.TypeDS: {0, 4}, dns.TypeDNSKEY: {0}, dns.TypeCAA: {0},
		dns.TypeNSEC: {0}, dns.TypeRRSIG: {0, 2, 17, 18, 19},
	} {
		for _, length := range lengths {
			rr, err := received("www.example.test.", rrtype, length)
			if err != nil {
				continue // the library refuses it
			}
			z := newSecondary(t, "example.test", plainZone)
			before := z.Current()
			if err := z.Load(append(records(t, plainZone), rr)); err == nil || z.Current() != before {
				t.Errorf("%s of %d bytes is taken: %v", dns.TypeToString[rrtype], length, err)
			}
		}
	}
	for length := range 22 {
		rr, err := received("example.test.", dns.TypeSOA, length)
		if err != nil {
			continue
		}
		z := newSecondary(t, "example.test", plainZone)
		before := z.Current()
		if err := z.Load(append(append([]dns.RR{rr}, records(t, plainZone)[1:]...), rr)); length < 2 && (err == nil || z.Current() != before) {
			t.Errorf("SOA of %d bytes is taken: %v", length, err)
		}
		if err := z.Patch(records(t, soa), []dns.RR{rr}); err == nil {
			t.Errorf("SOA of %d bytes is a step", length)
		}
	}
}

// Whatever the length of what a primary sends, the zone is loaded and answers, or it is refused.
func TestOddDataIsSurvived(t *testing.T) {
	for rrtype := range dns.TypeToRR {
		for length := range 48 {
			for _, owner := range []string{"example.test.", "a.example.test.", strings.Repeat("a", hashLength) + ".example.test."} {
				rr, err := received(owner, rrtype, length)
				if err != nil {
					continue
				}
				z := newSecondary(t, "example.test", plainZone)
				_ = z.Load(append(records(t, plainZone), rr)) // either is fine
				for _, host := range []string{owner, "b." + owner} {
					for _, asked := range []uint16{rrtype, dns.TypeA, dns.TypeANY} {
						ask(t, z, host, asked, true)
					}
				}
			}
		}
	}
}

func TestEnteredSetsHaveData(t *testing.T) {
	z := newZone(t, testConfig())
	for _, rrtype := range []string{"A", "TXT", "MX", "SRV", "CAA", "DS", "TLSA"} {
		set := sites.RRSet{Name: "x.example.test", Type: rrtype, TTL: 60, Data: []string{`\# 0`}}
		if _, err := z.origin.parseSet(set); err == nil {
			t.Errorf("%s without data is taken", rrtype)
		}
	}
	if rr, err := dns.NewRR(`. 60 IN TYPE65400 \# 0`); err != nil {
		t.Error(err)
	} else if _, err := packData(rr); err != nil {
		t.Errorf("an unknown type may have no data: %v", err)
	}
}

// What a primary sends in upper case goes in upper case, too, and in lower case.
func TestPatchFindsNamesInUpperCase(t *testing.T) {
	const upper = `
Example.TEST. 3600 IN SOA NS1.Example.TEST. Admin.Example.TEST. 10 3600 600 86400 300
Example.TEST. 3600 IN NS NS1.Example.TEST.
Example.TEST. 3600 IN NS NS2.Example.TEST.
Example.TEST. 3600 IN MX 10 Mail.Example.TEST.
alias.Example.TEST. 3600 IN CNAME WWW.Example.TEST.
pointer.Example.TEST. 3600 IN PTR WWW.Example.TEST.
service.Example.TEST. 3600 IN SRV 1 2 3 WWW.Example.TEST.
NS1.Example.TEST. 3600 IN A 192.0.2.1
`
	for name, written := range map[string]func(string) string{"upper": func(s string) string { return s }, "lower": strings.ToLower} {
		t.Run(name, func(t *testing.T) {
			z := newSecondary(t, "example.test", upper)
			all := strings.Split(strings.TrimSpace(upper), "\n")
			removed := []string{all[0], written(all[2]), written(all[3]), written(all[4]), written(all[5])}
			if name == "upper" {
				removed = append(removed, all[6])
			}
			next := strings.Replace(all[0], " 10 3600", " 11 3600", 1)
			if err := z.Patch(records(t, strings.Join(removed, "\n")), records(t, next)); err != nil {
				t.Fatal(err)
			}
			if z.Current().Serial() != 11 {
				t.Errorf("serial %d", z.Current().Serial())
			}
			if code, _ := ask(t, z, "alias.example.test", dns.TypeA, false); code != dns.RcodeNameError {
				t.Errorf("the alias is still there: %s", dns.RcodeToString[code])
			}
		})
	}
}

// A record that comes to a set with another TTL does not let the set be held for longer (RFC 2181 section 5.2).
func TestLowestTTLCounts(t *testing.T) {
	const soa = "example.test. 3600 IN SOA ns1.example.test. admin.example.test. %d 3600 600 86400 300\n"
	z := newSecondary(t, "example.test", plainZone)
	for i, step := range []struct {
		added string
		want  uint32
	}{{"www.example.test. 900 IN A 192.0.2.8", 300}, {"www.example.test. 60 IN A 192.0.2.9", 60}} {
		if err := z.Patch(records(t, fmt.Sprintf(soa, 10+i)), records(t, fmt.Sprintf(soa, 11+i)+step.added)); err != nil {
			t.Fatal(err)
		}
		if got := z.Current().root.get("www\x00").set(dns.TypeA); got.TTL != step.want || len(got.Records) != 3+i {
			t.Errorf("%d records for %d seconds, want %d", len(got.Records), got.TTL, step.want)
		}
	}
}

// A name that cannot be signed is served without, and is none that is due.
func TestNameThatCannotBeSignedIsServed(t *testing.T) {
	var log strings.Builder
	c := &clock{time.Now()}
	cfg := testConfig()
	cfg.Now, cfg.Logger = c.now, slog.New(slog.NewTextHandler(&log, nil))
	z := newZone(t, cfg)
	ch := signedBy(1, newKeyPlan(t, 1, sites.KeySigning, c.at), newKeyPlan(t, 2, sites.ZoneSigning, c.at))
	ch.Full = true
	z.Apply(ch)
	for _, k := range z.ring.zsk {
		k.private = &ecdsa.PrivateKey{PublicKey: ecdsa.PublicKey{Curve: &elliptic.CurveParams{}}} // which nothing signs by
	}
	z.Apply(sites.Change{Revision: 2, Sites: published("hello")})
	if code, lines := ask(t, z, "hello.example.test", dns.TypeA, false); code != dns.RcodeSuccess || len(lines) != 1 {
		t.Errorf("%s %q", dns.RcodeToString[code], lines)
	}
	if e := z.Current().root.get("hello\x00"); e.due() != 0 || !strings.Contains(log.String(), "cannot be signed") {
		t.Errorf("due at %d; the log: %s", e.due(), log.String())
	}
}

func TestDNAMEAtTheApexOfASecondary(t *testing.T) {
	z := newSecondary(t, "example.test", plainZone+"example.test. 300 IN DNAME elsewhere.test.\n")
	for _, host := range []string{"www.example.test", "none.example.test"} {
		_, lines := ask(t, z, host, dns.TypeA, false)
		if len(lines) != 2 || !strings.HasPrefix(lines[0], "example.test. DNAME") || !strings.HasPrefix(lines[1], host+". CNAME") {
			t.Errorf("%s: %q", host, lines)
		}
	}
	if _, lines := ask(t, z, "example.test", dns.TypeNS, false); !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "example.test. NS") }) {
		t.Errorf("the apex itself: %q", lines)
	}
}

// An alias that leads below the same DNAME again does not repeat it.
func TestDNAMEIsGivenOnce(t *testing.T) {
	z := newSecondary(t, "example.test", plainZone+"a.example.test. 300 IN DNAME b.example.test.\nx.b.example.test. 300 IN CNAME y.a.example.test.\n"+
		"y.b.example.test. 300 IN A 192.0.2.9\n")
	_, lines := ask(t, z, "x.a.example.test", dns.TypeA, false)
	var types []string
	for _, line := range lines {
		types = append(types, strings.Fields(line)[1])
	}
	if want := []string{"DNAME", "CNAME", "CNAME", "CNAME", "A"}; !slices.Equal(types, want) {
		t.Errorf("%q, want %q", types, want)
	}
}
