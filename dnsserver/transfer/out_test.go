package transfer

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// A transfer is for those whom a peer of the zone names by address, key or both; others learn nothing.
func TestTransfersAreForPeersAlone(t *testing.T) {
	s, _ := newPrimary(t, 10)
	other := new(dns.Msg).SetAxfr("elsewhere.test.")
	for name, c := range map[string]struct {
		client string
		key    int // -1: none
		m      *dns.Msg
		rcode  int
	}{
		"by address":                    {friend, -1, axfr(), dns.RcodeSuccess},
		"by address and key":            {keyed, 0, axfr(), dns.RcodeSuccess},
		"by key from anywhere":          {stranger, 1, axfr(), dns.RcodeSuccess},
		"by a mapped address":           {"[::ffff:192.0.2.10]:5300", -1, axfr(), dns.RcodeSuccess},
		"wrong address":                 {stranger, -1, axfr(), dns.RcodeRefused},
		"wrong address, IXFR":           {stranger, -1, ixfr(0), dns.RcodeRefused},
		"right address without its key": {keyed, -1, axfr(), dns.RcodeRefused},
		"right key, wrong address":      {stranger, 0, axfr(), dns.RcodeRefused},
		"zone of others":                {friend, -1, other, dns.RcodeNotAuth},
		"name inside the zone":          {friend, -1, new(dns.Msg).SetAxfr("host-1.example.test."), dns.RcodeNotAuth},
	} {
		t.Run(name, func(t *testing.T) {
			packet := pack(t, c.m)
			if c.key >= 0 {
				packet, _ = signedBy(t, c.m.Copy(), testKeys[c.key], time.Now())
			}
			m := unpack(t, serve(t, s, c.client, false, packet)[0])
			if m.Rcode != c.rcode || (len(m.Answer) > 0) != (c.rcode == dns.RcodeSuccess) || len(m.Ns) > 0 {
				t.Errorf("%s with %d records", dns.RcodeToString[m.Rcode], len(m.Answer))
			}
		})
	}
}

// What goes over UDP: no whole zone, and of IXFR the version alone.
func TestTransfersOverUDP(t *testing.T) {
	s, _ := newPrimary(t, 10)
	if m := unpack(t, serve(t, s, friend, true, pack(t, axfr()))[0]); m.Rcode != dns.RcodeFormatError || len(m.Answer) > 0 {
		t.Errorf("AXFR: %v", m)
	}
	if m := unpack(t, serve(t, s, friend, true, pack(t, ixfr(0)))[0]); len(m.Answer) != 1 || m.Answer[0].Header().Rrtype != dns.TypeSOA {
		t.Errorf("IXFR: %v", m)
	}
	bare := ixfr(0)
	bare.Ns = nil
	if m := unpack(t, serve(t, s, friend, false, pack(t, bare))[0]); m.Rcode != dns.RcodeFormatError {
		t.Errorf("IXFR without a version: %v", m)
	}
}

// answers returns the records of all messages, and how long the longest message is.
func answers(t *testing.T, messages [][]byte) (rrs []dns.RR, longest int) {
	for _, message := range messages {
		rrs = append(rrs, unpack(t, message).Answer...)
		longest = max(longest, len(message))
	}
	return rrs, longest
}

// A whole zone goes out between two SOA records, in messages of at most 16 KiB that are filled well.
func TestWholeZone(t *testing.T) {
	s, _ := newPrimary(t, 3000)
	messages := serve(t, s, friend, false, pack(t, axfr()))
	rrs, longest := answers(t, messages)
	if longest > streamSize || len(messages) > 2+3000*40/streamSize {
		t.Errorf("%d messages, the longest of %d bytes", len(messages), longest)
	}
	hosts := 0
	for _, rr := range rrs {
		if rr.Header().Rrtype == dns.TypeA && rr.Header().Ttl == 60 {
			hosts++
		}
	}
	first, last := rrs[0], rrs[len(rrs)-1]
	if first.Header().Rrtype != dns.TypeSOA || !dns.IsDuplicate(first, last) || hosts != 3000 {
		t.Errorf("from %v to %v with %d hosts", first, last, hosts)
	}
	for i, message := range messages {
		m := unpack(t, message)
		if !m.Response || !m.Authoritative || (len(m.Question) == 1) != (i == 0) {
			t.Fatalf("message %d: %v %v", i, m.MsgHdr, m.Question)
		}
	}
}

