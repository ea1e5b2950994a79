package transfer

import (
	"slices"

	"berth/dnsserver/zone"
)

// step is what leads from one version of a zone to a later one. Each part begins with the SOA record of its version.
type step struct {
	removed, added []record
}

// stepsSince returns the steps from a version on, condensed where that saves half; false, when they are not known or the
// whole zone is no more than they are.
func stepsSince(now *zone.Snapshot, serial uint32) ([]step, bool) {
	differences, ok := now.Since(serial)
	if !ok || len(differences) == 0 {
		return nil, false
	}
	steps, size := make([]step, len(differences)), 0
	for i, d := range differences {
		steps[i] = step{removed: part(d.FromSOA, d.Removed), added: part(d.ToSOA, d.Added)}
		size += steps[i].size()
	}
	if len(steps) > 1 {
		if one := condense(steps); 2*one.size() <= size {
			steps, size = []step{one}, one.size()
		}
	}
	return steps, size < now.Names() || size < countRecords(now, size)
}

func part(soa zone.Placed, sets []zone.Placed) []record {
	part := slices.Collect(records(soa))
	for _, p := range sets {
		part = slices.AppendSeq(part, records(p))
	}
	return part
}

func (st step) size() int { return len(st.removed) + len(st.added) }

// countRecords counts the records of a zone, up to a number that is enough to know.
func countRecords(now *zone.Snapshot, enough int) (count int) {
	for p := range now.All() {
		for range records(p) {
			count++
		}
		if count > enough {
			break
		}
	}
	return count
}

// identity is what makes a record the same as another.
type identity struct {
	owner  string
	rrtype uint16
	ttl    uint32
	data   string
}

func (r record) identity() identity { return identity{r.owner, r.rrtype, r.ttl, string(r.data)} }

// condense makes one step of several: what comes and goes again is left out (RFC 1995 section 5).
func condense(steps []step) step {
	first, last := steps[0], steps[len(steps)-1]
	balance := make(map[identity]int)
	for _, st := range steps {
		for _, r := range st.removed[1:] {
			balance[r.identity()]--
		}
		for _, r := range st.added[1:] {
			balance[r.identity()]++
		}
	}
	one := step{removed: first.removed[:1:1], added: last.added[:1:1]}
	for _, st := range steps {
		for _, r := range st.removed[1:] {
			if id := r.identity(); balance[id] < 0 {
				one.removed, balance[id] = append(one.removed, r), 0
			}
		}
		for _, r := range st.added[1:] {
			if id := r.identity(); balance[id] > 0 {
				one.added, balance[id] = append(one.added, r), 0
			}
		}
	}
	return one
}
