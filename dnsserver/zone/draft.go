package zone

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/miekg/dns"
)

// draft is new content that is being made.
type draft struct {
	zone    *Zone
	next    Snapshot
	names   edit
	hashes  edit            // see Snapshot.hashes
	touched map[string]bool // keys of names; nil for a draft that starts from nothing
	hashed  map[string]bool // keys of hashes
}

func (z *Zone) draft(base *Snapshot) *draft {
	d := &draft{zone: z, next: *base, names: newEdit(base.root, base.index.clone()), hashes: newEdit(base.hashes, nil)}
	if base.Known() {
		d.touched, d.hashed = make(map[string]bool), make(map[string]bool)
	}
	return d
}

// apply alters every name of which a record goes or comes. Both lists are in the order of compareFacts.
func (d *draft) apply(removed, added []fact) error {
	for len(removed)+len(added) > 0 {
		least := fact{}
		if len(removed) == 0 || len(added) > 0 && added[0].compareSet(removed[0]) < 0 {
			least = added[0]
		} else {
			least = removed[0]
		}
		gone, come := least.prefix(removed), least.prefix(added)
		if err := d.alter(least, removed[:gone], added[:come]); err != nil {
			return fmt.Errorf("%s %s: %w", presentation(least.owner.wire), dns.TypeToString[least.rrtype], err)
		}
		removed, added = removed[gone:], added[come:]
	}
	return nil
}

// alter changes the set that the records belong to, or its signatures.
func (d *draft) alter(of fact, removed, added []fact) error {
	if of.rrtype == dns.TypeSOA && of.owner.key == "" {
		soa, err := d.altered(content{d.next.soa, d.next.soaSigs}, removed, added)
		d.next.soa, d.next.soaSigs = soa.set, soa.signatures
		return err
	}
	tree, touched := &d.names, d.touched
	if of.hashed() {
		tree, touched = &d.hashes, d.hashed
	}
	old := tree.root.get(of.owner.key)
	next, err := d.altered(old.content(of.rrtype), removed, added)
	if err != nil {
		return err
	}
	e := old.withContent(of.owner, of.rrtype, next)
	if touched != nil {
		touched[of.owner.key] = true
	}
	switch {
	case e != nil:
		tree.put(of.owner.key, e)
	case old != nil:
		tree.delete(of.owner.key)
	}
	if tree == &d.names {
		d.next.names += count(e) - count(old)
	}
	return nil
}

// altered returns the content with the facts that go and come. Signatures without a set are left out of new
// content; later, they would be missed by the set that they sign.
func (d *draft) altered(c content, removed, added []fact) (content, error) {
	c, err := c.without(removed)
	if err != nil {
		return c, err
	}
	if c, err = c.with(d.zone.origin, added); err != nil {
		return c, err
	}
	if c.set == nil && len(c.signatures) > 0 {
		if d.touched != nil {
			return c, errors.New("there are signatures of no set")
		}
		c.signatures = nil
	}
	return c, nil
}

func count(e *entry) int {
	if e == nil {
		return 0
	}
	return 1
}

// finish checks what concerns the content as a whole, and returns it.
func (d *draft) finish() (*Snapshot, error) {
	next := &d.next
	next.root, next.index = d.names.commit()
	next.hashes, _ = d.hashes.commit()
	apex := next.root.get("")
	switch {
	case next.soa == nil || len(next.soa.Records) != 1:
		return nil, errors.New("there is to be one SOA record")
	case apex == nil || apex.set(dns.TypeNS) == nil:
		return nil, errors.New("there are no NS records at the apex")
	}
	var err error
	if next.nsec3, err = hashOf(apex); err != nil {
		return nil, err
	}
	next.negative = nil
	if minimum := binary.BigEndian.Uint32(soaTail(next.soa)[16:]); minimum < next.soa.TTL { // RFC 2308 section 3
		next.negative = &Set{Type: dns.TypeSOA, TTL: minimum, Records: next.soa.Records}
	}
	next.revision = int64(binary.BigEndian.Uint32(soaTail(next.soa)))
	return next, nil
}

// soaTail returns the numbers of an SOA record: serial, refresh, retry, expire, minimum.
func soaTail(set *Set) []byte { return set.Records[0].Tail() }

// maxCompared bounds the names of zones that are compared with what a transfer of the whole puts in their place.
const maxCompared = 100_000

// follow gives a snapshot the journal of the one that it follows on, as far as that can be told: touched are the keys of
// names and of hashes that differ, nil when nobody knows which.
func (z *Snapshot) follow(base *Snapshot, touched, hashed map[string]bool) {
	if !base.Known() || int32(z.Serial()-base.Serial()) <= 0 || touched == nil && max(z.names, base.names) > maxCompared {
		z.journal = journal{}
		return
	}
	diff := Difference{FromSOA: base.SOA(), ToSOA: z.SOA()}
	diff.compareTrees(base.root, z.root, touched)
	diff.compareTrees(base.hashes, z.hashes, hashed)
	z.journal = base.journal.with(diff, false, z.names)
}

// compareTrees adds what differs between two trees, in canonical order if it is told where.
func (d *Difference) compareTrees(was, is *node, touched map[string]bool) {
	for _, key := range slices.Sorted(maps.Keys(touched)) {
		d.compare(was.get(key), is.get(key))
	}
	if touched != nil {
		return
	}
	for e := range was.all() {
		d.compare(e, is.get(e.name.key))
	}
	for e := range is.all() {
		if was.get(e.name.key) == nil {
			d.compare(nil, e)
		}
	}
}
