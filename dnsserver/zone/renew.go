package zone

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"berth/sites"
)

// Renew signs again what is due, and follows the times that are planned for the zone's keys.
func (z *Zone) Renew(revision int64) {
	z.writing.Lock()
	defer z.writing.Unlock()
	u := z.begin()
	if u.base.soa == nil {
		return
	}
	u.follow()
	for _, key := range u.tree.root.dueBy(uint32(u.signer.now.Unix()), nil) {
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

// follow has the zone signed with the keys whose time it is. When others sign than before, everything is signed anew. The
// signatures of before stay valid where they are held: their key is planned to be published for as long.
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
	if !slices.EqualFunc(was.zoneSigners(), z.ring.zoneSigners(), sameKey) {
		u.anew = true
		u.touchAll()
	}
	if !slices.EqualFunc(was.keySigners(), z.ring.keySigners(), sameKey) {
		u.anew = true
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
