package zone

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// role is what berth itself needs a name for.
type role uint8

const (
	roleNone       role = iota
	roleHost            // the panel
	roleWWW             // www: people may give it other addresses
	roleNameserver      // a nameserver of the zone
	roleApex
)

// entry is an existing name: the facts from which its records follow, and the records. It is immutable once it is
// in a published tree.
type entry struct {
	name      name
	role      role
	site      bool // a site has the name as a host
	cut       bool // the name is delegated
	redirects bool // it has a DNAME record, in a secondary zone
	covered   bool // the name is below a delegated one

	people     *people // what people and authorities have put here, nil for most names
	sets       []*Set  // what is answered, by type; empty for hidden names below a cut alone
	link       uint16  // length of the data of the NSEC record that signatures begins with; 0: the sets have it, if anything
	signatures []byte  // of all the sets, in their order, and of the NSEC record; each as in Placed
}

// people is what a name has by others' will.
type people struct {
	entered    []entered // records, one set a type
	challenges []string  // TXT values of running ACME challenges
}

// hides reports whether names below are not the zone's to answer for.
func (e *entry) hides() bool { return e.cut || e.redirects }

// entered is a set of records as people have entered it, and what it means.
type entered struct {
	source sites.RRSet
	set    *Set
}

// due is when the signatures are to be made anew, as Unix time; 0: never.
func (e *entry) due() uint32 {
	if e == nil || len(e.signatures) == 0 || e.link == 0 {
		return 0
	}
	return expiration(e.signatures[e.link:]) - uint32(signatureRest/time.Second)
}

// idle reports whether there is no reason for the name to exist.
func (e *entry) idle() bool { return e.role == roleNone && !e.site && e.people == nil }

// chained reports whether the name is in the chain of NSEC records.
func (e *entry) chained() bool { return e != nil && !e.covered }

// set returns the records of a type, or nil.
func (e *entry) set(rrtype uint16) *Set {
	if i := e.index(rrtype); i >= 0 {
		return e.at(i)
	}
	return nil
}

// count is the number of sets.
func (e *entry) count() int {
	if e.link == 0 {
		return len(e.sets)
	}
	return len(e.sets) + 1
}

// at returns a set by its index. NSEC is the last; it is made for the occasion.
func (e *entry) at(i int) *Set {
	if i == len(e.sets) {
		return new(link).set(e)
	}
	return e.sets[i]
}

// link is the NSEC record of a name of ours. There is one for each name, so no more of it is kept than its data.
type link struct {
	made    Set
	records [1]Record
}

func (l *link) set(e *entry) *Set {
	l.records[0] = Record{Head: e.signatures[:e.link:e.link]}
	l.made = Set{Type: dns.TypeNSEC, TTL: negativeTTL, Records: l.records[:]}
	return &l.made
}

// index returns where the records of a type are among the sets, -1 if nowhere.
func (e *entry) index(rrtype uint16) int {
	if rrtype == dns.TypeNSEC && e.link > 0 {
		return len(e.sets)
	}
	return indexOf(e.sets, rrtype)
}

func indexOf(sets []*Set, rrtype uint16) int {
	for i, set := range sets {
		if set.Type == rrtype {
			return i
		}
	}
	return -1
}

// placed returns a set under the name, with its signatures if they are asked for.
func (e *entry) placed(i int, dnssec bool) Placed {
	p := Placed{Owner: e.name.wire, Set: e.at(i)}
	if dnssec {
		p.Signatures = signaturesOf(e.signatures[e.link:], p.Set.Type)
	}
	return p
}

// signaturesOf returns those that cover a type; there may be none, or several by different keys.
func signaturesOf(all []byte, rrtype uint16) []byte {
	for at := 0; at < len(all); {
		end := at
		for end < len(all) && binary.BigEndian.Uint16(all[end+2:]) == rrtype {
			end += 2 + int(binary.BigEndian.Uint16(all[end:]))
		}
		if end > at {
			return all[at:end:end]
		}
		at += 2 + int(binary.BigEndian.Uint16(all[at:]))
	}
	return nil
}

// with returns a copy of what others have put at a name, changed; nil if nothing is left.
func (p *people) with(alter func(*people)) *people {
	next := &people{}
	if p != nil {
		*next = *p
	}
	alter(next)
	if len(next.entered)+len(next.challenges) == 0 {
		return nil
	}
	return next
}

// without returns what others have put at a name but for records of some types; nil if nothing is left.
func (p *people) without(gone func(rrtype uint16) bool) *people {
	if p == nil || !slices.ContainsFunc(p.entered, func(in entered) bool { return gone(in.set.Type) }) {
		return p
	}
	return p.with(func(p *people) {
		p.entered = slices.DeleteFunc(slices.Clone(p.entered), func(in entered) bool { return gone(in.set.Type) })
	})
}

// enter replaces the entered set of a type, or removes it where set is nil.
func (p *people) enter(rrtype uint16, source sites.RRSet, set *Set) {
	kept := make([]entered, 0, len(p.entered)+1)
	for _, in := range p.entered {
		if in.set.Type != rrtype {
			kept = append(kept, in)
		}
	}
	if set != nil {
		kept = append(kept, entered{source, set})
	}
	p.entered = kept
}

func (p *people) challenge(value string, present bool) {
	kept := slices.DeleteFunc(slices.Clone(p.challenges), func(v string) bool { return v == value })
	if present {
		kept = append(kept, value)
	}
	p.challenges = kept
}

// of returns the entered set of a type, or nil.
func (p *people) of(rrtype uint16) *entered {
	if p == nil {
		return nil
	}
	for i := range p.entered {
		if p.entered[i].set.Type == rrtype {
			return &p.entered[i]
		}
	}
	return nil
}

// complete derives the records, but for NSEC, from the facts. What stays the same stays the same value.
func (e *entry) complete(o *offers) {
	held := e.sets
	e.sets = o.sets(e)
	e.cut = e.role != roleApex && e.index(dns.TypeNS) >= 0
	if e.people == nil && e.role != roleApex {
		return
	}
	e.sets = slices.Clone(e.sets)
	for i, set := range e.sets {
		if at := indexOf(held, set.Type); at >= 0 && held[at].equal(set) {
			e.sets[i] = held[at]
		}
	}
}

// byType sorts sets as they stand in an entry.
func byType(a, b *Set) int { return cmp.Compare(a.Type, b.Type) }

// equal reports whether two sets say the same; either may be nil.
func (s *Set) equal(other *Set) bool {
	if s == other || s == nil || other == nil {
		return s == other
	}
	return s.Type == other.Type && s.TTL == other.TTL && slices.EqualFunc(s.Records, other.Records, func(a, b Record) bool {
		return bytes.Equal(a.AppendData(nil), b.AppendData(nil))
	})
}
