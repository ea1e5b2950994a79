package zone

import (
	"encoding/binary"
	"iter"
)

// Reply is what a query is answered with, before it is fit to a size.
type Reply struct {
	Rcode         int
	Authoritative bool
	Referral      bool
	Glue          int // how many sets of the additional section, from the first, the answer is of no use without (RFC 9471)
	Answer        []Placed
	Authority     []Placed
	Additional    []Placed
	dnssec        bool // signatures and proofs are asked for, and the zone has them
	links         [4]link
	linked        int    // how many of the links are in use
	key           []byte // room for the key of an alias's target
	wildcard      []byte // room for the key of a wildcard
	name          []byte // room for a name that a wildcard stands for
}

// Placed is a set of records under the name that it has in the answer.
type Placed struct {
	Owner string // wire form
	Set   *Set
	// Signatures is the data of the RRSIG records that cover the set, each after its length in two bytes; empty where the
	// set is not signed or the client did not ask for them. Their TTL is the set's.
	Signatures []byte
}

// split yields the signatures one by one.
func split(signatures []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(signatures) > 0 {
			end := 2 + int(binary.BigEndian.Uint16(signatures))
			if !yield(signatures[2:end:end]) {
				return
			}
			signatures = signatures[end:]
		}
	}
}

// Reset empties the reply and keeps its room.
func (r *Reply) Reset(rcode int) {
	r.Rcode, r.Authoritative, r.Referral, r.Glue = rcode, false, false, 0
	r.Answer, r.Authority, r.Additional, r.linked = r.Answer[:0], r.Authority[:0], r.Additional[:0], 0
}

// answers reports whether the name has been answered already: the chain is a loop.
func (r *Reply) answers(owner string) bool { return has(r.Answer, owner) }

func has(section []Placed, owner string) bool {
	for i := range section {
		if section[i].Owner == owner {
			return true
		}
	}
	return false
}

// prove adds an entry's set of a type, NSEC or NSEC3, to the authority section, once. The entry may be nil.
func (r *Reply) prove(e *entry, rrtype uint16) {
	if e == nil {
		return
	}
	i := e.index(rrtype)
	if i < 0 {
		return
	}
	for _, p := range r.Authority {
		if p.Owner == e.name.wire && p.Set.Type == rrtype {
			return
		}
	}
	if i < len(e.sets) || r.linked == len(r.links) {
		r.Authority = append(r.Authority, e.placed(i, true))
		return
	}
	set := r.links[r.linked].set(e)
	r.linked++
	r.Authority = append(r.Authority, Placed{e.name.wire, set, signaturesOf(e.signatures[e.link:], rrtype)})
}
