package sites_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"berth/sites"
)

// registrar is the zone above, with the DS records that a test enters there.
type registrar struct {
	mu  sync.Mutex
	ds  []sites.DS
	err error
}

func (r *registrar) DS(context.Context, string) ([]sites.DS, time.Duration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ds, 6 * time.Hour, r.err
}

func (r *registrar) enter(ds ...sites.DS) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ds = ds
}

const day = 24 * time.Hour

// timeline runs a test in a bubble whose clock moves as fast as there is nothing to do.
func timeline(t *testing.T, parent sites.Parent, test func(*testing.T, *berth)) {
	synctest.Test(t, func(t *testing.T) {
		b := bootWith(t, t.TempDir(), newStage(), zone, func(cfg *sites.Config) {
			cfg.Parent, cfg.Heal = parent, 1000*day
		})
		defer b.stop()
		test(t, b)
	})
}

// pass lets time pass, and a little more for what is then due.
func pass(d time.Duration) {
	time.Sleep(d + time.Minute)
	synctest.Wait()
}

// keys are the published keys of a role, oldest first.
func (b *berth) keys(role sites.KeyRole) (keys []sites.ZoneKey) {
	z, _ := b.edge.zone(zone)
	for _, k := range z.Keys {
		if k.Role == role {
			keys = append(keys, k)
		}
	}
	return keys
}

func TestZoneSigningKeysFollowEachOther(t *testing.T) {
	timeline(t, nil, func(t *testing.T, b *berth) {
		first := b.keys(sites.ZoneSigning)[0]
		pass(89 * day)
		if keys := b.keys(sites.ZoneSigning); len(keys) != 1 {
			t.Fatalf("after 89 days: %+v", keys)
		}
		pass(day + time.Hour)
		keys := b.keys(sites.ZoneSigning)
		if len(keys) != 2 || keys[0].ID != first.ID {
			t.Fatalf("after 90 days: %+v", keys)
		}
		before, after := keys[0], keys[1]
		if ahead := after.ActiveAt.Sub(after.PublishedAt); ahead != 25*time.Hour {
			t.Errorf("the new key is published %s ahead", ahead)
		}
		if !before.RetiredAt.Equal(after.ActiveAt) || before.RemovedAt.Sub(before.RetiredAt) != sites.SignatureLife+2*day {
			t.Errorf("the old key retires at %s and goes at %s; the new one signs from %s", before.RetiredAt, before.RemovedAt, after.ActiveAt)
		}
		_, err := b.RollKey(t.Context(), b.root, zone, sites.ZoneSigning)
		wantRefusal(t, "a second rollover", err, sites.ErrConflict, "")
		pass(25 * day)
		if keys := b.keys(sites.ZoneSigning); len(keys) != 1 || keys[0].ID != after.ID {
			t.Errorf("after the rollover: %+v", keys)
		}
		if _, err := b.RollKey(t.Context(), b.root, zone, sites.ZoneSigning); err != nil {
			t.Errorf("by hand: %v", err)
		}
		if len(b.keys(sites.ZoneSigning)) != 2 || len(b.keys(sites.KeySigning)) != 1 {
			t.Error("the rollover by hand did not begin")
		}
		b.wantEvents("key.roll", "key.remove", "key.roll")
	})
}

// wantEvents wants these to be the latest events of the main zone, oldest first.
func (b *berth) wantEvents(actions ...string) {
	b.t.Helper()
	events, err := b.Events(b.t.Context(), b.root, sites.EventFilter{Subject: zone, Limit: len(actions)})
	if err != nil {
		b.t.Fatal(err)
	}
	var got []string
	for i := range events {
		got = append(got, events[len(events)-1-i].Action)
	}
	if strings.Join(got, " ") != strings.Join(actions, " ") {
		b.t.Errorf("events: %v, want %v", got, actions)
	}
}

func (b *berth) dsOf(key sites.ZoneKey) sites.DS {
	b.t.Helper()
	ds, err := key.DS(zone)
	if err != nil {
		b.t.Fatal(err)
	}
	return ds
}

