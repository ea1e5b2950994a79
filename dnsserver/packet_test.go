package dnsserver

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// pack returns the query as sent, altered.
func pack(t testing.TB, q *dns.Msg, alter ...func([]byte) []byte) []byte {
	t.Helper()
	packet, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range alter {
		packet = f(packet)
	}
	return packet
}

func withEDNS(ask string, alter func(*dns.OPT)) *dns.Msg {
	q := question(ask)
	q.SetEdns0(4096, false)
	alter(q.IsEdns0())
	return q
}

// setBits sets bits of the header.
func setBits(mask uint16) func([]byte) []byte {
	return func(p []byte) []byte {
		binary.BigEndian.PutUint16(p[2:], binary.BigEndian.Uint16(p[2:])|mask)
		return p
	}
}

// count sets one of the four counts of the header.
func count(section int, n uint16) func([]byte) []byte {
	return func(p []byte) []byte {
		binary.BigEndian.PutUint16(p[4+2*section:], n)
		return p
	}
}

func cut(n int) func([]byte) []byte { return func(p []byte) []byte { return p[:len(p)-n] } }

func add(tail string) func([]byte) []byte {
	return func(p []byte) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(tail, " ", ""))
		if err != nil {
			panic(err)
		}
		return append(p, b...)
	}
}

// edns says what an answer's OPT record holds.
func edns(m *dns.Msg) string {
	opt := m.IsEdns0()
	if opt == nil {
		return "none"
	}
	return fmt.Sprintf("v%d size=%d do=%v z=%d options=%d", opt.Version(), opt.UDPSize(), opt.Do(), opt.Z(), len(opt.Option))
}

