package transfer

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// A signed question gets the ordinary answer, signed such that the library accepts it, with either algorithm.
func TestSignedQuestionsGetSignedAnswers(t *testing.T) {
	s, _ := newPrimary(t, 0)
	for _, k := range testKeys {
		q := new(dns.Msg).SetQuestion("example.test.", dns.TypeSOA)
		q.SetEdns0(1232, true)
		packet, mac := signedBy(t, q, k, time.Now())
		answer := serve(t, s, stranger, true, packet)
		if len(answer) != 1 {
			t.Fatalf("%d messages", len(answer))
		}
		if err := dns.TsigVerify(answer[0], secretOf(k), mac, false); err != nil {
			t.Errorf("%s: %v", k.Name, err)
		}
	}
}

// Each message of a stream is signed, and all but the first cover the timers alone.
func TestStreamsAreSigned(t *testing.T) {
	s, _ := newPrimary(t, 3000)
	for _, k := range testKeys[1:] {
		packet, mac := signedBy(t, axfr(), k, time.Now())
		messages := serve(t, s, stranger, false, packet)
		if len(messages) < 3 {
			t.Fatalf("%d messages", len(messages))
		}
		for i, message := range messages {
			tsig := unpack(t, message).IsTsig()
			if err := dns.TsigVerify(slices.Clone(message), secretOf(k), mac, i > 0); err != nil || tsig == nil {
				t.Fatalf("message %d: %v", i, err)
			}
			mac = tsig.MAC
		}
	}
}

// altered changes the TSIG record of a packet.
func altered(t *testing.T, packet []byte, alter func(*dns.TSIG)) []byte {
	m := unpack(t, packet)
	alter(m.IsTsig())
	return pack(t, m)
}

// Signatures that are not good are refused with what RFC 8945 section 5.2 says, and nothing of the zone gets out.
func TestBadSignaturesAreRefused(t *testing.T) {
	s, _ := newPrimary(t, 10)
	good := testKeys[1]
	now := time.Now()
	sign := func(alter func(*sites.TSIGKey), at time.Time) []byte {
		k := good
		alter(&k)
		packet, _ := signedBy(t, axfr(), k, at)
		return packet
	}
	fine := sign(func(*sites.TSIGKey) {}, now)
	truncate := func(bytes int) []byte {
		return altered(t, fine, func(r *dns.TSIG) { r.MAC, r.MACSize = r.MAC[:2*bytes], uint16(bytes) })
	}
	for name, c := range map[string]struct {
		packet []byte
		rcode  int
		tsig   int // error, -1 for no TSIG record at all
		signed bool
	}{
		"unknown key":             {sign(func(k *sites.TSIGKey) { k.Name = "other.test" }, now), dns.RcodeNotAuth, dns.RcodeBadKey, false},
		"another algorithm":       {sign(func(k *sites.TSIGKey) { k.Algorithm = sites.TSIGSHA256 }, now), dns.RcodeNotAuth, dns.RcodeBadKey, false},
		"another secret":          {sign(func(k *sites.TSIGKey) { k.Secret = []byte("guessed") }, now), dns.RcodeNotAuth, dns.RcodeBadSig, false},
		"too old":                 {sign(func(*sites.TSIGKey) {}, now.Add(-time.Hour)), dns.RcodeNotAuth, dns.RcodeBadTime, true},
		"from the future":         {sign(func(*sites.TSIGKey) {}, now.Add(time.Hour)), dns.RcodeNotAuth, dns.RcodeBadTime, true},
		"truncated to half":       {truncate(32), dns.RcodeNotAuth, dns.RcodeBadTrunc, true},
		"truncated beyond half":   {truncate(31), dns.RcodeFormatError, -1, false},
		"MAC too long":            {altered(t, fine, func(r *dns.TSIG) { r.MAC, r.MACSize = r.MAC+"00", 65 }), dns.RcodeFormatError, -1, false},
		"no MAC":                  {altered(t, fine, func(r *dns.TSIG) { r.MAC, r.MACSize = "", 0 }), dns.RcodeFormatError, -1, false},
		"message altered":         {append([]byte{fine[0], fine[1], fine[2] | 1}, fine[3:]...), dns.RcodeNotAuth, dns.RcodeBadSig, false},
		"a record after the TSIG": {withRecordAfter(fine), dns.RcodeFormatError, -1, false},
		"TSIG of another class":   {altered(t, fine, func(r *dns.TSIG) { r.Hdr.Class = dns.ClassINET }), dns.RcodeFormatError, -1, false},
	} {
		t.Run(name, func(t *testing.T) {
			messages := serve(t, s, stranger, false, c.packet)
			if len(messages) != 1 {
				t.Fatalf("%d messages", len(messages))
			}
			m := unpack(t, messages[0])
			tsig := m.IsTsig()
			got := -1
			if tsig != nil {
				got = int(tsig.Error)
			}
			if m.Rcode != c.rcode || got != c.tsig || len(m.Answer) > 0 {
				t.Errorf("%s, TSIG error %d, %d records", dns.RcodeToString[m.Rcode], got, len(m.Answer))
			}
			if tsig == nil {
				return
			}
			if signed := tsig.MACSize > 0; signed != c.signed {
				t.Errorf("signed: %t", signed)
			}
			if c.tsig == dns.RcodeBadTime {
				checkBadTime(t, c.packet, messages[0], tsig, good)
			}
		})
	}
}