func TestAKeySigningKeyWaitsForTheParent(t *testing.T) {
	parent := &registrar{}
	timeline(t, parent, func(t *testing.T, b *berth) {
		before := b.keys(sites.KeySigning)[0]
		parent.enter(b.dsOf(before))
		if _, err := b.RollKey(t.Context(), b.root, zone, sites.KeySigning); err != nil {
			t.Fatal(err)
		}
		keys := b.keys(sites.KeySigning)
		if len(keys) != 2 || !keys[0].RetiredAt.IsZero() || !keys[1].ActiveAt.Equal(keys[1].PublishedAt) {
			t.Fatalf("the new key does not sign beside the old one: %+v", keys)
		}
		after := keys[1]
		pass(60 * day)
		if keys := b.keys(sites.KeySigning); len(keys) != 2 || !keys[0].RetiredAt.IsZero() {
			t.Fatalf("without the parent: %+v", keys)
		}
		_, err := b.ConfirmDS(t.Context(), b.root, zone)
		wantRefusal(t, "confirming what the parent denies", err, sites.ErrConflict, "")

		parent.enter(b.dsOf(before), b.dsOf(after))
		seen := time.Now()
		pass(time.Hour)
		keys = b.keys(sites.KeySigning)
		if len(keys) != 2 || keys[0].RemovedAt.Before(seen.Add(30*time.Hour)) || keys[0].RemovedAt.After(seen.Add(32*time.Hour)) {
			t.Fatalf("with the parent: %+v; want the old one to go 6 hours and a day later", keys)
		}
		pass(32 * time.Hour)
		if keys := b.keys(sites.KeySigning); len(keys) != 1 || keys[0].ID != after.ID {
			t.Errorf("in the end: %+v", keys)
		}
		b.wantEvents("key.roll", "key.retire", "key.remove")
	})
}

func TestAParentThatIsTooEarlyDoesNotHurryTheOldKey(t *testing.T) {
	parent := &registrar{}
	timeline(t, parent, func(t *testing.T, b *berth) {
		if _, err := b.RollKey(t.Context(), b.root, zone, sites.KeySigning); err != nil {
			t.Fatal(err)
		}
		after := b.keys(sites.KeySigning)[1]
		parent.enter(b.dsOf(after))
		pass(time.Hour)
		if got, want := b.keys(sites.KeySigning)[0].RemovedAt, after.ParentAt().Add(30*time.Hour); got.Sub(want).Abs() > time.Second {
			t.Errorf("the old key goes at %s, want %s", got, want)
		}
	})
}

func TestANewDSIsNotConfirmedBeforeResolversKnowItsKey(t *testing.T) {
	timeline(t, nil, func(t *testing.T, b *berth) {
		if _, err := b.RollKey(t.Context(), b.root, zone, sites.KeySigning); err != nil {
			t.Fatal(err)
		}
		at := b.keys(sites.KeySigning)[1].ParentAt()
		for range 2 {
			_, err := b.ConfirmDS(t.Context(), b.root, zone)
			wantRefusal(t, "too early", err, sites.ErrConflict, "")
			if want := at.UTC().Format("2006-01-02 15:04 UTC"); err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %s", err, want)
			}
			pass(24 * time.Hour)
		}
		pass(time.Hour)
		if _, err := b.ConfirmDS(t.Context(), b.root, zone); err != nil {
			t.Error(err)
		}
	})
}

// A parent that turns back, or for which the admin has spoken too soon, must find the old key.
func TestTheOldKeyStaysWhenTheParentTurnsBack(t *testing.T) {
	parent := &registrar{}
	timeline(t, parent, func(t *testing.T, b *berth) {
		before := b.keys(sites.KeySigning)[0]
		if _, err := b.RollKey(t.Context(), b.root, zone, sites.KeySigning); err != nil {
			t.Fatal(err)
		}
		after := b.keys(sites.KeySigning)[1]
		pass(26 * time.Hour)
		if _, err := b.ConfirmDS(t.Context(), b.root, zone); err != nil { // the parent has nothing
			t.Fatal(err)
		}
		parent.enter(b.dsOf(before))
		pass(10 * day)
		if keys := b.keys(sites.KeySigning); len(keys) != 2 || !keys[0].RetiredAt.IsZero() || !keys[0].RemovedAt.IsZero() {
			t.Fatalf("with the old DS record only: %+v", keys)
		}
		parent.enter(b.dsOf(after))
		pass(3 * day)
		if keys := b.keys(sites.KeySigning); len(keys) != 1 || keys[0].ID != after.ID {
			t.Errorf("in the end: %+v", keys)
		}
		b.wantEvents("key.roll", "key.retire", "key.keep", "key.retire", "key.remove")
	})
}