// What has changed goes out as the versions' differences; to who has the last version, or claims a later one, that alone.
func TestIncrementalTransfer(t *testing.T) {
	s, z := newPrimary(t, 100)
	z.Apply(sites.Change{Revision: 2, RRSets: []sites.RRSet{addressSet(200)}})
	z.Apply(sites.Change{Revision: 3, RRSets: []sites.RRSet{{Name: "host-1.example.test", Type: "A", TTL: 60, Data: []string{"192.0.2.99"}}}})
	rrs, _ := answers(t, serve(t, s, friend, false, pack(t, ixfr(1))))
	var got []string
	for _, rr := range rrs {
		switch rr := rr.(type) {
		case *dns.SOA:
			got = append(got, fmt.Sprint("SOA ", rr.Serial))
		case *dns.A:
			got = append(got, rr.Hdr.Name+" "+rr.A.String())
		}
	}
	want := []string{
		"SOA 3", "SOA 1", "SOA 2", "host-200.example.test. 192.0.2.200",
		"SOA 2", "host-1.example.test. 192.0.2.1", "SOA 3", "host-1.example.test. 192.0.2.99", "SOA 3",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	for _, serial := range []uint32{3, 4, 1<<31 + 2} {
		if rrs, _ := answers(t, serve(t, s, friend, false, pack(t, ixfr(serial)))); len(rrs) != 1 {
			t.Errorf("serial %d: %d records", serial, len(rrs))
		}
	}
	if rrs, _ := answers(t, serve(t, s, friend, false, pack(t, ixfr(0)))); len(rrs) < 100 {
		t.Errorf("a version that nobody knows: %d records, want the whole zone", len(rrs))
	}
}

// A name that comes and goes a hundred times is no hundred steps for who has missed it.
func TestStepsAreCondensed(t *testing.T) {
	s, z := newPrimary(t, 100)
	for i := range 100 {
		set := sites.RRSet{Name: "flicker.example.test", Type: "A", TTL: 60}
		if i%2 == 0 {
			set.Data = []string{"192.0.2.1"}
		}
		z.Apply(sites.Change{Revision: int64(2 + i), RRSets: []sites.RRSet{set}})
	}
	z.Apply(sites.Change{Revision: 200, RRSets: []sites.RRSet{addressSet(200)}})
	if rrs, _ := answers(t, serve(t, s, friend, false, pack(t, ixfr(1)))); len(rrs) != 5 {
		t.Errorf("%d records, want 5: %v", len(rrs), rrs)
	}
}

// An address has a few transfers at a time, and all together have not many more.
func TestTransfersAreBounded(t *testing.T) {
	g := newGate(3, 2)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	enter := func(peer netip.Addr) bool { return g.enter(context.Background(), peer, time.Millisecond) }
	for i, c := range []struct {
		peer netip.Addr
		want bool
	}{{a, true}, {a, true}, {a, false}, {b, true}, {b, false}} {
		if enter(c.peer) != c.want {
			t.Errorf("%d: %s enters: %t", i, c.peer, !c.want)
		}
	}
	g.leave(a)
	if !enter(b) {
		t.Error("what ends makes no room")
	}
}

// A stream ends with its context, after the message that is being written.
func TestStreamsEndWithTheirContext(t *testing.T) {
	s, _ := newPrimary(t, 5000)
	ctx, cancel := context.WithCancel(t.Context())
	messages := 0
	err := s.Serve(ctx, Request{
		Packet: pack(t, axfr()), Client: netip.MustParseAddrPort(friend),
		Write: func([]byte) error {
			messages++
			cancel()
			return nil
		},
	})
	if err == nil || messages != 1 {
		t.Errorf("%d messages, error %v", messages, err)
	}
}