// checkBadTime finds our clock in the answer, and the client's as the time of signing (RFC 8945 section 5.2.3).
func checkBadTime(t *testing.T, request, answer []byte, tsig *dns.TSIG, k sites.TSIGKey) {
	other, err := hex.DecodeString(tsig.OtherData)
	asked := unpack(t, request).IsTsig()
	if err != nil || len(other) != 6 || tsig.TimeSigned != asked.TimeSigned {
		t.Fatalf("other data %q, signed at %d", tsig.OtherData, tsig.TimeSigned)
	}
	if ours := int64(binary.BigEndian.Uint32(other[2:])); time.Now().Unix()-ours > 10 {
		t.Errorf("the clock says %d", ours)
	}
	own, err := newKey(k)
	if err != nil {
		t.Fatal(err)
	}
	mac, err := hex.DecodeString(asked.MAC)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := readSignature(answer)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(int64(asked.TimeSigned), 0)
	if err := signature.check(own, at, false, withLength(mac), signature.strip(answer)); err != nil { // the library verifies no NOTAUTH
		t.Errorf("the answer's signature: %v", err)
	}
}

func withRecordAfter(packet []byte) []byte {
	out := append(slices.Clone(packet), 0, 0, 16, 0, 1, 0, 0, 0, 0, 0, 1, 0)
	out[11]++
	return out
}

// Packets that are cut off anywhere, or garbage, end in FORMERR or an ordinary answer; never in a transfer or a panic.
func TestMalformedPacketsAreNoTransfers(t *testing.T) {
	s, _ := newPrimary(t, 10)
	packet, _ := signedBy(t, axfr(), testKeys[1], time.Now())
	for n := range packet {
		for i, message := range serve(t, s, stranger, false, packet[:n]) {
			if i > 0 || len(message) > headerSize && binary.BigEndian.Uint16(message[6:]) > 0 {
				t.Fatalf("%d bytes: an answer of %d records", n, binary.BigEndian.Uint16(message[6:]))
			}
		}
	}
}

// Answers to our own requests are accepted only with the right signature, over a stream with unsigned messages in it, too.
func TestAnswersAreVerified(t *testing.T) {
	k, err := newKey(testKeys[0])
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	question := pack(t, axfr())
	r, request := newRequest(slices.Clone(question), k, now)
	signature, err := readSignature(request)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := accept(request, signature, func(string) *key { return k }, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	var stream [][]byte
	var unsigned []byte
	for i := range 5 {
		message := append(slices.Clone(question), byte(i)) // what it says is all the same to the MAC
		message = message[:len(question)]
		message[2] |= 0x80
		message[3] = byte(i)
		if i == 2 || i == 3 {
			stream, unsigned = append(stream, message), append(unsigned, message...)
			continue
		}
		tx.prior = append(tx.prior, unsigned...)
		unsigned = nil
		stream = append(stream, tx.sign(message))
	}
	for i, message := range stream {
		if _, err := r.verify(message, now); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if r.done() != (i != 2 && i != 3) {
			t.Errorf("message %d: done %t", i, r.done())
		}
	}
	for name, alter := range map[string]func([]byte) []byte{
		"unsigned":    func([]byte) []byte { return question },
		"altered":     func(m []byte) []byte { m[3] ^= 0x0F; return m },
		"out of time": nil,
	} {
		r, _ := newRequest(slices.Clone(question), k, now)
		r.prior = withLength(signature.mac)
		at, message := now, slices.Clone(stream[0])
		if alter == nil {
			at = now.Add(time.Hour)
		} else {
			message = alter(message)
		}
		if _, err := r.verify(message, at); err == nil {
			t.Error(name, "is accepted")
		}
	}
	if got := fmt.Sprint(fault(dns.RcodeBadTime)); got != "the clocks differ by too much (BADTIME)" {
		t.Error(got)
	}
}