func TestTheNewDSCanBeConfirmedByHand(t *testing.T) {
	for name, parent := range map[string]sites.Parent{"nothing asks": nil, "no answer": &registrar{err: errors.New("timeout")}, "no DS": &registrar{}} {
		t.Run(name, func(t *testing.T) {
			timeline(t, parent, func(t *testing.T, b *berth) {
				_, err := b.ConfirmDS(t.Context(), b.root, zone)
				wantRefusal(t, "without a rollover", err, sites.ErrConflict, "")
				if _, err := b.RollKey(t.Context(), b.root, zone, sites.KeySigning); err != nil {
					t.Fatal(err)
				}
				pass(3 * day)
				if _, err := b.ConfirmDS(t.Context(), b.root, zone); err != nil {
					t.Fatal(err)
				}
				if d := time.Until(b.keys(sites.KeySigning)[0].RemovedAt); d > 73*time.Hour || d < 71*time.Hour {
					t.Errorf("the old key goes in %s, want three days", d)
				}
				_, err = b.ConfirmDS(t.Context(), b.root, zone)
				wantRefusal(t, "twice", err, sites.ErrConflict, "")
			})
		})
	}
}

func TestSigningIsNotTurnedOffUnderADS(t *testing.T) {
	parent := &registrar{}
	timeline(t, parent, func(t *testing.T, b *berth) {
		ds := b.dsOf(b.keys(sites.KeySigning)[0])
		parent.enter(ds)
		off, on := false, true
		_, err := b.UpdateZone(t.Context(), b.root, zone, sites.ZoneUpdate{Signed: &off})
		wantRefusal(t, "with a DS record at the parent", err, sites.ErrConflict, "signed")
		parent.enter()
		if z, err := b.UpdateZone(t.Context(), b.root, zone, sites.ZoneUpdate{Signed: &off}); err != nil || z.Signed || len(z.Keys) != 0 {
			t.Errorf("without one: %+v, %v", z, err)
		}
		if z, _ := b.edge.zone(zone); z.Signed || len(z.Keys) != 0 {
			t.Errorf("published %+v", z)
		}
		_, err = b.RollKey(t.Context(), b.root, zone, sites.ZoneSigning)
		wantRefusal(t, "rolling no key", err, sites.ErrConflict, "")
		if z, err := b.UpdateZone(t.Context(), b.root, zone, sites.ZoneUpdate{Signed: &on}); err != nil || len(z.Keys) != 2 || z.Keys[0].DS != ds {
			t.Errorf("turned on again: %+v, %v; want the keys from before", z, err)
		}
		if keys := b.keys(sites.KeySigning); len(keys) != 1 || b.dsOf(keys[0]) != ds {
			t.Errorf("published %+v", keys)
		}
	})
}

func TestSigningIsNotTurnedOffWhereNobodyKnowsOfADS(t *testing.T) {
	for name, parent := range map[string]sites.Parent{"nothing asks": nil, "no answer": &registrar{err: errors.New("timeout")}} {
		t.Run(name, func(t *testing.T) {
			b := bootWith(t, t.TempDir(), newStage(), zone, func(cfg *sites.Config) { cfg.Parent = parent })
			off := false
			_, err := b.UpdateZone(t.Context(), b.root, zone, sites.ZoneUpdate{Signed: &off})
			wantRefusal(t, "without a word", err, sites.ErrConflict, "signed")
			if z, err := b.UpdateZone(t.Context(), b.root, zone, sites.ZoneUpdate{Signed: &off, DSRemoved: true}); err != nil || z.Signed {
				t.Errorf("with the word of an admin: %+v, %v", z, err)
			}
		})
	}
	parent := &registrar{}
	b := bootWith(t, t.TempDir(), newStage(), zone, func(cfg *sites.Config) { cfg.Parent = parent })
	parent.enter(b.dsOf(b.keys(sites.KeySigning)[0]))
	off := false
	_, err := b.UpdateZone(t.Context(), b.root, zone, sites.ZoneUpdate{Signed: &off, DSRemoved: true})
	wantRefusal(t, "against what the parent says", err, sites.ErrConflict, "signed")
}

func TestRolloversGoOnAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		slow := func(cfg *sites.Config) { cfg.Heal = 1000 * day }
		b := bootWith(t, dir, newStage(), zone, slow)
		if _, err := b.RollKey(t.Context(), b.root, zone, sites.ZoneSigning); err != nil {
			t.Fatal(err)
		}
		after := b.keys(sites.ZoneSigning)[1]
		b.stop()
		pass(200 * day)
		b = bootWith(t, dir, newStage(), zone, slow)
		defer b.stop()
		pass(2 * time.Hour)
		if keys := b.keys(sites.ZoneSigning); len(keys) != 2 || keys[0].ID != after.ID || fmt.Sprint(keys[0].PublishedAt) != fmt.Sprint(after.PublishedAt) {
			t.Errorf("after the restart: %+v; want the second key and its successor", keys)
		}
	})
}
