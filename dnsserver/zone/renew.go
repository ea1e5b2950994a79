package zone

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"berth/sites"
)

// renewalStep is how many names are signed in one go: whoever changes something waits for it.
const renewalStep = 50

// behind is names that are still signed by keys of before. Their turn comes with each renewal.
type behind struct {
	names []string // their keys in the tree
	by    []*key
}

// Renew signs again what is due, a step of it, and follows the times that are planned for the zone's keys. RenewAt says at once when
// there is more.
func (z *Zone) Renew(revision int64) {
	z.writing.Lock()
	defer z.writing.Unlock()
	u := z.begin()
	if u.base.soa == nil {
		return
	}
	u.follow()
	for _, key := range u.tree.root.dueBy(uint32(u.signer.now.Unix()), renewalStep, nil) {
		u.touched[key] = true
	}
	u.commit(revision, false)
}

// RenewAt is when Renew next has something to do; zero: never.
func (z *Zone) RenewAt() time.Time { return z.current.Load().renewAt }

// setKeys takes over whether the zone is signed, and with which keys. A faulty key is logged and left out.
func (z *Zone) setKeys(published sites.PublishedZone) {
	var keys []*key
	for _, plan := range published.Keys {
		k, err := z.readKey(plan)
		if err != nil {
			z.log.Error("a key of the zone is not used", "zone", z.Name(), "key", plan.ID, "error", err)
			continue
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b *key) int {
		return cmp.Or(a.plan.ActiveAt.Compare(b.plan.ActiveAt), cmp.Compare(a.plan.ID, b.plan.ID))
	})
	z.signed, z.keys = published.Signed, keys
}

// readKey reads a key, unless it is known and only its plan is another.
func (z *Zone) readKey(plan sites.ZoneKey) (*key, error) {
	for _, k := range z.keys {
		if k.plan.Role == plan.Role && bytes.Equal(k.plan.Private, plan.Private) {
			same := *k
			same.plan = plan
			return &same, nil
		}
	}
	return newKey(plan)
}

// follow has the zone signed with the keys whose time it is. When another key signs than before, everything is signed anew: a step now
// and the rest later, if the keys that others may hold still prove what they have signed, and else at once. The signatures of before
// stay valid where they are held: their key is planned to be published for as long.
func (u *update) follow() {
	z := u.zone
	was := z.ring
	z.ring = nil
	if z.signed {
		z.ring = newKeyring(z.apex.wire, z.keys, u.signer.now)
	}
	u.signer.ring, z.offers.keys = z.ring, nil
	if u.signer.signs() {
		z.offers.keys = z.ring.sets
	} else if z.signed {
		z.log.Error("the zone is not signed: none of its keys can sign", "zone", z.Name())
	}
	u.change(z.apex, func(*entry) {})
	if before := was.zoneSigners(); !slices.EqualFunc(before, z.ring.zoneSigners(), sameKey) {
		u.anew = true
		u.fallBehind(before)
	}
	u.catchUp()
	if !slices.EqualFunc(was.keySigners(), z.ring.keySigners(), sameKey) {
		u.anew = true
	}
}

// fallBehind notes that all names are signed by keys of before; none of them is, if the zone was not signed.
func (u *update) fallBehind(by []*key) {
	b := &u.zone.behind
	b.names = nil
	for e := range u.tree.root.all() {
		b.names = append(b.names, e.name.key)
	}
	if b.by = append(b.by, by...); len(by) == 0 {
		u.touchAll()
		*b = behind{}
	}
}

// catchUp signs a step of the names that are behind; all of them, if what they are signed by is not published any more.
func (u *update) catchUp() {
	b := &u.zone.behind
	if len(b.names) == 0 {
		return
	}
	step := min(renewalStep, len(b.names))
	if slices.ContainsFunc(b.by, func(k *key) bool { return !u.signer.ring.publishes(k) }) {
		step = len(b.names)
	}
	for _, key := range b.names[:step] {
		u.touched[key] = true
	}
	if b.names = b.names[step:]; len(b.names) == 0 {
		*b = behind{}
	}
}

func (r *keyring) zoneSigners() []*key {
	if r == nil {
		return nil
	}
	return r.zsk
}

func (r *keyring) keySigners() []*key {
	if r == nil {
		return nil
	}
	return r.ksk
}

func sameKey(a, b *key) bool { return bytes.Equal(a.data, b.data) }