// The list of RFC 8906 section 8, and what else a packet can have wrong with it.
func TestPackets(t *testing.T) {
	s := populated(t)
	soaAnswer := "NOERROR aa\nanswer " + soa
	const plain, echoed = "v0 size=1232 do=false z=0 options=0", "v0 size=1232 do=true z=0 options=0"
	optOnly := func(m *dns.Msg) *dns.Msg { m.Question = nil; return m }
	for _, c := range []struct {
		name      string
		packet    []byte
		want      string // rendered answer; empty: none
		edns      string
		questions int
	}{
		{"plain", pack(t, question("example.test SOA")), soaAnswer, "none", 1},
		{"unknown type", pack(t, question("example.test TYPE1000")), "NOERROR aa\nauthority " + soa, "none", 1},
		{"CD and AD set", pack(t, question("example.test SOA"), setBits(bitCD|0x20)), "NOERROR aa cd\nanswer " + soa, "none", 1},
		{"reserved bit set", pack(t, question("example.test SOA"), setBits(0x40)), soaAnswer, "none", 1},
		{"RD set", pack(t, question("example.test SOA"), setBits(bitRD)), "NOERROR aa rd\nanswer " + soa, "none", 1},
		{"AA, TC, RA and an rcode set", pack(t, question("example.test SOA"), setBits(bitAA|bitTC|0x8F)), soaAnswer, "none", 1},
		{"unknown opcode", pack(t, question("example.test SOA"), setBits(15<<11)), "NOTIMP", "none", 0},
		{"unknown opcode, all bits set", pack(t, question("example.test SOA"), setBits(15<<11|bitAA|bitTC|bitRD|0xF0)), "NOTIMP", "none", 0},
		{"NOTIFY", pack(t, question("example.test SOA"), setBits(4<<11|bitAA|bitRD)), "NOTAUTH", "none", 1},
		{"UPDATE", pack(t, question("example.test SOA"), setBits(5<<11)), "NOTIMP", "none", 0},
		{"unknown opcode, EDNS", pack(t, withEDNS("example.test SOA", func(o *dns.OPT) { o.SetDo() }), setBits(15<<11)), "NOTIMP", echoed, 0},
		{"unknown opcode, malformed EDNS", pack(t, withEDNS("example.test SOA", func(*dns.OPT) {}), setBits(15<<11), cut(1)), "NOTIMP", "none", 0},
		{"opcode and header alone", pack(t, question("example.test SOA"), setBits(15<<11), count(0, 0))[:12], "NOTIMP", "none", 0},

		{"EDNS", pack(t, withEDNS("example.test SOA", func(*dns.OPT) {})), soaAnswer, plain, 1},
		{"EDNS, unknown version", pack(t, withEDNS("example.test SOA", func(o *dns.OPT) { o.SetVersion(1) })), "BADVERS", plain, 1},
		{"EDNS, unknown version, outside", pack(t, withEDNS("elsewhere.test A", func(o *dns.OPT) { o.SetVersion(100) })), "BADVERS", plain, 1},
		{"EDNS, unknown option", pack(t, withEDNS("example.test SOA", unknownOption)), soaAnswer, plain, 1},
		{"EDNS, unknown flags", pack(t, withEDNS("example.test SOA", func(o *dns.OPT) { o.SetZ(0x40) })), soaAnswer, plain, 1},
		{"EDNS, DO", pack(t, withEDNS("example.test SOA", func(o *dns.OPT) { o.SetDo() })), soaAnswer, echoed, 1},
		{"EDNS, unknown version and option", pack(t, withEDNS("example.test SOA", func(o *dns.OPT) {
			o.SetVersion(1)
			unknownOption(o)
		})), "BADVERS", plain, 1},
		{"EDNS, unknown version and flags", pack(t, withEDNS("example.test SOA", func(o *dns.OPT) {
			o.SetVersion(1)
			o.SetZ(0x40)
		})), "BADVERS", plain, 1},
		{"EDNS, client subnet", pack(t, withEDNS("example.test SOA", func(o *dns.OPT) {
			o.Option = append(o.Option, &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, Address: []byte{0, 0, 0, 0}})
		})), soaAnswer, plain, 1},
		{"EDNS, name error", pack(t, withEDNS("missing.example.test A", func(*dns.OPT) {})), "NXDOMAIN aa\nauthority " + soa, plain, 1},
		{"EDNS, outside", pack(t, withEDNS("elsewhere.test A", func(*dns.OPT) {})), "REFUSED", "v0 size=1232 do=false z=0 options=1", 1},
		{"two OPT records", pack(t, withEDNS("example.test SOA", func(*dns.OPT) {}), count(3, 2), add("00 0029 1000 00000000 0000")), "FORMERR", plain, 1},
		{"OPT with an owner", pack(t, question("example.test SOA"), count(3, 1), add("0161 00 0029 1000 00000000 0000")), "FORMERR", "none", 1},
		{"TSIG before OPT", pack(t, question("example.test SOA"), count(3, 2), add(anyTSIG+"00 0029 1000 00000000 0000")), "FORMERR", "none", 1},
		{"TSIG as an answer", pack(t, question("example.test SOA"), count(1, 1), add(anyTSIG)), "FORMERR", "none", 1},
		{"OPT as an answer", pack(t, question("example.test SOA"), count(1, 1), add("00 0029 1000 00000000 0000")), "FORMERR", "none", 1},
		{"option longer than the OPT record", pack(t, question("example.test SOA"), count(3, 1), add("00 0029 1000 00000000 0006 000A 0009 0000")), "FORMERR", plain, 1},
		{"OPT without options' length", pack(t, question("example.test SOA"), count(3, 1), add("00 0029 1000 00000000")), "FORMERR", "none", 1},

		{"version.bind", pack(t, chaos("version.bind")), "REFUSED", "none", 1},
		{"class ANY", pack(t, question("example.test SOA"), func(p []byte) []byte { p[len(p)-1] = 255; return p }), "REFUSED", "none", 1},
		{"no question", pack(t, optOnly(question("example.test SOA"))), "FORMERR", "none", 0},
		{"two questions", pack(t, question("example.test SOA"), count(0, 2)), "FORMERR", "none", 0},
		{"question cut", pack(t, question("example.test SOA"), cut(1)), "FORMERR", "none", 0},
		{"name cut", pack(t, question("example.test SOA"), cut(9)), "FORMERR", "none", 0},
		{"name with a pointer to itself", pack(t, optOnly(question("example.test SOA")), count(0, 1), add("C00C 0006 0001")), "FORMERR", "none", 0},
		{"name with a label of an unknown kind", pack(t, optOnly(question("example.test SOA")), count(0, 1), add("41 00 0006 0001")), "FORMERR", "none", 0},
		{"name too long", pack(t, optOnly(question("example.test SOA")), count(0, 1), add(strings.Repeat("0161", 128)+"00 0006 0001")), "FORMERR", "none", 0},
		{"record promised and missing", pack(t, question("example.test SOA"), count(3, 1)), "FORMERR", "none", 1},
		{"records promised and missing", pack(t, question("example.test SOA"), count(1, 65535)), "FORMERR", "none", 1},
		{"bytes after the message", pack(t, question("example.test SOA"), add("FFFFFF")), soaAnswer, "none", 1},

		{"response", pack(t, question("example.test SOA"), setBits(bitQR)), "", "", 0},
		{"eleven bytes", make([]byte, 11), "", "", 0},
		{"nothing", nil, "", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := s.newResponder().respond(nil, c.packet, overUDP, testClient)
			if c.want == "" {
				if len(out) != 0 {
					t.Fatalf("answered with %x", out)
				}
				return
			}
			m := new(dns.Msg)
			if err := m.Unpack(out); err != nil {
				t.Fatalf("answer %x: %v", out, err)
			}
			if got := render(m); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if got := edns(m); got != c.edns {
				t.Errorf("EDNS %s, want %s", got, c.edns)
			}
			if len(m.Question) != c.questions {
				t.Errorf("%d questions, want %d", len(m.Question), c.questions)
			}
			if m.Id != binary.BigEndian.Uint16(c.packet) || m.Opcode != int(c.packet[2]>>3&0xF) || !m.Response {
				t.Errorf("id %d, opcode %d, response %v", m.Id, m.Opcode, m.Response)
			}
			if m.Zero || m.AuthenticatedData {
				t.Error("a bit is set that means nothing in an authoritative answer")
			}
		})
	}
}

