package zone

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"fmt"

	"github.com/miekg/dns"
)

// hashLength is the length of the label that is a SHA-1 hash in base32hex (RFC 5155 section 3).
const hashLength = 32

// maxIterations bounds the work of a proof; nobody has reason to ask for any (RFC 9276 section 3.1), and resolvers
// take what has more for unsigned.
const maxIterations = 150

// maxOtherChains bounds the search for a record between those of another chain, while a zone changes its salt.
const maxOtherChains = 64

// hashOwner reports whether a name can be the owner of an NSEC3 record: one label of that length below the apex.
func hashOwner(n name) bool { return len(n.key) == hashLength+1 && n.wire[0] == hashLength }

// hash is how the names of a zone are hashed (RFC 5155 section 5).
type hash struct {
	iterations uint16
	params     []byte // of the NSEC3 records: iterations, length of the salt, salt
}

func (h *hash) salt() []byte { return h.params[3:] }

// hashOf returns how the zone with an apex hashes names: by its first NSEC3PARAM record that is in force (section 4.1.2).
func hashOf(apex *entry) (*hash, error) {
	set := apex.set(dns.TypeNSEC3PARAM)
	if set == nil {
		return nil, nil
	}
	for i := range set.Records {
		data := set.Records[i].AppendData(nil)
		if data[0] != dns.SHA1 || data[1] != 0 {
			continue
		}
		h := &hash{iterations: binary.BigEndian.Uint16(data[2:]), params: data[2:]}
		if h.iterations > maxIterations {
			return nil, fmt.Errorf("its NSEC3 records take %d iterations, and more than %d are not served (RFC 9276)",
				h.iterations, maxIterations)
		}
		return h, nil
	}
	return nil, nil
}

// hashRoom is the room for the hash of a name as the key of its NSEC3 record.
type hashRoom [hashLength + 1]byte

// of returns the hash of a name in wire form as the key of its NSEC3 record. Digits and lower-case letters of base32hex
// have the order of the hashes (RFC 4648 section 7).
func (h *hash) of(wire []byte) (key hashRoom) {
	var room [MaxName + sha1.Size + 255]byte
	sum := sha1.Sum(append(append(room[:0], wire...), h.salt()...))
	for range h.iterations {
		sum = sha1.Sum(append(append(room[:0], sum[:]...), h.salt()...))
	}
	const digits = "0123456789abcdefghijklmnopqrstuv"
	for i := range hashLength {
		bit := i * 5
		two := uint16(sum[bit/8]) << 8
		if bit/8+1 < len(sum) {
			two |= uint16(sum[bit/8+1])
		}
		key[i] = digits[two>>(11-bit%8)&31]
	}
	return key
}

// hashed returns the key of the NSEC3 record of the name with a key.
func (z *Snapshot) hashed(key []byte) hashRoom {
	var room [MaxName]byte
	return z.nsec3.of(z.appendName(room[:0], key))
}

// matchHash adds the NSEC3 record of a name that exists; in place of one that opt-out spares it, the proof that
// there may be an unsigned delegation (RFC 5155 sections 7.2.3 and 7.2.4).
func (z *Snapshot) matchHash(r *Reply, key []byte) {
	hashed := z.hashed(key)
	if e := z.hashes.find(hashed[:]).entry; z.nsec3.made(e) {
		r.prove(e, dns.TypeNSEC3)
	} else if len(key) > 0 {
		z.proveClosest(r, key, enclosing(key, len(key)-1))
	}
}

// proveClosest proves by two records which is the closest encloser of a name that has an NSEC3 record (RFC 5155
// section 7.2.1), from key[:encloser] upwards, and returns the length of its key.
func (z *Snapshot) proveClosest(r *Reply, key []byte, encloser int) int {
	for {
		hashed := z.hashed(key[:encloser])
		e := z.hashes.find(hashed[:]).entry
		if z.nsec3.made(e) || encloser == 0 {
			r.prove(e, dns.TypeNSEC3)
			z.coverHash(r, nextCloser(key, encloser))
			return encloser
		}
		encloser = enclosing(key, encloser-1)
	}
}

// coverHash adds the NSEC3 record between whose hashes that of a name lies. The last record goes on to the first.
func (z *Snapshot) coverHash(r *Reply, key []byte) {
	hashed := z.hashed(key)
	e := z.hashes.find(hashed[:]).entry
	if e == nil {
		e = z.hashes.before(hashed[:])
	}
	for range maxOtherChains {
		if e == nil {
			e = z.hashes.last()
		}
		if e == nil || z.nsec3.made(e) {
			break
		}
		e = z.hashes.before([]byte(e.name.key))
	}
	r.prove(e, dns.TypeNSEC3)
}

// made reports whether an entry is of the chain that is hashed in this way, and no other.
func (h *hash) made(e *entry) bool {
	if e == nil {
		return false
	}
	set := e.set(dns.TypeNSEC3)
	return set != nil && bytes.HasPrefix(set.Records[0].Head[2:], h.params)
}
