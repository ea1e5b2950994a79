package zone

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"berth/dnsserver/dnstest"
	"berth/sites"

	"github.com/miekg/dns"
)

// clock is the time of a zone under test.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// newKeyPlan is a new key that is published and active from a time on.
func newKeyPlan(t testing.TB, id int64, role sites.KeyRole, from time.Time) sites.ZoneKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return sites.ZoneKey{ID: id, Role: role, Private: der, PublishedAt: from, ActiveAt: from}
}

// signedBy is a change that has the zone signed with these keys.
func signedBy(revision int64, keys ...sites.ZoneKey) sites.Change {
	return sites.Change{Revision: revision, Zones: []sites.PublishedZone{{
		Zone: sites.Zone{Name: "example.test", Kind: sites.ZoneMain, Signed: true}, Keys: keys,
	}}}
}

// newSignedZone returns a zone with a KSK, a ZSK and these sites.
func newSignedZone(t testing.TB, c *clock, names ...string) *Zone {
	t.Helper()
	cfg := testConfig()
	cfg.Now = c.now
	z := newZone(t, cfg)
	ch := signedBy(1, newKeyPlan(t, 1, sites.KeySigning, c.at), newKeyPlan(t, 2, sites.ZoneSigning, c.at))
	ch.Full, ch.Sites = true, published(names...)
	z.Apply(ch)
	return z
}

// text is a placed set with its signatures as lines of a zone file.
func text(t testing.TB, p Placed) (lines []string) {
	t.Helper()
	line := func(rrtype uint16, data []byte) {
		wire := append([]byte(p.Owner), byte(rrtype>>8), byte(rrtype), 0, 1,
			byte(p.Set.TTL>>24), byte(p.Set.TTL>>16), byte(p.Set.TTL>>8), byte(p.Set.TTL), byte(len(data)>>8), byte(len(data)))
		rr, _, err := dns.UnpackRR(append(wire, data...), 0)
		if err != nil {
			t.Fatalf("%q type %d: %v", p.Owner, rrtype, err)
		}
		lines = append(lines, strings.Replace(rr.String(), "\tCLASS1\t", "\tIN\t", 1)) // Knot wants it so
	}
	for i := range p.Set.Records {
		line(p.Set.Type, p.Set.Records[i].AppendData(nil))
	}
	for s := p.Signatures; len(s) > 0; {
		size := 2 + int(s[0])<<8 + int(s[1])
		line(dns.TypeRRSIG, s[2:size])
		s = s[size:]
	}
	return lines
}

// dump is the whole zone as lines of a zone file.
func dump(t testing.TB, s *Snapshot) []string {
	t.Helper()
	lines := text(t, s.SOA())
	for p := range s.All() {
		lines = append(lines, text(t, p)...)
	}
	return lines
}

// verify has others' programs check a zone at a time. dnssec-verify only knows the present.
func verify(t testing.TB, s *Snapshot, at time.Time) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "zone")
	if err := os.WriteFile(file, []byte(strings.Join(dump(t, s), "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		t.Helper()
		out, err := exec.Command(dnstest.Need(t, args[0]), args[1:]...).CombinedOutput()
		if err != nil || strings.Contains(strings.ToLower(string(out)), "error:") {
			t.Fatalf("%s: %v\n%s\n%s", args[0], err, out, strings.Join(dump(t, s), "\n"))
		}
	}
	run("ldns-verify-zone", "-t", at.UTC().Format("20060102150405"), file)
	if d := time.Since(at); -time.Hour < d && d < time.Hour {
		run("dnssec-verify", "-x", "-o", "example.test", file)
	}
}

func TestSignedZoneIsVerified(t *testing.T) {
	c := &clock{time.Now()}
	z := newSignedZone(t, c, "one", "two", "a.b.three")
	for i, step := range [][]sites.RRSet{
		nil,
		{{Name: "child.example.test", Type: "NS", TTL: 60, Data: []string{"ns.child.example.test."}}, {Name: "ns.child.example.test", Type: "A", TTL: 60, Data: []string{"192.0.2.7"}}},
		{{Name: "*.wild.example.test", Type: "TXT", TTL: 60, Data: []string{"\"any\""}}},
		{{Name: "srv.example.test", Type: "SRV", TTL: 60, Data: []string{"1 2 3 Target.EXAMPLE.test."}}},
		{{Name: "child.example.test", Type: "DS", TTL: 60, Data: []string{"1 13 2 " + strings.Repeat("AB", 32)}}},
		{{Name: "child.example.test", Type: "NS", TTL: 60}},
	} {
		z.Apply(sites.Change{Revision: int64(10 + i), RRSets: step})
		verify(t, z.Current(), c.at)
	}
}
