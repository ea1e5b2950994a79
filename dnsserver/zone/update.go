package zone

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// update is a change of the zone that is being made.
type update struct {
	zone    *Zone
	base    *Snapshot
	tree    edit
	names   int
	signer  signer
	touched map[string]bool // keys of the names that are looked at when signatures and differences are made
	anew    bool            // no signature of before is to be taken over
}

// begin starts an update; the clock and the keys stand still while it is made.
func (z *Zone) begin() *update {
	base := z.current.Load()
	return &update{
		zone: z, base: base, tree: newEdit(base.root, base.index.clone()), names: base.names, touched: make(map[string]bool),
		signer: signer{apex: z.apex, ring: z.ring, now: z.now()},
		anew:   len(z.behind.names) > 0, // keys of before and of now could have the same tag
	}
}

// change alters the facts of a name, and with them its records.
func (u *update) change(n name, alter func(*entry)) {
	old := u.tree.root.get(n.key)
	next := &entry{name: n}
	if old != nil {
		*next = *old
	} else {
		next.covered = u.tree.root.cutAbove(n.key)
	}
	alter(next)
	u.replace(old, next)
	if wasCut := old != nil && old.cut; wasCut != next.cut {
		u.cover(next)
	}
}

// replace puts an entry with new facts in place of the old one.
func (u *update) replace(old, next *entry) {
	next.complete(&u.zone.offers)
	u.touched[next.name.key] = true
	switch {
	case !next.idle():
		u.tree.put(next.name.key, next)
		if old == nil {
			u.names++
		}
	case old != nil:
		u.tree.delete(next.name.key)
		u.names--
	}
}

// cover looks anew at the names below one that is now delegated, or no longer.
func (u *update) cover(top *entry) {
	if top.covered {
		return
	}
	cut := top
	for _, old := range u.tree.root.below(top.name.key) {
		covered := cut.cut && strings.HasPrefix(old.name.key, cut.name.key)
		if old.covered != covered {
			next := *old
			next.covered = covered
			u.replace(old, &next)
			old = &next
		}
		if !covered {
			cut = old
		}
	}
}

// setSite says whether a site has the host; hosts outside the zone are others' concern.
func (u *update) setSite(host string, present bool) {
	n, err := u.zone.origin.parse(host)
	if err != nil || !n.inside {
		return
	}
	if e := u.tree.root.get(n.key); (e != nil && e.site) == present {
		return
	}
	u.change(n, func(e *entry) { e.site = present })
}

// commit publishes the update. known says that from now on, at the latest, the zone is known as a whole. The serial always
// grows with the content, whatever the revision does (RFC 1982), and stands still without.
func (u *update) commit(revision int64, known bool) {
	next := *u.base
	first := known && next.soa == nil
	switch {
	case first:
		u.touchAll()
	case len(u.touched) == 0:
		return
	}
	var changes Difference
	if first || next.soa != nil {
		u.seal()
		if !first {
			changes = u.difference()
		}
	}
	next.renewAt = u.renewAt()
	next.names = u.names
	next.root, next.index = u.tree.commit()
	if u.signer.signs() {
		next.ds = u.signer.ring.ds
	} else {
		next.ds = nil
	}
	if first || !changes.empty() {
		next.revision = max(next.revision+1, revision)
		next.soa, next.soaSigs = u.soa(next.revision)
		changes.FromSOA, changes.ToSOA = u.base.SOA(), next.SOA()
		next.journal = u.base.journal.with(changes, first, next.names)
	}
	u.zone.current.Store(&next)
}

// touchAll has all names looked at.
func (u *update) touchAll() {
	for e := range u.tree.root.all() {
		u.touched[e.name.key] = true
	}
}

// seal brings the chain of NSEC records and the signatures up to date: of the names that are touched, and of those whose next
// name has come or gone.
func (u *update) seal() {
	if !u.signer.signs() && !u.anew {
		return
	}
	for _, key := range slices.Collect(maps.Keys(u.touched)) {
		was, is := u.base.root.get(key), u.tree.root.get(key)
		if was.chained() != is.chained() && key != "" {
			u.touched[u.tree.root.before([]byte(key)).name.key] = true
		}
	}
	jobs := make([]sealing, 0, len(u.touched))
	for key := range u.touched {
		if e := u.tree.root.get(key); e != nil {
			next := *e
			u.tree.put(key, &next)
			jobs = append(jobs, sealing{&next, u.base.root.get(key)})
		}
	}
	u.sealAll(jobs)
	for _, job := range jobs {
		u.tree.put(job.entry.name.key, job.entry) // for when it is due
	}
}

// sealing is an entry to be sealed, and what was published under its name.
type sealing struct{ entry, held *entry }

// sealAll seals entries on all processors; it only reads the tree.
func (u *update) sealAll(jobs []sealing) {
	var next atomic.Int64
	work := func() {
		for i := next.Add(1) - 1; i < int64(len(jobs)); i = next.Add(1) - 1 {
			job := jobs[i]
			if u.anew {
				job.held = nil
			}
			if err := u.signer.seal(u.tree.root, job.entry, job.held); err != nil {
				u.zone.log.Error("a name cannot be signed", "zone", u.zone.Name(), "error", err)
			}
		}
	}
	var working sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(jobs)) - 1 {
		working.Go(work)
	}
	work()
	working.Wait()
}

// renewAt is when a signature is due or the plan of the keys has something new.
func (u *update) renewAt() (at time.Time) {
	if u.signer.ring == nil {
		return at
	}
	if len(u.zone.behind.names) > 0 {
		return u.signer.now
	}
	at = u.signer.ring.next
	if due := u.tree.root.due; due != 0 {
		if renewal := time.Unix(int64(due), 0); at.IsZero() || renewal.Before(at) {
			at = renewal
		}
	}
	return at
}

// soa returns the SOA record with a serial, and its signatures.
func (u *update) soa(revision int64) (*Set, []byte) {
	soa := u.zone.soa
	soa.Serial = uint32(revision)
	set, err := u.zone.origin.newSet(negativeTTL, &soa)
	if err == nil && u.signer.signs() {
		var signatures []byte
		if signatures, err = u.signer.append(nil, u.zone.apex, set, nil); err == nil {
			return set, signatures
		}
	}
	if err != nil { // New has packed the same record
		u.zone.log.Error("the SOA record cannot be made", "zone", u.zone.Name(), "error", err)
	}
	return set, nil
}
