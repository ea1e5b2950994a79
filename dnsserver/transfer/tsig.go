package transfer

import (
	"crypto/hmac"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"berth/dnsserver/zone"

	"github.com/miekg/dns"
)

// errForm is a packet that breaks the rules of RFC 8945 for TSIG records.
var errForm = errors.New("the TSIG record is malformed")

// signature is the TSIG record of a message.
type signature struct {
	variables
	name, algorithm string // wire form, lower case
	mac             []byte
	id              uint16 // of the message as it was signed
	start           int    // where the record begins in the message
}

// readSignature finds the TSIG record of a message; it must be the last one of all (RFC 8945 section 5.1). It returns nil
// where there is none.
func readSignature(message []byte) (*signature, error) {
	start, ok, err := findTSIG(message)
	if err != nil || !ok {
		return nil, err
	}
	rr, end, err := dns.UnpackRR(message, start)
	record, ok := rr.(*dns.TSIG)
	if err != nil || !ok || end != len(message) || record.Hdr.Class != dns.ClassANY || record.Hdr.Ttl != 0 {
		return nil, errForm
	}
	s := &signature{
		variables: variables{time: record.TimeSigned, fudge: record.Fudge, rcode: record.Error},
		id:        record.OrigId, start: start,
	}
	var errs [4]error
	s.name, errs[0] = zone.PackName(record.Hdr.Name)
	s.algorithm, errs[1] = zone.PackName(record.Algorithm)
	s.mac, errs[2] = hex.DecodeString(record.MAC)
	s.other, errs[3] = hex.DecodeString(record.OtherData)
	if errors.Join(errs[:]...) != nil {
		return nil, errForm
	}
	return s, nil
}

// findTSIG returns where the TSIG record begins. One anywhere but at the end is a fault.
func findTSIG(message []byte) (start int, ok bool, err error) {
	if len(message) < headerSize {
		return 0, false, errors.New("the message has no header")
	}
	at := headerSize
	for range binary.BigEndian.Uint16(message[4:]) {
		end, fits := zone.SkipName(message, at)
		if !fits || end+4 > len(message) {
			return 0, false, errors.New("the question is cut off")
		}
		at = end + 4
	}
	for section := 6; section < headerSize; section += 2 {
		for range binary.BigEndian.Uint16(message[section:]) {
			if ok {
				return 0, false, errForm
			}
			start = at
			end, fits := zone.SkipName(message, at)
			if !fits || end+10 > len(message) {
				return 0, false, errors.New("a record is cut off")
			}
			if ok = binary.BigEndian.Uint16(message[end:]) == dns.TypeTSIG; ok && section != 10 {
				return 0, false, errForm
			}
			at = end + 10 + int(binary.BigEndian.Uint16(message[end+8:]))
		}
	}
	if at > len(message) {
		return 0, false, errors.New("the last record is cut off")
	}
	return start, ok, nil
}

// strip returns a copy of the message as it was before it was signed.
func (s *signature) strip(message []byte) []byte {
	plain := append([]byte(nil), message[:s.start]...)
	binary.BigEndian.PutUint16(plain, s.id)
	binary.BigEndian.PutUint16(plain[10:], binary.BigEndian.Uint16(plain[10:])-1)
	return plain
}

// fault is why a signature is not accepted (RFC 8945 section 5.2): a TSIG error, which goes out with the rcode NOTAUTH.
type fault uint16

func (f fault) Error() string {
	switch f {
	case dns.RcodeBadKey:
		return "the TSIG key is not known (BADKEY)"
	case dns.RcodeBadTime:
		return "the clocks differ by too much (BADTIME)"
	case dns.RcodeBadTrunc:
		return "the TSIG MAC is truncated (BADTRUNC)"
	}
	return "the TSIG signature is wrong (BADSIG)"
}

// check compares the MAC with that of the parts. Whole ones alone are good enough for us.
func (s *signature) check(k *key, now time.Time, timersOnly bool, parts ...[]byte) error {
	want := k.mac(&s.variables, timersOnly, parts...)
	if len(s.mac) > len(want) || len(s.mac) < max(10, len(want)/2) {
		return errForm
	}
	if !hmac.Equal(s.mac, want[:len(s.mac)]) {
		return fault(dns.RcodeBadSig)
	}
	apart := int64(seconds(now)) - int64(s.time)
	if max(apart, -apart) > int64(s.fudge) {
		return fault(dns.RcodeBadTime)
	}
	if len(s.mac) < len(want) {
		return fault(dns.RcodeBadTrunc)
	}
	return nil
}

// transaction signs the answer to a signed request, or the messages of one. Without a key it signs nothing.
type transaction struct {
	key        *key
	variables                   // of the request as far as the answer repeats them
	prior      []byte           // MAC of the message before, after its length
	timersOnly bool             // the first message of the answer is out
	clock      func() time.Time // nil: the time of the request stays
	unsigned   bool             // the TSIG record goes out without MAC
	name       string           // of a key that is not known
	algorithm  string
}

