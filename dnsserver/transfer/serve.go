package transfer

import (
	"context"
	"encoding/binary"
	"net/netip"
	"slices"

	"berth/dnsserver/zone"
	"berth/sites"

	"github.com/miekg/dns"
)

const (
	ednsSize    = 1232
	messageSize = 65535 // of a message over TCP at most
)

// Request is a packet that concerns other nameservers: it is signed, asks for a transfer, or is a NOTIFY.
type Request struct {
	Packet   []byte // whole; its QR bit is not set
	Client   netip.AddrPort
	Datagram bool // it came over UDP
	// Answer appends the ordinary answer to a packet, and leaves room for reserve more bytes in what the client takes.
	Answer func(out, packet []byte, reserve int) []byte
	// Write sends one message and keeps nothing of it. With Datagram it is called at most once and must not block; else it is
	// called for each message of a stream, and an error ends the stream.
	Write func(message []byte) error
}

// exchange is a request as far as it has been understood.
type exchange struct {
	Request
	plain   []byte       // the packet without its signature
	message *dns.Msg     // the same, read
	tx      *transaction // nil: the request was not signed
	counts  *counts
}

// Serve answers a request. With Datagram it does not block; else it returns when the stream is written, ctx is done or
// Write fails, whose error it returns.
func (s *Service) Serve(ctx context.Context, req Request) error {
	x := &exchange{Request: req, plain: req.Packet, message: new(dns.Msg), counts: &s.counts}
	signed, err := readSignature(req.Packet)
	if err != nil {
		return x.refuse(dns.RcodeFormatError)
	}
	if signed != nil {
		x.plain = signed.strip(req.Packet)
		x.tx, err = accept(req.Packet, signed, s.key, s.cfg.Now)
		copy(x.plain, req.Packet[:2]) // a forwarder may have changed the ID
		switch {
		case x.tx == nil:
			return x.refuse(dns.RcodeFormatError)
		case err != nil:
			s.noteRefusal("a signed DNS request is refused", "client", req.Client, "key", presentName(signed.name), "error", err)
			return x.refuse(dns.RcodeNotAuth)
		}
	}
	if err := x.message.Unpack(x.plain); err != nil {
		return x.ordinary()
	}
	switch {
	case x.message.Opcode == dns.OpcodeNotify:
		return x.refuse(s.notified(x))
	case x.asksTransfer():
		return s.transfer(ctx, x)
	}
	return x.ordinary()
}

// asksTransfer holds for what is no ordinary question: those with an unknown EDNS version or another class are.
func (x *exchange) asksTransfer() bool {
	if x.message.Opcode != dns.OpcodeQuery || len(x.message.Question) != 1 {
		return false
	}
	if opt := x.message.IsEdns0(); opt != nil && opt.Version() != 0 {
		return false
	}
	q := x.message.Question[0]
	return q.Qclass == dns.ClassINET && (q.Qtype == dns.TypeAXFR || q.Qtype == dns.TypeIXFR)
}

// ordinary lets the server answer, and signs what it says.
func (x *exchange) ordinary() error {
	out := x.Answer(nil, x.plain, x.tx.size())
	if len(out) == 0 {
		return nil
	}
	return x.Write(x.tx.sign(out))
}

// refuse answers with an rcode alone; NOTIFY is confirmed in the same way.
func (x *exchange) refuse(rcode int) error {
	if len(x.Packet) < headerSize {
		return nil
	}
	out, err := x.reply(rcode).Pack()
	if err != nil {
		return nil
	}
	x.noteRefusal(rcode)
	return x.Write(x.tx.sign(out))
}

func (x *exchange) noteRefusal(rcode int) {
	switch {
	case x.message.Opcode == dns.OpcodeNotify && rcode == dns.RcodeSuccess:
		x.counts.note(notifyTaken)
	case x.message.Opcode == dns.OpcodeNotify:
		x.counts.note(notifyRefused)
	case x.asksTransfer() && x.message.Question[0].Qtype == dns.TypeIXFR:
		x.counts.note(ixfrRefused)
	case x.asksTransfer():
		x.counts.note(axfrRefused)
	}
}

func (x *exchange) reply(rcode int) *dns.Msg {
	if len(x.message.Question) == 0 && x.message.Unpack(x.plain) != nil { // not read as yet, and cannot be
		x.message = new(dns.Msg)
	}
	reply := new(dns.Msg)
	reply.Id = binary.BigEndian.Uint16(x.Packet)
	reply.Response, reply.Rcode = true, rcode
	reply.Opcode = int(x.Packet[2]>>3) & 0xF
	if reply.Opcode == dns.OpcodeQuery { // no other knows these
		reply.RecursionDesired, reply.CheckingDisabled = x.Packet[2]&0x01 != 0, x.Packet[3]&0x10 != 0
	}
	reply.Authoritative = reply.Opcode == dns.OpcodeNotify && rcode == dns.RcodeSuccess
	if len(x.message.Question) == 1 && questionWhole(x.plain) {
		reply.Question = x.message.Question
	}
	if x.message.IsEdns0() != nil {
		reply.SetEdns0(ednsSize, false)
	}
	return reply
}

// questionWhole reports whether the question of a packet does not end before its end, which the library takes for an
// empty type or class.
func questionWhole(packet []byte) bool {
	end, ok := zone.SkipName(packet, headerSize)
	return ok && end+4 <= len(packet)
}

// allowed returns the peer as which a client may transfer the zone, nil for none.
func (x *exchange) allowed(peers []sites.Peer) *sites.Peer {
	client := x.Client.Addr().Unmap()
	for i, p := range peers {
		if len(p.From) == 0 && p.Key == "" {
			continue
		}
		from := len(p.From) == 0 || slices.ContainsFunc(p.From, func(prefix netip.Prefix) bool { return prefix.Contains(client) })
		if from && (p.Key == "" || x.signedWith(p.Key)) {
			return &peers[i]
		}
	}
	return nil
}

func (x *exchange) signedWith(key string) bool {
	name, err := zone.PackName(key)
	return err == nil && x.tx != nil && x.tx.key.name == name
}
