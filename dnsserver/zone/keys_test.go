package zone

import (
	"testing"
	"time"

	"berth/sites"
)

func TestTheParentIsToldOfANewKeyWhenEverybodyCanHoldIt(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	read := func(id int64, begun time.Time) *key {
		k, err := newKey(newKeyPlan(t, id, sites.KeySigning, begun))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	before, after := read(1, now.Add(-1000*time.Hour)), read(2, now)
	ready := after.plan.ParentAt()
	for at, want := range map[time.Time]*key{now: before, ready.Add(-time.Second): before, ready: after} {
		r := newKeyring("\x00", []*key{before, after}, at)
		if len(r.ksk) != 2 || len(r.ds) != 1 || r.ds[0].KeyTag != want.tag {
			t.Errorf("at %s the DS is %+v, want that of %d; %d keys sign", at, r.ds, want.tag, len(r.ksk))
		}
	}
	if next := newKeyring("\x00", []*key{before, after}, now).next; !next.Equal(ready) {
		t.Errorf("the keys are looked at again at %s, want %s", next, ready)
	}
	if r := newKeyring("\x00", []*key{after}, now); r.ds[0].KeyTag != after.tag {
		t.Error("the only key is not the parent's")
	}
}
