package zone

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
)

// Bounds of the journal of a zone. An older version is better served with the whole zone than with more records than that has.
const (
	maxVersions       = 5000
	minJournalRecords = 10_000
)

// Difference is what one version of a zone differs by from the version before it (RFC 1995 section 4). A placed set
// without records stands for its signatures alone: they have changed and the records have not.
type Difference struct {
	FromSOA, ToSOA Placed
	Removed, Added []Placed
}

func (d *Difference) empty() bool { return len(d.Removed)+len(d.Added) == 0 }

// records is how many records the difference has, signatures included.
func (d *Difference) records() (n int) {
	for _, list := range [][]Placed{d.Removed, d.Added, {d.FromSOA, d.ToSOA}} {
		for _, p := range list {
			n += len(p.Set.Records)
			for signatures := p.Signatures; len(signatures) > 0; n++ {
				signatures = signatures[2+int(binary.BigEndian.Uint16(signatures)):]
			}
		}
	}
	return n
}

// journal is the latest versions of a zone, oldest first. It is immutable; what follows may share its array.
type journal struct {
	versions []Difference
	records  int // in all of them
}

// with returns the journal with one version more, bounded by the names of the zone. A first version has nothing before it.
func (j journal) with(d Difference, first bool, names int) journal {
	limit := max(minJournalRecords, names)
	n := 0
	if !first {
		n = d.records()
	}
	if first || n > limit {
		return journal{}
	}
	j.versions, j.records = append(j.versions, d), j.records+n
	for len(j.versions) > maxVersions || j.records > limit {
		j.records -= j.versions[0].records()
		j.versions = j.versions[1:] // the array goes when the next one is needed
	}
	return j
}

// Since returns what has changed since the version with a serial, oldest first. It reports false when the
// journal does not reach back to it.
func (z *Snapshot) Since(serial uint32) ([]Difference, bool) {
	if z.soa == nil {
		return nil, false
	}
	if serial == z.Serial() {
		return nil, true
	}
	versions := z.journal.versions
	for i := len(versions) - 1; i >= 0; i-- {
		if versions[i].FromSOA.Serial() == serial {
			return slices.Clip(versions[i:]), true
		}
	}
	return nil, false
}

// Resume puts former versions of the zone, oldest first, before its journal. The last of them must lead to the version that is current or
// to one of the journal, which is then known from there on; it reports false where it does not.
func (z *Zone) Resume(former []Difference) bool {
	z.writing.Lock()
	defer z.writing.Unlock()
	next := *z.current.Load()
	later, ok := next.Since(former[len(former)-1].ToSOA.Serial())
	if !ok {
		return false
	}
	next.journal = journal{}
	for _, d := range slices.Concat(former, later) {
		next.journal = next.journal.with(d, false, next.names)
	}
	z.current.Store(&next)
	return true
}

// Serial is that of a SOA record.
func (p Placed) Serial() uint32 {
	const behind = 5 * 4 // the serial and the four times after it are the end of the data
	data := p.Set.Records[0].AppendData(nil)
	return binary.BigEndian.Uint32(data[len(data)-behind:])
}

// difference compares what the update has touched with what was there, in canonical order.
func (u *update) difference() (d Difference) {
	for _, key := range slices.Sorted(maps.Keys(u.touched)) {
		d.compare(u.base.root.get(key), u.tree.root.get(key))
	}
	return d
}

// compare adds what differs between two versions of a name; either may be nil.
func (d *Difference) compare(was, is *entry) {
	if was == nil {
		was = &entry{}
	}
	if is == nil {
		is = &entry{}
	}
	switch {
	case was.link > 0 && is.link > 0:
		d.compareSets(was.placed(len(was.sets), true), is.placed(len(is.sets), true))
	case was.link > 0:
		d.Removed = append(d.Removed, was.placed(len(was.sets), true))
	case is.link > 0:
		d.Added = append(d.Added, is.placed(len(is.sets), true))
	}
	i, k := 0, 0
	for i < len(was.sets) || k < len(is.sets) {
		switch {
		case k == len(is.sets) || i < len(was.sets) && was.sets[i].Type < is.sets[k].Type:
			d.Removed = append(d.Removed, was.placed(i, true))
			i++
		case i == len(was.sets) || is.sets[k].Type < was.sets[i].Type:
			d.Added = append(d.Added, is.placed(k, true))
			k++
		default:
			d.compareSets(was.placed(i, true), is.placed(k, true))
			i++
			k++
		}
	}
}

// compareSets adds what differs between two sets of a type at a name: records and signatures, each by itself.
func (d *Difference) compareSets(was, is Placed) {
	same := was.Set.TTL == is.Set.TTL
	if was.Set == is.Set && bytes.Equal(was.Signatures, is.Signatures) {
		return
	}
	removed := Placed{was.Owner, was.Set.without(is.Set), without(was.Signatures, is.Signatures, same)}
	added := Placed{is.Owner, is.Set.without(was.Set), without(is.Signatures, was.Signatures, same)}
	if len(removed.Set.Records)+len(removed.Signatures) > 0 {
		d.Removed = append(d.Removed, removed)
	}
	if len(added.Set.Records)+len(added.Signatures) > 0 {
		d.Added = append(d.Added, added)
	}
}

// without returns the set without the records that the other one has, too, with the same TTL.
func (s *Set) without(other *Set) *Set {
	if s == other {
		return &Set{Type: s.Type, TTL: s.TTL}
	}
	if s.TTL != other.TTL {
		return s
	}
	rest := &Set{Type: s.Type, TTL: s.TTL}
	for i := range s.Records {
		data := s.Records[i].AppendData(nil)
		if !slices.ContainsFunc(other.Records, func(r Record) bool { return bytes.Equal(r.AppendData(nil), data) }) {
			rest.Records = append(rest.Records, s.Records[i])
		}
	}
	if len(rest.Records) == len(s.Records) {
		return s
	}
	return rest
}

// without returns the signatures that are not among others of the same TTL.
func without(all, others []byte, sameTTL bool) []byte {
	if !sameTTL || len(others) == 0 {
		return all
	}
	var rest []byte
	for len(all) > 0 {
		size := 2 + int(binary.BigEndian.Uint16(all))
		if withHead(others, all[:size]) == nil {
			rest = append(rest, all[:size]...)
		}
		all = all[size:]
	}
	return rest
}
