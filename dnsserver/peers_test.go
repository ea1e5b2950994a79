package dnsserver

import (
	"bytes"
	"context"
	"net/netip"
	"testing"

	"berth/sites"

	"github.com/miekg/dns"
)

// Signed packets, transfers and NOTIFY are told from ordinary queries.
func TestPacketsForPeersArePicked(t *testing.T) {
	signed := question("example.test SOA")
	signed.SetEdns0(1232, false)
	signed.SetTsig("key.test.", dns.HmacSHA256, 300, 1)
	notify := question("example.test SOA")
	notify.Opcode = dns.OpcodeNotify
	edns := question("example.test SOA")
	edns.SetEdns0(1232, true)
	for name, c := range map[string]struct {
		message *dns.Msg
		want    bool
	}{
		"signed": {signed, true}, "NOTIFY": {notify, true}, "EDNS": {edns, false}, "plain": {question("example.test SOA"), false},
		"AXFR": {question("example.test AXFR"), true}, "IXFR": {question("example.test IXFR"), true},
	} {
		packet, err := c.message.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if forPeers(packet) != c.want {
			t.Errorf("%s: %t, want %t", name, !c.want, c.want)
		}
		for n := range packet {
			forPeers(packet[:n]) // must not panic
		}
	}
}

// An ordinary question that a peer asks is answered in the ordinary way.
func TestPeersGetOrdinaryAnswers(t *testing.T) {
	s := newServer(t, testConfig())
	var written []byte
	packet, err := question("example.test SOA").Pack()
	if err != nil {
		t.Fatal(err)
	}
	err = s.servePeer(context.Background(), peerRequest{
		packet: packet,
		answer: func(out, packet []byte, _ int) []byte { return append(append(out, "answer to "...), packet...) },
		write:  func(message []byte) error { written = bytes.Clone(message); return nil },
	})
	if err != nil || string(written) != "answer to "+string(packet) {
		t.Errorf("%q, %v", written, err)
	}
}

// Transfers that are refused are no way around the limit of answers.
func TestRefusedTransfersAreLimited(t *testing.T) {
	cfg := testConfig()
	cfg.RateLimit = 10
	s := newServer(t, cfg)
	packet, err := question("example.test AXFR").Pack()
	if err != nil {
		t.Fatal(err)
	}
	answered := 0
	for range 100 {
		if out := s.newResponder().respond(nil, packet, overUDP, netip.MustParseAddrPort("192.0.2.99:5000")); len(out) > 0 {
			answered++
		}
	}
	if answered < 5 || answered > 30 {
		t.Errorf("%d of 100 are answered", answered)
	}
}

// Nor is what answers a NOTIFY, whose sender can be forged; another zone's is not concerned.
func TestAnswersToNotifyAreLimited(t *testing.T) {
	cfg := testConfig()
	cfg.RateLimit = 10
	s := newServer(t, cfg)
	ch := full(1)
	for i, name := range []string{"one.test", "two.test"} {
		ch.Zones = append(ch.Zones, sites.PublishedZone{Zone: sites.Zone{
			ID: sites.ZoneID(i + 2), Name: name, Kind: sites.ZoneSecondary, Primaries: []sites.Primary{{Addr: netip.MustParseAddrPort("192.0.2.99:53")}},
		}})
	}
	s.Apply(ch)
	answered := func(zone string, n int) (count int) {
		packet := pack(t, new(dns.Msg).SetNotify(zone))
		for range n {
			if out := s.newResponder().respond(nil, packet, overUDP, netip.MustParseAddrPort("192.0.2.99:5000")); len(out) > 0 {
				if out[3]&0xF != dns.RcodeSuccess {
					t.Fatalf("answer %x", out)
				}
				count++
			}
		}
		return count
	}
	if n := answered("one.test.", 100); n < 5 || n > 30 {
		t.Errorf("%d of 100 are answered", n)
	}
	if n := answered("two.test.", 5); n != 5 {
		t.Errorf("%d of 5 of another zone are answered", n)
	}
}
