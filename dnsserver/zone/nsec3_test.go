package zone

import (
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// The hashes of RFC 5155 appendix A.
func TestHashesOfTheStandard(t *testing.T) {
	h := &hash{iterations: 12, params: []byte{0, 12, 4, 0xaa, 0xbb, 0xcc, 0xdd}}
	for text, want := range map[string]string{
		"example":       "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom",
		"a.example":     "35mthgpgcu1qg68fab165klnsnk3dpvl",
		"*.w.example":   "r53bq7cc2uvmubfu5ocmm6pers9tk9en",
		"xx.example":    "t644ebqk9bibcna874givr6joj62mlhv",
		"x.y.w.example": "2vptu5timamqttgl4luu9kg21e0aor3s",
	} {
		wire, err := PackName(text)
		if err != nil {
			t.Fatal(err)
		}
		if key := h.of([]byte(wire)); string(key[:]) != want+"\x00" {
			t.Errorf("%s has the hash %q, want %s", text, key, want)
		}
	}
}

// While a zone changes its salt it has two chains, and proves by the one that its NSEC3PARAM record names.
func TestProofsAreOfOneChain(t *testing.T) {
	chosen := records(t, signZone(t, trickyZone, "-3", "aabbccdd", "-H", "0"))
	all := slices.Clone(chosen)
	for _, rr := range records(t, signZone(t, trickyZone, "-3", "00112233", "-H", "0")) {
		if covered(rr) == dns.TypeNSEC3 {
			all = append(all, rr)
		}
	}
	alone, both := mustSecondary(t, chosen), mustSecondary(t, all)
	if alone.Current().Names() != both.Current().Names() {
		t.Errorf("hashes count as names")
	}
	for _, question := range sample(questionsAbout(chosen), 20, 0) {
		got, want := message(t, both, question, true), message(t, alone, question, true)
		if !slices.Equal(lines(got.Ns), lines(want.Ns)) {
			t.Fatalf("%s %s: %s\nwant %s", question.Name, dns.TypeToString[question.Qtype], describe(got), describe(want))
		}
	}
}

// A zone that goes over from NSEC to NSEC3 proves by NSEC until the NSEC3PARAM record says that the chain is there
// (RFC 5155 section 10.4).
func TestChainCountsOnceItIsAnnounced(t *testing.T) {
	hashed := records(t, signZone(t, trickyZone, "-3", "-", "-H", "0"))
	plain := records(t, signZone(t, trickyZone))
	for _, rr := range hashed {
		if covered(rr) == dns.TypeNSEC3 {
			plain = append(plain, rr)
		}
	}
	missing := dns.Question{Name: "missing.example.test.", Qtype: dns.TypeA, Qclass: dns.ClassINET}
	z := mustSecondary(t, plain)
	if proof := describe(message(t, z, missing, true)); strings.Contains(proof, "nsec3") || !strings.Contains(proof, "nsec") {
		t.Errorf("before: %s", proof)
	}
	for _, rr := range hashed {
		if covered(rr) == dns.TypeNSEC3PARAM {
			plain = append(plain, rr)
		}
	}
	z = mustSecondary(t, plain)
	if proof := describe(message(t, z, missing, true)); strings.Count(proof, "in\tnsec3") != 3 {
		t.Errorf("after: %s", proof)
	}
}
