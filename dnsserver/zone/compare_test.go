package zone

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/dnsserver/dnstest"

	"github.com/miekg/dns"
)

// Over the same signed zone, questions of all kinds are answered as BIND, Knot and NSD answer them, section by section. What
// they do otherwise, each in its own way, is listed in forgive.
func TestAnswersAreThoseOfOtherServers(t *testing.T) {
	peers := map[string]func(testing.TB, dnstest.Config) *dnstest.Server{
		"named": dnstest.Named, "knotd": dnstest.Knot, "nsd": dnstest.NSD,
	}
	for signing, z := range served(t) {
		// The library writes the class of unknown types in a way that Knot does not read.
		text := strings.ReplaceAll(strings.Join(dump(t, z.Current()), "\n")+"\n", "\tCLASS1\t", "\tIN\t")
		questions := sample(questionsAbout(records(t, text)), 30, len(signing)%30)
		for name, start := range peers {
			t.Run(signing+"/"+name, func(t *testing.T) {
				peer := start(t, dnstest.Config{Zones: []dnstest.Zone{{Name: "example.test", File: text}}})
				dnstest.Eventually(t, "the zone", func() bool { return dnstest.Serial(peer.Addr, "example.test") > 0 })
				compareAll(t, z, questions, name, peer)
			})
		}
	}
}

// soaking reports whether there is time for all.
func soaking() bool { return os.Getenv("BERTH_SOAK") != "" }

// sample takes every nth question, but all for a soak.
func sample(questions []dns.Question, n, from int) []dns.Question {
	if soaking() {
		return questions
	}
	var some []dns.Question
	for i := from; i < len(questions); i += n {
		some = append(some, questions[i])
	}
	return some
}