// accept checks the signature of a request. A transaction comes back unless the request is malformed or carries no signature: a
// fault is answered with it, too.
func accept(packet []byte, s *signature, keys func(name string) *key, clock func() time.Time) (*transaction, error) {
	now := clock()
	tx := &transaction{name: s.name, algorithm: s.algorithm, variables: variables{time: s.time, fudge: s.fudge}}
	tx.key = keys(s.name)
	if tx.key == nil || tx.key.algorithm != s.algorithm {
		tx.unsigned, tx.rcode = true, dns.RcodeBadKey
		return tx, fault(dns.RcodeBadKey)
	}
	tx.prior = withLength(s.mac)
	err := s.check(tx.key, now, false, s.strip(packet))
	var f fault
	switch {
	case err == nil:
		tx.clock = clock
	case !errors.As(err, &f):
		return nil, err
	default:
		tx.rcode, tx.unsigned = uint16(f), f == dns.RcodeBadSig
		if f == dns.RcodeBadTime { // section 5.2.3: our clock as other data
			tx.other = binary.BigEndian.AppendUint16(nil, uint16(seconds(now)>>32))
			tx.other = binary.BigEndian.AppendUint32(tx.other, uint32(seconds(now)))
		}
	}
	return tx, err
}

// size is how much room signing needs in a message.
func (tx *transaction) size() int {
	switch {
	case tx == nil:
		return 0
	case tx.unsigned:
		return len(tx.name) + len(tx.algorithm) + signedSize
	}
	return tx.key.size()
}

// sign appends the TSIG record to a message and returns it.
func (tx *transaction) sign(message []byte) []byte {
	if tx == nil {
		return message
	}
	id := binary.BigEndian.Uint16(message)
	if tx.clock != nil {
		tx.time, tx.fudge = seconds(tx.clock()), fudge
	}
	name, algorithm := tx.name, tx.algorithm
	var mac []byte
	if !tx.unsigned {
		name, algorithm = tx.key.name, tx.key.algorithm
		mac = tx.key.mac(&tx.variables, tx.timersOnly, tx.prior, message)
		tx.prior, tx.timersOnly = withLength(mac), true
	}
	binary.BigEndian.PutUint16(message[10:], binary.BigEndian.Uint16(message[10:])+1)
	message = append(message, name...)
	message = append(message, 0, byte(dns.TypeTSIG), 0, byte(dns.ClassANY), 0, 0, 0, 0)
	message = binary.BigEndian.AppendUint16(message, uint16(len(algorithm)+16+len(mac)+len(tx.other)))
	message = append(message, algorithm...)
	message = tx.appendTimers(message)
	message = append(message, withLength(mac)...)
	message = binary.BigEndian.AppendUint16(message, id)
	return tx.appendRest(message)
}

// request signs a request of ours and checks what comes back. A nil key neither signs nor checks.
type request struct {
	key      *key
	prior    []byte
	pending  []byte // messages since the last signed one
	unsigned int    // how many those are
	first    bool   // nothing has come back yet
}

// newRequest returns the request, signed where there is a key.
func newRequest(packet []byte, k *key, now time.Time) (*request, []byte) {
	r := &request{key: k, first: true}
	if k == nil {
		return r, packet
	}
	tx := &transaction{key: k, clock: func() time.Time { return now }}
	packet = tx.sign(packet)
	r.prior = tx.prior
	return r, packet
}

// maxUnsigned is how many messages of a stream may come between two signed ones (RFC 8945 section 5.3.1).
const maxUnsigned = 99

// verify checks a message of the answer and returns it without its TSIG record.
func (r *request) verify(message []byte, now time.Time) ([]byte, error) {
	if r.key == nil {
		return message, nil
	}
	s, err := readSignature(message)
	switch {
	case err != nil:
		return nil, err
	case s == nil && (r.first || r.unsigned == maxUnsigned):
		return nil, errors.New("the answer is not signed")
	case s == nil:
		r.unsigned++
		r.pending = append(r.pending, message...)
		return message, nil
	case s.rcode != dns.RcodeSuccess && len(s.mac) == 0:
		return nil, fmt.Errorf("our signature is refused: %w", fault(s.rcode))
	case s.name != r.key.name || s.algorithm != r.key.algorithm:
		return nil, fault(dns.RcodeBadKey)
	}
	plain := s.strip(message)
	if err := s.check(r.key, now, !r.first, r.prior, r.pending, plain); err != nil {
		return nil, err
	}
	if s.rcode != dns.RcodeSuccess {
		return nil, fmt.Errorf("our signature is refused: %w", fault(s.rcode))
	}
	r.prior, r.pending, r.unsigned, r.first = withLength(s.mac), nil, 0, false
	binary.BigEndian.PutUint16(plain, binary.BigEndian.Uint16(message))
	return plain, nil
}

// done reports whether the stream may end here: its last message must be signed.
func (r *request) done() bool { return r.unsigned == 0 }
