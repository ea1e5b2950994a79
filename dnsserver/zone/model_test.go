package zone

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// model is a signed zone as a list: every question is answered by looking at all names, in the words of the RFCs.
type model struct {
	records map[string]map[uint16]string // data by owner and type
	chain   []string                     // owners of NSEC records, in canonical order
}

const modelApex = "example.test."

// modelOf makes a zone of a fuzzer's bytes: three for a record.
func modelOf(seed []byte) *model {
	m := &model{records: map[string]map[uint16]string{
		modelApex: {dns.TypeSOA: "ns.example.test. h.example.test. 1 1 1 1 1", dns.TypeNS: "ns.example.test."},
	}}
	for len(seed) >= 3 && len(m.records) < 40 {
		owner, what, target := modelName(seed[0]), seed[1], modelName(seed[2])
		seed = seed[3:]
		if owner == modelApex {
			continue
		}
		if m.records[owner] == nil {
			m.records[owner] = map[uint16]string{}
		}
		switch sets := m.records[owner]; {
		case what%8 == 0 && len(sets) == 0:
			sets[dns.TypeCNAME] = target
		case sets[dns.TypeCNAME] != "":
		case what%8 == 1 && !strings.HasPrefix(owner, "*"):
			sets[dns.TypeNS] = target
		case what%8 == 2 && sets[dns.TypeNS] != "":
			sets[dns.TypeDS] = "1 13 2 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
		case what%2 == 0:
			sets[dns.TypeA] = "192.0.2.1"
		default:
			sets[dns.TypeTXT] = "text"
		}
	}
	for owner := range m.records {
		if cut := m.cut(owner); cut == "" || cut == owner {
			m.chain = append(m.chain, owner)
		}
	}
	slices.SortFunc(m.chain, canonicalCompare)
	return m
}

// modelName is one of the names of up to three labels.
func modelName(b byte) string {
	labels := []string{"", "a.", "b.", "*."}
	return labels[b&3] + labels[b>>2&3] + labels[b>>4&3] + modelApex
}

// canonicalCompare is the order of RFC 4034 section 6.1, for names without escapes.
func canonicalCompare(a, b string) int {
	as, bs := dns.SplitDomainName(a), dns.SplitDomainName(b)
	slices.Reverse(as)
	slices.Reverse(bs)
	return slices.Compare(as, bs)
}

// zone loads the model, with signatures that only look like ones.
func (m *model) zone(t testing.TB) *Zone {
	t.Helper()
	var text strings.Builder
	signed := func(owner string, rrtype uint16, data string) {
		name := dns.TypeToString[rrtype]
		fmt.Fprintf(&text, "%s 60 IN %s %s\n", owner, name, data)
		if cut := m.cut(owner); cut == "" || cut == owner && rrtype != dns.TypeNS {
			fmt.Fprintf(&text, "%s 60 IN RRSIG %s 13 2 60 20300101000000 20200101000000 1 %s AAAA\n", owner, name, modelApex)
		}
	}
	for owner, sets := range m.records {
		for rrtype, data := range sets {
			signed(owner, rrtype, data)
		}
	}
	for i, owner := range m.chain {
		signed(owner, dns.TypeNSEC, m.chain[(i+1)%len(m.chain)]+" A RRSIG NSEC")
	}
	return newSecondary(t, modelApex, text.String())
}

// cut is the topmost delegation at or above a name.
func (m *model) cut(name string) (cut string) {
	for at, end := 0, false; !end && name[at:] != modelApex; at, end = dns.NextLabel(name, at) {
		if m.records[name[at:]][dns.TypeNS] != "" {
			cut = name[at:]
		}
	}
	return cut
}

func (m *model) exists(name string) bool {
	for owner := range m.records {
		if dns.IsSubDomain(name, owner) {
			return true
		}
	}
	return false
}

// covers is the owner of the NSEC record that stands at or before a name.
func (m *model) covers(name string) (owner string) {
	for _, link := range m.chain {
		if canonicalCompare(link, name) <= 0 {
			owner = link
		}
	}
	return owner
}