func compareAll(t *testing.T, z *Zone, questions []dns.Question, name string, peer *dnstest.Server) {
	conn, err := dns.DialTimeout("tcp", peer.Addr.String(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	faults := 0
	for _, question := range questions {
		for _, do := range []bool{false, true} {
			ours, theirs := message(t, z, question, do), exchange(t, conn, question, do)
			forgive(name, ours, theirs)
			fault := compare(ours, theirs)
			if fault == "" {
				continue
			}
			if faults++; faults <= 5 {
				t.Errorf("%s %s, DO %v: the %s\nours %s\ntheirs %s", question.Name, dns.TypeToString[question.Qtype], do,
					fault, describe(ours), describe(theirs))
			}
		}
	}
	t.Logf("%d questions, %d answers differ", 2*len(questions), faults)
}

func exchange(t testing.TB, conn *dns.Conn, question dns.Question, do bool) *dns.Msg {
	t.Helper()
	query := new(dns.Msg)
	query.Id, query.RecursionDesired = dns.Id(), true
	query.Question = []dns.Question{question}
	if do {
		query.SetEdns0(4096, true)
	}
	if err := conn.WriteMsg(query); err != nil {
		t.Fatal(err)
	}
	answer, err := conn.ReadMsg()
	if err != nil {
		t.Fatalf("%s %s: %v", question.Name, dns.TypeToString[question.Qtype], err)
	}
	return answer
}

// forgive takes out of an answer of another server what it says or leaves out in its own way, and out of ours what it
// compares with.
func forgive(server string, ours, theirs *dns.Msg) {
	question := ours.Question[0]
	// The zone's nameservers and their addresses may go with any answer (RFC 1034 section 4.3.2, step 3a); they only make it
	// larger.
	if n := len(theirs.Ns); len(theirs.Answer) > 0 {
		theirs.Ns = slices.DeleteFunc(theirs.Ns, func(rr dns.RR) bool {
			return rr.Header().Name == "example.test." && covered(rr) == dns.TypeNS
		})
		if len(theirs.Ns) < n {
			theirs.Extra, ours.Extra = withoutNameserver(theirs.Extra), withoutNameserver(ours.Extra)
		}
	}
	// Both give glue with referrals only, not for a mail host; NSD has no addresses for services at all.
	if server != "knotd" && (question.Qtype == dns.TypeMX || question.Qtype == dns.TypeHTTPS) && within(lines(theirs.Extra), lines(ours.Extra)) {
		ours.Extra = theirs.Extra
	}
	switch server {
	case "named":
		// It calls a loop of aliases a failure of the server, and still gives the records.
		if theirs.Rcode == dns.RcodeServerFailure && len(theirs.Answer) > 0 && strings.Contains(question.Name, "loop") {
			theirs.Rcode = dns.RcodeSuccess
		}
		// Its zero-no-soa-ttl, on by default, keeps others from keeping the SOA record of a denied question for it.
		if question.Qtype == dns.TypeSOA {
			withoutTTL(ours.Ns)
			withoutTTL(theirs.Ns)
		}
		// It answers from the parent's side of a delegation about NSEC, too, not only about DS (RFC 4035 section 3.1.4.1).
		if question.Qtype == dns.TypeNSEC && ours.Authoritative != theirs.Authoritative {
			*theirs = *ours
		}
		// It goes on behind a CNAME at which a service's alias points, and gives the owner's addresses, which are there as hints, too.
		own := !strings.HasPrefix(question.Name, "svc") || strings.HasPrefix(question.Name, "svca.")
		if question.Qtype == dns.TypeHTTPS && own && within(lines(ours.Extra), lines(theirs.Extra)) {
			ours.Extra = theirs.Extra
		}
		// It gives with a referral no addresses that are the zone's own, for which the resolver could ask it.
		if len(ours.Extra) > len(theirs.Extra) && slices.ContainsFunc(ours.Ns, delegates) {
			ours.Extra = withoutNameserver(ours.Extra)
		}
	case "knotd":
		// It sorts a label that goes on with a zero before the names below the one without.
		if strings.Contains(question.Name, `\000.`) && ours.Rcode == dns.RcodeNameError {
			ours.Ns = theirs.Ns
		}
		// It does not repeat as a proof the NSEC records of a wildcard that it gives as the answer.
		if question.Qtype == dns.TypeNSEC && len(theirs.Ns) == 0 {
			ours.Ns = nil
		}
		// It follows one alias of a service, and proves what its target does not have; it follows what is no alias, too.
		if question.Qtype == dns.TypeHTTPS {
			theirs.Extra = slices.DeleteFunc(theirs.Extra, func(rr dns.RR) bool {
				return covered(rr) == dns.TypeNSEC || covered(rr) == dns.TypeNSEC3 || question.Name == "svc1.example.test." && covered(rr) == dns.TypeHTTPS
			})
			if within(lines(theirs.Extra), lines(ours.Extra)) {
				ours.Extra = theirs.Extra
			}
		}
		// It has no YXDOMAIN for a name that a DNAME would make too long.
		if ours.Rcode == dns.RcodeYXDomain && theirs.Rcode == dns.RcodeNameError {
			theirs.Rcode, theirs.Ns = ours.Rcode, ours.Ns
		}
	case "nsd":
		// It forgets the name itself when it proves behind a DNAME that neither that nor a wildcard exists.
		if strings.HasSuffix(question.Name, ".dn.example.test.") && len(ours.Ns) > len(theirs.Ns) && ours.Rcode == dns.RcodeNameError {
			ours.Ns = theirs.Ns
		}
		// It follows an alias when the NSEC record of its owner is asked for, and there is none.
		if question.Qtype == dns.TypeNSEC && len(ours.Answer) == 0 && len(theirs.Answer) > 0 {
			*theirs = *ours
		}
		// Where opt-out spares an empty non-terminal its NSEC3 record, it takes that for the closest encloser.
		if strings.HasSuffix(question.Name, "onlycuts.example.test.") && len(ours.Answer) == 0 && ours.Authoritative {
			ours.Ns = theirs.Ns
		}
		// It proves by NSEC3 more than it takes.
		if within(lines(ours.Ns), lines(theirs.Ns)) {
			theirs.Ns = ours.Ns
		}
	}
}

func within(few, many []string) bool {
	return !slices.ContainsFunc(few, func(line string) bool { return !slices.Contains(many, line) })
}

// covered is the type of a record, or of those that it signs.
func covered(rr dns.RR) uint16 {
	if sig, ok := rr.(*dns.RRSIG); ok {
		return sig.TypeCovered
	}
	return rr.Header().Rrtype
}

func withoutTTL(rrs []dns.RR) {
	for _, rr := range rrs {
		if covered(rr) == dns.TypeSOA {
			rr.Header().Ttl = 0
		}
	}
}

func compare(ours, theirs *dns.Msg) string {
	switch {
	case ours.Rcode != theirs.Rcode:
		return "code"
	case ours.Authoritative != theirs.Authoritative:
		return "AA bit"
	case !slices.Equal(lines(ours.Answer), lines(theirs.Answer)):
		return "answer section"
	case !slices.Equal(lines(ours.Ns), lines(theirs.Ns)):
		return "authority section"
	case !slices.Equal(lines(ours.Extra), lines(theirs.Extra)):
		return "additional section"
	}
	return ""
}

// lines is a section as sorted text.
func lines(rrs []dns.RR) []string {
	var all []string
	for _, rr := range rrs {
		if rr.Header().Rrtype != dns.TypeOPT {
			all = append(all, canonicalText(rr))
		}
	}
	slices.Sort(all)
	return all
}

// canonicalText is a record with the names in lower case, as they are compared.
func canonicalText(rr dns.RR) string {
	return strings.ToLower(rr.String())
}

func delegates(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeNS }

func withoutNameserver(rrs []dns.RR) []dns.RR {
	return slices.DeleteFunc(rrs, func(rr dns.RR) bool {
		return rr.Header().Name == "ns1.example.test." || rr.Header().Name == "ns2.dns.example.test."
	})
}

func describe(m *dns.Msg) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s aa=%v", dns.RcodeToString[m.Rcode], m.Authoritative)
	for i, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, line := range lines(section) {
			if f := strings.Fields(line); len(f) > 12 && f[3] == "rrsig" {
				line = strings.Join(f[:5], " ")
			}
			fmt.Fprintf(&b, "\n  %s %s", []string{"answer", "authority", "additional"}[i], line)
		}
	}
	return b.String()
}
