package zone

import "github.com/miekg/dns"

// The proofs of this file are added to the authority section of an answer for a client that asked for them
// (RFC 4035 section 3.1.3, RFC 5155 section 7.2). A zone proves by NSEC3 if it has an NSEC3PARAM record, else by NSEC.

// proveNoData proves that a name exists and has no records of the type: the name of an entry or, where that is nil,
// the empty non-terminal with the key.
func (z *Snapshot) proveNoData(r *Reply, e *entry, key []byte) {
	switch {
	case !r.dnssec:
	case z.nsec3 != nil:
		if e != nil {
			key = []byte(e.name.key)
		}
		z.matchHash(r, key)
	case e != nil:
		r.prove(e, dns.TypeNSEC)
	default:
		z.cover(r, key)
	}
}

// proveNoName proves that neither a name exists nor the wildcard at its closest encloser, whose key is key[:encloser].
func (z *Snapshot) proveNoName(r *Reply, key []byte, encloser int) {
	switch {
	case !r.dnssec:
	case z.nsec3 != nil:
		encloser = z.proveClosest(r, key, encloser)
		r.wildcard = append(append(r.wildcard[:0], key[:encloser]...), wildcardKey...)
		z.coverHash(r, r.wildcard)
	default:
		z.cover(r, key)
		z.cover(r, r.wildcard)
	}
}

// proveEncloser proves what the closest encloser of a name is. With NSEC the record that covers the name says so: its
// names on both sides share that much with it.
func (z *Snapshot) proveEncloser(r *Reply, key []byte, encloser int) {
	switch {
	case !r.dnssec:
	case z.nsec3 != nil:
		z.proveClosest(r, key, encloser)
	default:
		z.cover(r, key)
	}
}

// proveNoCloser proves that no name is closer to the one with the key than the wildcard that answered.
func (z *Snapshot) proveNoCloser(r *Reply, key []byte, encloser int) {
	switch {
	case !r.dnssec:
	case z.nsec3 != nil:
		z.coverHash(r, nextCloser(key, encloser))
	default:
		z.cover(r, key)
	}
}

// cover adds the NSEC record that stands before a key.
func (z *Snapshot) cover(r *Reply, key []byte) { r.prove(z.root.before(key), dns.TypeNSEC) }

// nextCloser returns the key of the name that is one label longer than the closest encloser (RFC 5155 section 1.3).
func nextCloser(key []byte, encloser int) []byte {
	for end := encloser; end < len(key); end++ {
		if key[end] == 0 {
			return key[:end+1]
		}
	}
	return key
}