// answer is what is to be said, a line for each set, and the code.
func (m *model) answer(name string, rrtype uint16) (code int, said []string) {
	say := func(section, owner string, rrtype uint16) {
		line := section + " " + owner + " " + dns.TypeToString[rrtype]
		if !slices.Contains(said, line) {
			said = append(said, line)
		}
	}
	for seen := []string{}; !slices.Contains(seen, name) && len(seen) < maxChain; {
		seen = append(seen, name)
		if cut := m.cut(name); cut != "" && (cut != name || rrtype != dns.TypeDS) {
			say("authority", cut, dns.TypeNS)
			if m.records[cut][dns.TypeDS] != "" {
				say("authority", cut, dns.TypeDS)
			} else {
				say("authority", cut, dns.TypeNSEC)
			}
			return code, said
		}
		source := name
		if !m.exists(name) {
			encloser := name
			for !m.exists(encloser) {
				at, _ := dns.NextLabel(encloser, 0)
				encloser = encloser[at:]
			}
			source = "*." + encloser
			say("authority", m.covers(name), dns.TypeNSEC)
		}
		switch sets := m.records[source]; {
		case sets[rrtype] != "":
			say("answer", name, rrtype)
			return code, said
		case sets[dns.TypeCNAME] != "":
			say("answer", name, dns.TypeCNAME)
			name = sets[dns.TypeCNAME]
			continue
		case !m.exists(source):
			code = dns.RcodeNameError
		}
		say("authority", modelApex, dns.TypeSOA)
		say("authority", m.covers(source), dns.TypeNSEC)
		return code, said
	}
	return code, said
}

// The tree says of every name and type what a walk over the list says.
func FuzzLookup(f *testing.F) {
	f.Add([]byte("\x01\x02\x00"))
	f.Add([]byte("\x03\x02\x00\x13\x00\x01\x09\x01\x02\x05\x02\x01"))             // wildcards beside a delegation
	f.Add([]byte("\x19\x03\x00\x06\x01\x00\x06\x02\x00\x1a\x02\x00\x0f\x00\x1b")) // empty non-terminals
	f.Add([]byte("\x01\x00\x02\x02\x00\x01\x03\x00\x03\x07\x00\x07"))             // loops
	f.Add([]byte("\x0d\x02\x00\x0c\x03\x00\x1d\x02\x00\x31\x02\x00\x35\x00\x0e"))
	f.Fuzz(func(t *testing.T, seed []byte) { modelOf(seed).check(t) })
}

func TestLookupAgainstTheModel(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	zones := 20
	if soaking() {
		zones = 300
	}
	for range zones {
		seed := make([]byte, 3*(1+random.IntN(40)))
		for i := range seed {
			seed[i] = byte(random.Uint32())
		}
		modelOf(seed).check(t)
	}
}

// check asks about all names, and those below them.
func (m *model) check(t *testing.T) {
	z := m.zone(t)
	for b := range 64 {
		for _, below := range []string{"", "c."} {
			name := below + modelName(byte(b))
			for _, rrtype := range []uint16{dns.TypeA, dns.TypeTXT, dns.TypeDS, dns.TypeCNAME} {
				code, want := m.answer(name, rrtype)
				slices.Sort(want)
				msg := message(t, z, dns.Question{Name: name, Qtype: rrtype, Qclass: dns.ClassINET}, true)
				if got := said(msg); msg.Rcode != code || !slices.Equal(got, want) {
					t.Fatalf("%s %s: %s %q, want %s %q\nin %v", name, dns.TypeToString[rrtype],
						dns.RcodeToString[msg.Rcode], got, dns.RcodeToString[code], want, m.records)
				}
			}
		}
	}
}

// said is an answer as the model has it. Everything but delegations is signed.
func said(m *dns.Msg) (lines []string) {
	signed := 0
	for i, section := range [][]dns.RR{m.Answer, m.Ns} {
		for _, rr := range section {
			if rr.Header().Rrtype == dns.TypeRRSIG {
				signed++
				continue
			}
			if rr.Header().Rrtype == dns.TypeNS && i == 1 {
				signed++
			}
			lines = append(lines, []string{"answer", "authority"}[i]+" "+rr.Header().Name+" "+dns.TypeToString[rr.Header().Rrtype])
		}
	}
	slices.Sort(lines)
	if signed != len(lines) {
		lines = append(lines, "without all signatures")
	}
	return lines
}
