package dnsserver

import (
	"encoding/binary"
	"testing"

	"github.com/miekg/dns"
)

// Signatures stand behind the set that they cover, with its owner and TTL, and what stands in the message already is not
// written again.
func TestSignaturesAreWritten(t *testing.T) {
	s := populated(t)
	responder := s.newResponder()
	q, r := &responder.query, &responder.reply
	packet := pack(t, question("hello.example.test A"))
	if !q.readHeader(packet) || !q.readQuestion(packet) {
		t.Fatal("the question is not read")
	}
	s.zones.Load().main.Current().Lookup(r, []byte("hello\x00"), dns.TypeA, false)
	signature := dns.RRSIG{
		Hdr:         dns.RR_Header{Name: ".", Rrtype: dns.TypeRRSIG, Class: dns.ClassINET},
		TypeCovered: dns.TypeA, Algorithm: dns.ECDSAP256SHA256, Labels: 3, OrigTtl: 300, SignerName: "example.test.", Signature: "c2lnbmF0dXJl",
	}
	buf := make([]byte, 200)
	end, err := dns.PackRR(&signature, buf, 0, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	data := buf[11:end]
	with := append(binary.BigEndian.AppendUint16(nil, uint16(len(data))), data...)
	r.Answer[0].Signatures = append(with, with...)
	out, truncated := responder.message.write(nil, q, r, minSize)
	m := new(dns.Msg)
	if err := m.Unpack(out); err != nil || truncated {
		t.Fatal(err, truncated)
	}
	if len(m.Answer) != 3 || m.Answer[0].Header().Rrtype != dns.TypeA {
		t.Fatalf("answer %v", m.Answer)
	}
	for _, rr := range m.Answer[1:] {
		got, ok := rr.(*dns.RRSIG)
		if !ok || got.Hdr.Name != "hello.example.test." || got.Hdr.Ttl != 300 || got.TypeCovered != dns.TypeA || got.SignerName != "example.test." {
			t.Errorf("signature %v", rr)
		}
	}
	const record = 2 + 10 // owner as a pointer; type, class, TTL, length
	if want := len(packet) + record + 4 + 2*(record+len(data)); len(out) != want {
		t.Errorf("%d bytes, want %d", len(out), want)
	}
	if _, truncated := responder.message.write(nil, q, r, len(out)-1); !truncated {
		t.Error("an answer without all signatures is not truncated")
	}
}

// A set's wire form says the same as its records one by one, whoever is its owner.
func TestWireFormOfSets(t *testing.T) {
	s := populated(t)
	found := 0
	for p := range s.zones.Load().main.Current().All() {
		if p.Set.Wire() == nil {
			continue
		}
		found++
		q := &query{name: []byte(p.Owner)}
		at := message{q: q, out: make([]byte, headerSize)}
		at.set(p)
		one := message{q: q, out: make([]byte, headerSize)}
		for i := range p.Set.Records {
			one.name(p.Owner)
			one.record(p.Set, &p.Set.Records[i])
		}
		if string(at.out) != string(one.out) {
			t.Errorf("%q type %d: %x, want %x", p.Owner, p.Set.Type, at.out, one.out)
		}
	}
	if found == 0 {
		t.Error("no set has a wire form")
	}
}

// Padding leaves the room that the message's signature needs.
func TestPaddingLeavesRoom(t *testing.T) {
	s := populated(t)
	responder := s.newResponder()
	q := &responder.query
	packet := pack(t, asking("hello.example.test A", optPadding))
	if !q.readHeader(packet) || !q.readQuestion(packet) || !q.readRest(packet) {
		t.Fatal("the question is not read")
	}
	responder.reply.Reset(dns.RcodeSuccess)
	responder.message.padded = true
	for limit, want := range map[int]int{tcpSize: padBlock, 300: 300} {
		if out, _ := responder.message.write(nil, q, &responder.reply, limit); len(out) != want {
			t.Errorf("%d bytes of at most %d, want %d", len(out), limit, want)
		}
	}
}
