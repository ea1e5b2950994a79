package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"berth/dnsserver/zone"
	"berth/sites"

	"github.com/miekg/dns"
)

var errTooLong = errors.New("a record does not fit into a message")

// transfer answers a request for a transfer: of a zone whose peer the client is, by the zone as it is now.
func (s *Service) transfer(ctx context.Context, x *exchange) error {
	q := x.message.Question[0]
	h := s.named(q.Name)
	incremental := q.Qtype == dns.TypeIXFR
	var serial uint32
	if h == nil {
		return x.refuse(dns.RcodeNotAuth) // RFC 5936 section 2.2.1
	}
	if x.allowed(h.publishedNow().Peers) == nil {
		s.noteRefusal("a zone transfer is refused", "zone", h.Name(), "client", x.Client, "signed", x.tx != nil)
		return x.refuse(dns.RcodeRefused)
	}
	switch soa, ok := clientSOA(x.message); {
	case incremental && ok:
		serial = soa.Serial
	case incremental || x.Datagram: // an AXFR by UDP is not defined (section 4.2)
		return x.refuse(dns.RcodeFormatError)
	}
	if h.journal != nil && !x.Datagram && h.Current().Known() {
		h.journal.await(ctx, s.limits.wait)
	}
	now := h.Current()
	if !now.Known() {
		return x.refuse(dns.RcodeServerFailure)
	}
	if !x.Datagram {
		client := x.Client.Addr().Unmap()
		if !s.out.enter(ctx, client, s.limits.wait) {
			s.noteRefusal("a zone transfer is refused: too many run", "zone", h.Name(), "client", x.Client)
			return x.refuse(dns.RcodeServerFailure)
		}
		defer s.out.leave(client)
	}
	sent, err := s.send(ctx, x, now, incremental, serial)
	s.counts.note(sent)
	h.noteServed(x.Client, now.Serial(), s.cfg.Now(), err)
	if err != nil {
		return fmt.Errorf("transfer %s to %s: %w", h.Name(), x.Client, err)
	}
	return nil
}

// clientSOA is the version that the client has (RFC 1995 section 3).
func clientSOA(m *dns.Msg) (*dns.SOA, bool) {
	if len(m.Ns) != 1 {
		return nil, false
	}
	soa, ok := m.Ns[0].(*dns.SOA)
	return soa, ok
}

// send writes the stream: for a client that has the zone, or asks by UDP where it would rarely fit, the SOA record
// alone (RFC 1995 section 2); else what has changed, as far as that is known and less than the whole.
func (s *Service) send(ctx context.Context, x *exchange, now *zone.Snapshot, incremental bool, serial uint32) (sent outcome, err error) {
	w, broken := newStream(ctx, x), axfrBroken
	if incremental {
		sent, broken = w.since(now, serial, x.Datagram), ixfrBroken
	} else {
		sent = axfrSent
		w.whole(now)
	}
	if w.flush(); w.err != nil {
		return broken, w.err
	}
	s.log.Debug("a zone has been transferred", "serial", now.Serial(), "client", x.Client, "as", outcomes[sent].Kind, "result", outcomes[sent].Result)
	return sent, nil
}

// since writes what a client needs that has a version.
func (w *stream) since(now *zone.Snapshot, serial uint32, datagram bool) outcome {
	if datagram || !newer(now.Serial(), serial) {
		w.add(soaOf(now.SOA()))
		return ixfrSentSOA
	}
	if steps, ok := stepsSince(now, serial); ok {
		w.incremental(now, steps)
		return ixfrSent
	}
	w.whole(now)
	return ixfrSentWhole
}

// newer compares serials (RFC 1982 section 3.2).
func newer(a, b uint32) bool { return int32(a-b) > 0 }

// whole writes the zone between two SOA records (RFC 5936 section 2.2).
func (w *stream) whole(now *zone.Snapshot) {
	w.addAll(now.SOA())
	for p := range now.All() {
		if w.addAll(p); w.err != nil {
			return
		}
	}
	w.add(soaOf(now.SOA()))
}

// incremental writes the steps between two SOA records (RFC 1995 section 4).
func (w *stream) incremental(now *zone.Snapshot, steps []step) {
	w.add(soaOf(now.SOA()))
	for _, st := range steps {
		for _, part := range [...][]record{st.removed, st.added} {
			for _, r := range part {
				w.add(r)
			}
		}
		if w.err != nil {
			return
		}
	}
	w.add(soaOf(now.SOA()))
}

// noteServed keeps for the panel what a peer was sent.
func (h *held) noteServed(client netip.AddrPort, serial uint32, at time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	addr := client.Addr().Unmap()
	status, ok := h.served[addr]
	if !ok && len(h.served) >= maxServed {
		return
	}
	status.Addr, status.Requested = netip.AddrPortFrom(addr, 0), at
	if err == nil {
		status.Served = serial
	}
	h.served[addr] = status
}

// maxServed bounds how many addresses are remembered for a zone; a key may be used from anywhere.
const maxServed = 64

// Status is what is known of a zone's peers, and how a secondary zone keeps up; nil for others.
func (s *Service) Status(name string) ([]sites.PeerStatus, *sites.SecondaryStatus) {
	h := s.named(name)
	if h == nil {
		return nil, nil
	}
	peers := h.peerStatus()
	if h.follow == nil {
		return peers, nil
	}
	status := h.follow.statusNow()
	return peers, &status
}
