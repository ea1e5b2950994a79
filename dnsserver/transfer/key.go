package transfer

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash"
	"strings"
	"time"

	"berth/dnsserver/zone"
	"berth/sites"

	"github.com/miekg/dns"
)

const (
	fudge      = 300 // seconds that clocks may differ by (RFC 8945 section 10)
	headerSize = 12
	signedSize = 10 + 16 + 6 // of a TSIG record without its names and its MAC, and with a clock as other data
)

// key is a secret shared with other nameservers.
type key struct {
	name      string // wire form, lower case
	algorithm string // likewise
	secret    []byte
	hash      func() hash.Hash
}

func newKey(in sites.TSIGKey) (*key, error) {
	name, err := zone.PackName(in.Name)
	if err != nil {
		return nil, fmt.Errorf("TSIG key %q: %w", in.Name, err)
	}
	k := &key{name: name, secret: in.Secret}
	switch in.Algorithm {
	case sites.TSIGSHA256:
		k.hash = sha256.New
	case sites.TSIGSHA512:
		k.hash = sha512.New
	default:
		return nil, fmt.Errorf("TSIG key %q: the algorithm %q is unknown", in.Name, in.Algorithm)
	}
	k.algorithm, err = zone.PackName(in.Algorithm)
	return k, err
}

// size is what signing adds to a message at most, in bytes.
func (k *key) size() int { return len(k.name) + len(k.algorithm) + k.hash().Size() + signedSize }

// presentName returns a name in wire form as text, without trailing dot.
func presentName(wire string) string {
	text, _, err := dns.UnpackDomainName([]byte(wire), 0)
	if err != nil {
		return "?"
	}
	return strings.TrimSuffix(text, ".")
}

// variables are what a MAC covers beside the message (RFC 8945 section 4.3.3).
type variables struct {
	time  uint64 // seconds since 1970
	fudge uint16
	rcode uint16
	other []byte
}

func (v *variables) appendTimers(to []byte) []byte {
	to = binary.BigEndian.AppendUint16(to, uint16(v.time>>32))
	to = binary.BigEndian.AppendUint32(to, uint32(v.time))
	return binary.BigEndian.AppendUint16(to, v.fudge)
}

func (v *variables) appendRest(to []byte) []byte {
	to = binary.BigEndian.AppendUint16(to, v.rcode)
	to = binary.BigEndian.AppendUint16(to, uint16(len(v.other)))
	return append(to, v.other...)
}

// mac computes a MAC over the parts that are given, the MAC of what went before among them, and the variables: of
// all messages of a stream but the first the timers alone (RFC 8945 section 5.3.1).
func (k *key) mac(v *variables, timersOnly bool, parts ...[]byte) []byte {
	h := hmac.New(k.hash, k.secret)
	for _, part := range parts {
		h.Write(part)
	}
	if timersOnly {
		h.Write(v.appendTimers(nil))
		return h.Sum(nil)
	}
	room := append([]byte(k.name), 0, byte(dns.ClassANY), 0, 0, 0, 0)
	room = append(room, k.algorithm...)
	h.Write(v.appendRest(v.appendTimers(room)))
	return h.Sum(nil)
}

// withLength puts the length of a MAC before it, as the next one covers it.
func withLength(mac []byte) []byte {
	return append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(mac)), uint16(len(mac))), mac...)
}

func seconds(at time.Time) uint64 { return uint64(max(at.Unix(), 0)) }
