package zone

import (
	"slices"

	"github.com/miekg/dns"
)

// seal completes an entry of the tree with its NSEC record, which holds for as long as a negative answer may be held (RFC 9077),
// and its signatures. held is what the name had before, nil for
// nothing. Names below a delegation have neither (RFC 4035 section 2.2).
func (s *signer) seal(root *node, e, held *entry) error {
	e.link, e.signatures = 0, nil
	if !s.signs() || e.covered {
		return nil
	}
	if held == nil {
		held = &entry{}
	}
	next := root.after(e)
	if next == nil {
		next = root.entry
	}
	sets := e.sets
	if e.cut {
		sets = slices.DeleteFunc(slices.Clone(sets), func(set *Set) bool { return set.Type != dns.TypeDS })
	}
	types := e.types()
	room := make([]byte, 0, len(next.name.wire)+bitmapSize(types)+s.size(sets))
	room = appendTypes(append(room, next.name.wire...), types)
	e.link, e.signatures = uint16(len(room)), room
	for _, set := range append(slices.Clip(sets), e.at(len(e.sets))) {
		var old []byte
		if i := held.index(set.Type); i >= 0 && held.at(i).equal(set) {
			old = held.placed(i, true).Signatures
		}
		var err error
		if room, err = s.append(room, e.name, set, old); err != nil {
			e.link, e.signatures = 0, nil
			return err
		}
	}
	e.signatures = room
	return nil
}

func (s *signer) signs() bool { return s.ring != nil && len(s.ring.zsk) > 0 }

// size is how long the signatures of sets and of an NSEC record are.
func (s *signer) size(sets []*Set) int {
	n := len(s.keys(dns.TypeNSEC))
	for _, set := range sets {
		n += len(s.keys(set.Type))
	}
	return n * (2 + rrsigFixed + len(s.apex.wire) + signatureSize)
}

// types returns those that the NSEC record of a name tells of (RFC 4034 section 4.1.2, RFC 4035 section 2.3), ascending.
func (e *entry) types() []uint16 {
	types := make([]uint16, 0, len(e.sets)+3)
	types = append(types, dns.TypeRRSIG, dns.TypeNSEC)
	if e.role == roleApex {
		types = append(types, dns.TypeSOA)
	}
	for _, set := range e.sets {
		if !e.cut || !isAddress(set.Type) {
			types = append(types, set.Type)
		}
	}
	slices.Sort(types)
	return types
}

// appendTypes appends a bitmap of types (RFC 4034 section 4.1.2), which are in ascending order.
func appendTypes(to []byte, types []uint16) []byte {
	for len(types) > 0 {
		window := types[0] >> 8
		var bits [32]byte
		length := 0
		for len(types) > 0 && types[0]>>8 == window {
			low := types[0] & 0xFF
			length = int(low)/8 + 1
			bits[length-1] |= 0x80 >> (low % 8)
			types = types[1:]
		}
		to = append(to, byte(window), byte(length))
		to = append(to, bits[:length]...)
	}
	return to
}

// bitmapSize is how long the bitmap of types is, if they are all of one window, and then exact enough.
func bitmapSize(types []uint16) int { return 2 + int(min(types[len(types)-1], 255))/8 + 1 }
