package dnsserver

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// Whatever arrives: nothing ends the process, an answer is a message that others can read, belongs to its query, keeps
// to its size, and is what a full reading of the packet by the library would lead to.
func FuzzRespond(f *testing.F) {
	cfg := testConfig()
	cfg.NSID, cfg.RateLimit = "fuzzed", 1
	cfg.RateLimitExempt = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	s := fill(f, newServer(f, cfg))
	s.Apply(sites.Change{Revision: 9, Zones: []sites.PublishedZone{signedMain(f, time.Now().Add(-time.Hour))}})
	for _, c := range answers {
		f.Add(pack(f, question(c.ask)))
	}
	f.Add(pack(f, withEDNS("hello.example.test MX", unknownOption)))
	f.Add(pack(f, chaos("version.bind")))
	f.Add(pack(f, question("example.test SOA"), count(3, 2), add("00 0029 1000 00000000 0000 C00C 0001 0001 00000000 0004 7F000001")))
	for _, options := range [][]string{{optCookie}, {optCookie + strings.Repeat("ab", 16)}, {optNSID, optSubnet, optExpire, optKeepalive, optPadding}} {
		q := asking("missing.example.test A", options...)
		q.IsEdns0().SetDo()
		f.Add(pack(f, q))
		q.Question = nil
		f.Add(pack(f, q))
	}
	for _, ask := range []string{"example.test SOA", "example.test AXFR", "example.test IXFR"} {
		q := question(ask)
		q.Extra = append(q.Extra, &dns.TSIG{
			Hdr:       dns.RR_Header{Name: "key.test.", Rrtype: dns.TypeTSIG, Class: dns.ClassANY},
			Algorithm: dns.HmacSHA256, TimeSigned: 1559731985, Fudge: 300, MACSize: 4, MAC: "01020304", OrigId: q.Id,
		})
		f.Add(pack(f, q))
		f.Add(pack(f, q, setBits(dns.OpcodeNotify<<11)))
	}
	udp, tcp, secure := s.newResponder(), s.newResponder(), s.newResponder()
	f.Fuzz(func(t *testing.T, packet []byte) {
		given := bytes.Clone(packet)
		small := udp.respond(nil, packet, overUDP, netip.MustParseAddrPort("127.0.0.1:4242"))
		limited := udp.respond(nil, packet, overUDP, testClient)
		whole := tcp.respond([]byte{0, 0}, packet, overTCP, testClient)[2:]
		padded := secure.respond(nil, packet, overTLS, testClient)
		if !bytes.Equal(given, packet) {
			t.Fatal("the packet was altered")
		}
		if s.Stats().Failed > 0 {
			t.Fatal("a panic was caught")
		}
		if len(packet) < headerSize || packet[2]&0x80 != 0 {
			if len(small)+len(limited)+len(whole)+len(padded) > 0 {
				t.Fatal("answered what is no query")
			}
			return
		}
		if len(small) > ednsSize || len(limited) > len(small)+cookieSize+4 {
			t.Fatalf("%d bytes over UDP, %d when limited", len(small), len(limited))
		}
		if len(limited) > 0 {
			checkAnswer(t, packet, limited)
		}
		for _, answer := range [][]byte{small, whole, padded} {
			checkAnswer(t, packet, answer)
		}
	})
}

func checkAnswer(t *testing.T, packet, answer []byte) {
	t.Helper()
	var m dns.Msg
	if err := m.Unpack(answer); err != nil {
		t.Fatalf("answer %x cannot be read: %v", answer, err)
	}
	if !m.Response || m.Id != binary.BigEndian.Uint16(packet) || m.Opcode != int(packet[2]>>3&0xF) {
		t.Fatalf("answer of another query: %v", &m)
	}
	if len(m.Question) == 1 {
		end := headerSize + len(packedQuestion(t, &m))
		if !bytes.Equal(answer[headerSize:end], packet[headerSize:end]) {
			t.Fatalf("another question: %v", &m)
		}
	}
	var q dns.Msg
	if m.Opcode != dns.OpcodeQuery || q.Unpack(packet) != nil || len(q.Question) != 1 {
		return
	}
	if m.Rcode == dns.RcodeSuccess && q.Question[0].Qclass != dns.ClassINET {
		t.Fatalf("answered class %d", q.Question[0].Qclass)
	}
	inside := dns.IsSubDomain("example.test.", dns.CanonicalName(q.Question[0].Name))
	if answered := len(m.Answer)+len(m.Ns) > 0; answered && !inside {
		t.Fatalf("answered for a name outside: %v", &m)
	}
}

// packedQuestion is the question section of a message, which is never compressed.
func packedQuestion(t *testing.T, m *dns.Msg) []byte {
	t.Helper()
	only := dns.Msg{Question: m.Question}
	packed, err := only.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packed[headerSize:]
}
