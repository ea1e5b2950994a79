package zone

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/dnsserver/dnstest"

	"github.com/miekg/dns"
)

// A validating resolver that knows the zone's key believes every answer, and above all every proof of what does not exist.
func TestResolverBelievesEveryAnswer(t *testing.T) {
	for signing, z := range served(t) {
		t.Run(signing, func(t *testing.T) {
			all := records(t, strings.Join(dump(t, z.Current()), "\n")+"\n")
			resolver := resolverOf(t, serve(t, z), anchors(all))
			conn, err := dns.DialTimeout("tcp", resolver.Addr.String(), 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			asked, faults := 0, 0
			for _, question := range sample(questionsAbout(all), 30, len(signing)%30) {
				ours := message(t, z, question, true)
				if leavesZone(ours) || confuses(ours) {
					continue
				}
				theirs := exchange(t, conn, question, true)
				asked++
				secure := theirs.AuthenticatedData || optsOut(ours)
				if theirs.Rcode == ours.Rcode && secure {
					continue
				}
				if faults++; faults < 5 {
					t.Errorf("%s %s: %s, authenticated %v\n%s\nours %s\n%s", question.Name, dns.TypeToString[question.Qtype],
						dns.RcodeToString[theirs.Rcode], theirs.AuthenticatedData, describe(theirs), describe(ours), tail(resolver.Log()))
				}
			}
			t.Logf("%d answers, %d not believed", asked, faults)
		})
	}
}

// leavesZone reports whether the answer, or the rest of it, is another server's to give.
func leavesZone(m *dns.Msg) bool {
	if m.Question[0].Name == "example.test." && m.Question[0].Qtype == dns.TypeDS {
		return true // the parent's
	}
	for _, rr := range m.Answer {
		if alias, ok := rr.(*dns.CNAME); ok && strings.HasSuffix(alias.Target, "elsewhere.test.") {
			return true
		}
	}
	return slices.ContainsFunc(m.Ns, delegates)
}

// confuses reports whether an answer, though it is that of all other servers, is beyond unbound: the alias itself that a DNAME
// makes, what has no name, a loop of aliases, and what stands beside an alias.
func confuses(m *dns.Msg) bool {
	made := slices.ContainsFunc(m.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeDNAME })
	if m.Rcode == dns.RcodeYXDomain || strings.Contains(m.Question[0].Name, "loop") {
		return true
	}
	switch m.Question[0].Qtype {
	case dns.TypeCNAME, dns.TypeDNAME:
		return made && len(m.Answer) > 2
	case dns.TypeNSEC:
		nsec, ok := first(m.Answer).(*dns.NSEC)
		return !ok || slices.Contains(nsec.TypeBitMap, dns.TypeCNAME)
	}
	return false
}

func first(rrs []dns.RR) dns.RR {
	if len(rrs) == 0 {
		return nil
	}
	return rrs[0]
}

// optsOut reports whether an answer is proven by NSEC3 records that leave unsigned delegations out (RFC 5155 section 6): what
// those cover is taken for unsigned.
func optsOut(m *dns.Msg) bool {
	return slices.ContainsFunc(m.Ns, func(rr dns.RR) bool {
		nsec3, ok := rr.(*dns.NSEC3)
		return ok && nsec3.Flags == 1
	})
}

// anchors are the zone's key-signing keys as trust anchors of unbound.
func anchors(rrs []dns.RR) string {
	var config strings.Builder
	for _, rr := range rrs {
		if key, ok := rr.(*dns.DNSKEY); ok && key.Flags&dns.SEP != 0 {
			fmt.Fprintf(&config, "\ttrust-anchor: \"%s\"\n", strings.ReplaceAll(key.ToDS(dns.SHA256).String(), "\t", " "))
		}
	}
	return config.String()
}

func resolverOf(t testing.TB, addr net.Addr, anchors string) *dnstest.Server {
	t.Helper()
	port := addr.(*net.UDPAddr).Port
	return dnstest.Unbound(t, fmt.Sprintf(`%s
	local-zone: "test." nodefault
	qname-minimisation: no
	aggressive-nsec: no
	cache-max-ttl: 0
	cache-max-negative-ttl: 0
	val-bogus-ttl: 1
	val-log-level: 2
	edns-buffer-size: 4096
	max-udp-size: 4096
	unwanted-reply-threshold: 0
	outbound-msg-retry: 2
stub-zone:
	name: "example.test"
	stub-addr: 127.0.0.1@%d
`, anchors, port))
}

// serve answers for a zone over UDP until the test ends.
func serve(t testing.TB, z *Zone) net.Addr {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		packet := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			query := new(dns.Msg)
			if query.Unpack(packet[:n]) != nil || len(query.Question) != 1 {
				continue
			}
			edns := query.IsEdns0()
			answer := message(t, z, query.Question[0], edns != nil && edns.Do())
			answer.Id = query.Id
			answer.Compress = true
			if out, err := answer.Pack(); err == nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-ended
	})
	return conn.LocalAddr()
}

// tail is the end of a log.
func tail(log string) string {
	lines := strings.Split(log, "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}
