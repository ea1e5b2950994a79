package dnsserver

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"path/filepath"
	"time"

	"berth/dnsserver/transfer"
	"berth/dnsserver/zone"
	"berth/sites"

	"github.com/miekg/dns"
)

// peerRequest is a packet that concerns other nameservers: it is signed, asks for a transfer, or is a NOTIFY.
type peerRequest struct {
	packet []byte // whole, its header's QR bit not set
	client netip.AddrPort
	via    transport
	// answer appends the ordinary answer to a packet, and leaves room for reserve more bytes in what the client takes.
	answer func(out, packet []byte, reserve int) []byte
	// write sends one message and may keep nothing of it. Over UDP it is called at most once and must not block; over TCP and TLS
	// it is called once for each message of a stream, and an error ends the stream.
	write func(message []byte) error
}

// servePeer answers a request that forPeers has picked. Over UDP it does not block; over the other transports it returns
// when the whole stream is written, or ctx is done. A panic is a fault of ours, and ends the stream.
func (s *Server) servePeer(ctx context.Context, req peerRequest) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			s.notePanic(fault)
			err = errors.New("answering a peer failed")
		}
	}()
	return s.transfers.Serve(ctx, transfer.Request{
		Packet: req.packet, Client: req.client, Datagram: req.via == overUDP, Answer: req.answer, Write: req.write,
	})
}

// respondPeer appends the answer to a packet that forPeers has picked. What it says over UDP is limited: a NOTIFY is
// easily forged.
func (c *responder) respondPeer(out, packet []byte, via transport, client netip.AddrPort) []byte {
	begin, ordinary, addr := len(out), false, client.Addr().Unmap()
	plain := c.answerPlain(via, addr)
	err := c.server.servePeer(context.Background(), peerRequest{
		packet: packet, client: client, via: via,
		answer: func(out, packet []byte, reserve int) []byte {
			ordinary = true
			return plain(out, packet, reserve)
		},
		write: func(message []byte) error {
			out = append(out, message...)
			return nil
		},
	})
	if err != nil {
		return appendFailure(out, packet)
	}
	if via == overUDP && len(out) > begin && !ordinary && c.server.limiter.limits(addr) {
		c.peerKey(packet, addr, out[begin+3]&0xF != dns.RcodeSuccess)
		if !c.server.limiter.takeAnswer(&c.key, time.Now()) {
			return out[:begin]
		}
	}
	return out
}

// peerKey makes the key of the bucket that the answer to a peer is taken from: of errors, or of the zone.
func (c *responder) peerKey(packet []byte, client netip.Addr, refused bool) {
	if refused || !c.query.readQuestion(packet) {
		c.key.begin(kindError, 0, client)
		return
	}
	c.key.begin(kindPeer, 0, client)
	c.key.size += copy(c.key.room[c.key.size:], c.query.name)
}

// answerPlain answers what is no longer, or was never, for peers alone.
func (c *responder) answerPlain(via transport, client netip.Addr) func(out, packet []byte, reserve int) []byte {
	return func(out, packet []byte, reserve int) []byte {
		if !c.query.readHeader(packet) {
			return out
		}
		return c.ordinary(out, packet, via, client, reserve)
	}
}

// answerPeer writes the answer to a packet that forPeers has picked to a connection.
func (s *Server) answerPeer(ctx context.Context, st *stream, packet []byte) error {
	responder := s.responders.Get().(*responder)
	defer s.responders.Put(responder)
	return s.servePeer(ctx, peerRequest{
		packet: packet, client: st.addr, via: st.via, answer: responder.answerPlain(st.via, st.addr.Addr()),
		write: func(message []byte) error {
			framed := append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(message)), uint16(len(message))), message...)
			return s.writeStream(st, framed)
		},
	})
}

func newTransfers(cfg Config) *transfer.Service {
	in := transfer.Config{Now: cfg.Now, Dial: dialFrom(cfg.Sources), Logger: cfg.Logger}
	if cfg.DataDir != "" {
		in.Dir, in.Journals = filepath.Join(cfg.DataDir, "secondary"), filepath.Join(cfg.DataDir, "journal")
	}
	return transfer.New(in)
}

// tellTransfers says what a change has brought, once it is visible.
func (s *Server) tellTransfers(ch sites.Change, before *table, change *tableChange) {
	if before != change.next {
		for h := range before.all() {
			if change.next.at(h.published.Name) == nil {
				s.transfers.Drop(h.published.Name)
			}
		}
	}
	for _, published := range ch.Zones {
		if h := change.next.at(published.Name); h != nil {
			s.transfers.Put(h.published, h.Zone)
		}
	}
	for z := range change.parts {
		s.transfers.Changed(z.Name())
	}
}

// peerStatus is how far the nameservers that transfer a zone have come, and how a secondary zone keeps up with its
// primaries; nil for another zone.
func (s *Server) peerStatus(zone string) ([]sites.PeerStatus, *sites.SecondaryStatus) {
	return s.transfers.Status(zone)
}

// forPeers reports whether a packet is to be given to servePeer. It reads no more than it must, and takes a packet that
// it cannot read, or that is no request, for an ordinary one.
func forPeers(packet []byte) bool {
	if len(packet) < headerSize || packet[2]&0x80 != 0 {
		return false
	}
	if opcode := int(packet[2]>>3) & 0xF; opcode == dns.OpcodeNotify {
		return true
	}
	if binary.BigEndian.Uint16(packet[4:]) != 1 {
		return false
	}
	end, ok := zone.SkipName(packet, headerSize)
	if !ok || end+4 > len(packet) {
		return false
	}
	if rrtype := binary.BigEndian.Uint16(packet[end:]); rrtype == dns.TypeAXFR || rrtype == dns.TypeIXFR {
		return true
	}
	return binary.BigEndian.Uint16(packet[10:]) > 0 && endsSigned(packet, end+4)
}

// endsSigned reports whether the last record of a packet, whose records begin at the given place, is a TSIG
// record (RFC 8945 section 5.1).
func endsSigned(packet []byte, at int) bool {
	count := 0
	for section := 6; section < headerSize; section += 2 {
		count += int(binary.BigEndian.Uint16(packet[section:]))
	}
	var rrtype uint16
	for range count {
		end, ok := zone.SkipName(packet, at)
		if !ok || end+10 > len(packet) {
			return false
		}
		rrtype = binary.BigEndian.Uint16(packet[end:])
		at = end + 10 + int(binary.BigEndian.Uint16(packet[end+8:]))
	}
	return rrtype == dns.TypeTSIG && at <= len(packet)
}
