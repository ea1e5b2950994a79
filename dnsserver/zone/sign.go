package zone

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/big"
	"slices"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// Signatures live for sites.SignatureLife and are made anew when signatureRest is left. When that is follows from the name: the
// renewals of a zone are spread over all hours, however it came to be signed. And as ECDSA is used without chance (RFC 6979),
// the same content has the same signatures, whoever makes them and when within the period.
const (
	// A secondary nameserver that is cut off answers until the zone expires there, resolvers hold what it says for as long as its
	// TTL, and signatures are valid until then (RFC 6781 section 4.4.2), even if they were to be renewed and were not for a day.
	signatureRest   = (soaExpire+sites.MaxTTL)*time.Second + 24*time.Hour
	signaturePeriod = sites.SignatureLife - signatureRest
	signatureSkew   = time.Hour // for clocks of validators that are late
	renewalSlot     = time.Hour // names due within the same one are renewed together
)

const (
	rrsigFixed    = 18 // bytes of a signature's data before the signer's name (RFC 4034 section 3.1)
	signatureSize = 64 // r and s (RFC 6605 section 4)
)

// period is the time within which the signatures of a name stay as they are. Times are Unix times; as in RRSIG records, they
// are told modulo 2^32.
type period struct{ inception, expiration uint32 }

func periodOf(n name, now time.Time) period {
	const length, slot = int64(signaturePeriod / time.Second), int64(renewalSlot / time.Second)
	hash := fnv.New32a()
	hash.Write([]byte(n.wire))
	phase := int64(hash.Sum32()) % (length / slot) * slot
	begun := now.Unix() - (now.Unix()-phase)%length
	return period{
		inception:  uint32(begun - int64(signatureSkew/time.Second)),
		expiration: uint32(begun + int64(sites.SignatureLife/time.Second)),
	}
}

// signer signs sets with the keys of a zone.
type signer struct {
	apex name
	ring *keyring
	now  time.Time
}

// keys returns those that sign a type.
func (s *signer) keys(rrtype uint16) []*key {
	switch rrtype {
	case dns.TypeDNSKEY, dns.TypeCDS, dns.TypeCDNSKEY:
		return s.ring.ksk
	}
	return s.ring.zsk
}

// append appends the signatures of a set to a list of them, each after its length. Those that are held and say what is to
// be said are taken over.
func (s *signer) append(to []byte, n name, set *Set, held []byte) ([]byte, error) {
	p := periodOf(n, s.now)
	for _, k := range s.keys(set.Type) {
		start := len(to)
		size := rrsigFixed + len(s.apex.wire) + signatureSize
		to = binary.BigEndian.AppendUint16(to, uint16(size))
		to = s.appendHead(to, n, set, k, p)
		if old := withHead(held, to[start:]); old != nil {
			to = append(to[:start], old...)
			continue
		}
		digest := sha256.New()
		digest.Write(to[start+2:])
		writeCanonical(digest, n, set)
		var err error
		if to, err = k.sign(to, digest.Sum(nil)); err != nil {
			return nil, fmt.Errorf("sign %s of %q: %w", dns.TypeToString[set.Type], n.wire, err)
		}
	}
	return to, nil
}

// appendHead appends the data of a signature up to the signature itself.
func (s *signer) appendHead(to []byte, n name, set *Set, k *key, p period) []byte {
	to = binary.BigEndian.AppendUint16(to, set.Type)
	to = append(to, dns.ECDSAP256SHA256, n.labels())
	to = binary.BigEndian.AppendUint32(to, set.TTL)
	to = binary.BigEndian.AppendUint32(to, p.expiration)
	to = binary.BigEndian.AppendUint32(to, p.inception)
	to = binary.BigEndian.AppendUint16(to, k.tag)
	return append(to, s.apex.wire...)
}

// expiration is that of the first of some signatures.
func expiration(signatures []byte) uint32 { return binary.BigEndian.Uint32(signatures[2+8:]) }

// withHead finds the signature that begins with a head, length included.
func withHead(held, head []byte) []byte {
	for len(held) > 0 {
		size := 2 + int(binary.BigEndian.Uint16(held))
		if bytes.HasPrefix(held[:size], head) {
			return held[:size]
		}
		held = held[size:]
	}
	return nil
}

// labels counts the labels of a name for its signatures: without the root and a leading asterisk (RFC 4034 section 3.1.3).
func (n name) labels() (count uint8) {
	for at := 0; n.wire[at] != 0; at += int(n.wire[at]) + 1 {
		count++
	}
	if n.wildcard() {
		count--
	}
	return count
}

func (n name) wildcard() bool { return len(n.wire) > 2 && n.wire[:2] == "\x01*" }

// writeCanonical writes the records of a set as they are signed (RFC 4034 section 6.2 and 6.3). Names in the data are in lower
// case already.
func writeCanonical(to interface{ Write([]byte) (int, error) }, n name, set *Set) {
	data := make([][]byte, len(set.Records))
	for i := range set.Records {
		data[i] = set.Records[i].AppendData(nil)
	}
	slices.SortFunc(data, bytes.Compare)
	head := binary.BigEndian.AppendUint16([]byte(n.wire), set.Type)
	head = binary.BigEndian.AppendUint16(head, dns.ClassINET)
	head = binary.BigEndian.AppendUint32(head, set.TTL)
	for _, d := range data {
		to.Write(binary.BigEndian.AppendUint16(head, uint16(len(d))))
		to.Write(d)
	}
}

// sign appends the signature of a digest, as two integers of fixed size (RFC 6605 section 4).
func (k *key) sign(to, digest []byte) ([]byte, error) {
	der, err := k.private.Sign(nil, digest, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &pair); err != nil {
		return nil, err
	}
	at := len(to)
	to = append(to, make([]byte, signatureSize)...)
	pair.R.FillBytes(to[at : at+signatureSize/2])
	pair.S.FillBytes(to[at+signatureSize/2:])
	return to, nil
}