// anyTSIG is a TSIG record as far as its frame goes.
const anyTSIG = "00 00FA 00FF 00000000 0000 "

func unknownOption(o *dns.OPT) {
	o.Option = append(o.Option, &dns.EDNS0_LOCAL{Code: 100, Data: []byte{1, 2, 3}})
}

func chaos(name string) *dns.Msg {
	q := question(name + " TXT")
	q.Question[0].Qclass = dns.ClassCHAOS
	return q
}

// The letters' case of the question is given back, and all owner names are pointers into it.
func TestCaseAndCompression(t *testing.T) {
	s := populated(t)
	out := s.newResponder().respond(nil, pack(t, question("HeLLo.eXample.TEST MX")), overUDP, testClient)
	m := new(dns.Msg)
	if err := m.Unpack(out); err != nil {
		t.Fatal(err)
	}
	if got := m.Question[0].Name; got != "HeLLo.eXample.TEST." {
		t.Errorf("question %q", got)
	}
	if len(m.Answer) != 2 || m.Answer[0].Header().Name != "HeLLo.eXample.TEST." {
		t.Errorf("answer %v", m.Answer)
	}
	if len(m.Extra) != 1 || m.Extra[0].Header().Name != "mail.HeLLo.eXample.TEST." {
		t.Errorf("additional %v", m.Extra)
	}
	m.Compress = true
	theirs, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if len(out) > len(theirs) {
		t.Errorf("%d bytes, the library needs %d", len(out), len(theirs))
	}
}

// A name of the greatest length and of bytes that are no letters is looked up like any other.
func TestStrangeNames(t *testing.T) {
	s := populated(t)
	long := strings.Repeat("a.", 120) + "example.test A"
	for _, ask := range []string{long, `\000\001\255.example.test A`, `a\.b.hello.example.test A`, `hello\000.example.test A`} {
		if got, want := render(direct(t, s, question(ask), overUDP)), "NXDOMAIN aa\nauthority "+soa; got != want {
			t.Errorf("%s: got\n%s", ask, got)
		}
	}
	// Its last label's length byte and text look like the zone's name, its labels do not.
	packet := pack(t, question("x SOA"), func(p []byte) []byte {
		return append(p[:headerSize], "\x0e\x07example\x04test\x00\x00\x00\x06\x00\x01"...)
	})
	m := new(dns.Msg)
	if out := s.newResponder().respond(nil, packet, overUDP, testClient); m.Unpack(out) != nil || m.Rcode != dns.RcodeRefused {
		t.Errorf("answered %v", m)
	}
}

// A fault of ours costs one answer, not the process.
func TestPanicIsServfail(t *testing.T) {
	cfg := testConfig()
	logger, lines := logLines()
	cfg.Logger = logger
	s := newServer(t, cfg)
	whole := s.zones.Swap(nil) // every lookup panics
	for range 3 {
		m := direct(t, s, question("hello.example.test A"), overTCP)
		if m.Rcode != dns.RcodeServerFailure || !m.Response {
			t.Fatalf("answered %v", m)
		}
	}
	s.zones.Store(whole)
	if s.Stats().Failed != 3 {
		t.Errorf("counted %d faults", s.Stats().Failed)
	}
	if n := strings.Count(lines.String(), "answering a query failed"); n != 2 {
		t.Errorf("logged %d times, want the 1st and the 2nd", n)
	}
}
