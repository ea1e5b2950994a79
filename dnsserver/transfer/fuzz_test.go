package transfer

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// No packet makes the service panic, or give records to who may have none.
func FuzzRequests(f *testing.F) {
	s, _ := newPrimary(f, 3)
	for _, m := range []*dns.Msg{axfr(), ixfr(0), new(dns.Msg).SetNotify("example.test."), new(dns.Msg).SetQuestion("example.test.", dns.TypeSOA)} {
		f.Add(pack(f, m), true)
		signed, _ := signedBy(f, m, testKeys[0], time.Unix(1<<30, 0))
		f.Add(signed, false)
	}
	f.Fuzz(func(t *testing.T, packet []byte, datagram bool) {
		if len(packet) < headerSize {
			return
		}
		err := s.Serve(context.Background(), Request{
			Packet: packet, Client: netip.MustParseAddrPort(stranger), Datagram: datagram,
			Answer: func(out, _ []byte, _ int) []byte { return out },
			Write: func(message []byte) error {
				if m := unpack(t, message); len(m.Answer) > 0 || m.Id != uint16(packet[0])<<8|uint16(packet[1]) {
					t.Errorf("%x is answered with %v", packet, m)
				}
				return nil
			},
		})
		if err != nil {
			t.Error(err)
		}
	})
}
