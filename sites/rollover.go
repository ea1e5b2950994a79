package sites

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The times of rollovers (RFC 7583). They are long rather than tight: a key that stays for some days more harms nobody, one
// that goes too early makes the zone bogus.
const (
	KeyTTL        = time.Hour           // of DNSKEY records
	SignatureLife = 21 * 24 * time.Hour // the longest that a signature of a retired key is served

	spreadTime  = 24 * time.Hour // until the last secondary nameserver has a change
	manualDSTTL = 48 * time.Hour // of the parent's DS records, where it was not asked

	publishAhead = KeyTTL + spreadTime
	retireAfter  = SignatureLife + MaxTTL*time.Second + spreadTime

	defaultZSKLifetime = 90 * 24 * time.Hour
	minZSKLifetime     = 30 * 24 * time.Hour // longer than a rollover takes: publishAhead and retireAfter

	keyInterval = time.Hour // how often due steps are looked for
)

// ParentAt is the time from which the parent's DS records may name a key-signing key that follows another one: the DNSKEY
// records with it have reached everybody.
func (k ZoneKey) ParentAt() time.Time { return k.ActiveAt.Add(publishAhead) }

// RollKey begins to replace a zone's key. The new zone-signing key is published first and signs a day later, the old one goes when
// no signature of it can be held any more. A new key-signing key signs beside the old one, which goes when the parent's DS
// records name the new one: either the parent is seen to have it, or ConfirmDS says so.
func (s *Service) RollKey(ctx context.Context, actor Actor, name string, role KeyRole) (ZoneDetail, error) {
	if err := adminOnly(actor); err != nil {
		return ZoneDetail{}, err
	}
	if role != KeySigning && role != ZoneSigning {
		return ZoneDetail{}, RefuseField(ErrInvalid, "role", "The role must be ksk or zsk.")
	}
	event := eventBy(actor, "key.roll", CanonicalHost(name), "")
	err := s.commit(ctx, event, func(e *edit) error {
		zone, err := findZone(ctx, e, name)
		if err != nil {
			return err
		}
		if !zone.Signed {
			return Refuse(ErrConflict, "The zone %s is not signed here, so it has no keys.", zone.Name)
		}
		event.Subject = zone.Name
		event.Detail, err = roll(ctx, e, zone, role, s.now())
		return err
	})
	if err != nil {
		return ZoneDetail{}, err
	}
	return s.Zone(ctx, actor, name)
}

// roll plans the times of a new key and of the one that it replaces. It returns what an event says of it.
func roll(ctx context.Context, e *edit, zone Zone, role KeyRole, now time.Time) (string, error) {
	keys, err := keysOf(ctx, e, zone.ID, role)
	if err != nil {
		return "", err
	}
	if len(keys) != 1 {
		return "", Refuse(ErrConflict, "A rollover of the %s of %s is under way. Wait until it has ended.", role, zone.Name)
	}
	before := keys[0]
	after, err := newZoneKey(zone.ID, role, now)
	if err != nil {
		return "", err
	}
	if role == ZoneSigning {
		after.ActiveAt = now.Add(publishAhead)
		before.RetiredAt = after.ActiveAt
		before.RemovedAt = before.RetiredAt.Add(retireAfter)
		if err := e.UpdateZoneKey(ctx, before); err != nil {
			return "", err
		}
	}
	if _, err := e.InsertZoneKey(ctx, after); err != nil {
		return "", err
	}
	e.touchZone(zone.ID)
	return describeRoll(before, after)
}

func keysOf(ctx context.Context, r ZoneReader, zone ZoneID, role KeyRole) ([]ZoneKey, error) {
	keys, err := r.ZoneKeys(ctx, zone)
	return slices.DeleteFunc(keys, func(k ZoneKey) bool { return k.Role != role }), err
}

func describeRoll(before, after ZoneKey) (string, error) {
	old, err := before.Tag()
	if err != nil {
		return "", err
	}
	tag, err := after.Tag()
	if err != nil {
		return "", err
	}
	if after.Role == KeySigning {
		return fmt.Sprintf("ksk %d beside %d, which goes when the parent has the new DS record", tag, old), nil
	}
	return fmt.Sprintf("zsk %d signs from %s, %d goes at %s", tag, stamp(after.ActiveAt), old, stamp(before.RemovedAt)), nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// ConfirmDS says that the parent's DS records name the new key-signing key, so that the old one is removed when caches have
// forgotten those before. It is refused before the new key's ParentAt, when resolvers may hold DNSKEY records without it, and
// while the parent is seen to have only others.
func (s *Service) ConfirmDS(ctx context.Context, actor Actor, name string) (ZoneDetail, error) {
	if err := adminOnly(actor); err != nil {
		return ZoneDetail{}, err
	}
	zone, err := findZone(ctx, s.store, name)
	if err != nil {
		return ZoneDetail{}, err
	}
	_, after, err := pendingKSK(ctx, s.store, zone)
	if err != nil {
		return ZoneDetail{}, err
	}
	if at := after.ParentAt(); s.now().Before(at) {
		return ZoneDetail{}, Refuse(ErrConflict, "Some resolvers may not know the new key of %s yet, so its DS record must not be at the registrar "+
			"before %s. Enter it then, and confirm it after that.", zone.Name, at.UTC().Format("2006-01-02 15:04 UTC"))
	}
	found, ttl, err := s.askParent(ctx, zone, after)
	if found == parentOther {
		return ZoneDetail{}, Refuse(ErrConflict, "The zone above %s has DS records, and none of them names the new key. Enter it at the registrar first.", zone.Name)
	}
	if err != nil || found != parentNew {
		ttl = manualDSTTL
	}
	if err := s.retireKSK(ctx, actor, zone, after, ttl); err != nil {
		return ZoneDetail{}, err
	}
	return s.Zone(ctx, actor, zone.Name)
}

// pendingKSK returns the old and the new key-signing key of a rollover that waits for the parent.
func pendingKSK(ctx context.Context, r ZoneReader, zone Zone) (before, after ZoneKey, err error) {
	keys, err := keysOf(ctx, r, zone.ID, KeySigning)
	if err == nil && (len(keys) != 2 || !keys[0].RetiredAt.IsZero()) {
		err = Refuse(ErrConflict, "No rollover of the ksk of %s waits for the zone above it.", zone.Name)
	}
	if err != nil {
		return ZoneKey{}, ZoneKey{}, err
	}
	return keys[0], keys[1], nil
}

// retireKSK plans the removal of the old key-signing key for the new one that the parent was asked about. The TTL is that of the
// parent's DS records.
func (s *Service) retireKSK(ctx context.Context, actor Actor, zone Zone, asked ZoneKey, ttl time.Duration) error {
	event := eventBy(actor, "key.retire", zone.Name, "")
	return s.commit(ctx, event, func(e *edit) error {
		before, after, err := pendingKSK(ctx, e, zone)
		if err == nil && after.ID != asked.ID {
			err = Refuse(ErrConflict, "The keys of %s have changed meanwhile. Look at them, then try again.", zone.Name)
		}
		if err != nil {
			return err
		}
		at := s.now()
		if ready := after.ParentAt(); ready.After(at) {
			at = ready
		}
		at = at.Add(ttl + spreadTime)
		before.RetiredAt, before.RemovedAt = at, at
		tag, err := before.Tag()
		if err != nil {
			return err
		}
		event.Detail = fmt.Sprintf("ksk %d goes at %s", tag, stamp(at))
		e.touchZone(zone.ID)
		return e.UpdateZoneKey(ctx, before)
	})
}

// tendKeys carries out the steps of all zones' keys as they become due, until ctx is done.
func (s *Service) tendKeys(ctx context.Context) {
	tick := time.NewTicker(keyInterval)
	defer tick.Stop()
	for {
		s.tendZones(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Service) tendZones(ctx context.Context) {
	zones, err := s.store.Zones(ctx)
	if err != nil && ctx.Err() == nil {
		s.log.Error("reading the zones to look after their keys failed; it is tried again", "error", err)
	}
	for _, zone := range zones {
		if !zone.Signed {
			continue
		}
		// A refusal says that an admin was faster.
		err := s.tendZone(ctx, zone)
		if err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrNotFound) && ctx.Err() == nil {
			s.log.Error("looking after a zone's keys failed; it is tried again", "zone", zone.Name, "error", err)
		}
	}
}

// tendZone carries out what is due of one zone's keys.
func (s *Service) tendZone(ctx context.Context, zone Zone) error {
	// Before anything is removed: the parent may have turned back.
	if err := s.followParent(ctx, zone); err != nil {
		return err
	}
	keys, err := s.store.ZoneKeys(ctx, zone.ID)
	if err != nil {
		return err
	}
	now := s.now()
	for _, key := range keys {
		if !key.RemovedAt.IsZero() && !now.Before(key.RemovedAt) {
			if err := s.forgetKey(ctx, zone, key); err != nil {
				return err
			}
		}
	}
	if !s.expired(keys, now) {
		return nil
	}
	event := eventBy(System, "key.roll", zone.Name, "")
	return s.commit(ctx, event, func(e *edit) (err error) {
		event.Detail, err = roll(ctx, e, zone, ZoneSigning, now)
		return err
	})
}

// expired reports whether the zone-signing key has done its time and has no successor.
func (s *Service) expired(keys []ZoneKey, now time.Time) bool {
	var signing []ZoneKey
	for _, key := range keys {
		if key.Role == ZoneSigning && (key.RemovedAt.IsZero() || now.Before(key.RemovedAt)) {
			signing = append(signing, key)
		}
	}
	return len(signing) == 1 && !now.Before(signing[0].ActiveAt.Add(s.zskLifetime))
}

func (s *Service) forgetKey(ctx context.Context, zone Zone, key ZoneKey) error {
	tag, err := key.Tag()
	if err != nil {
		return err
	}
	event := eventBy(System, "key.remove", zone.Name, fmt.Sprintf("%s %d", key.Role, tag))
	return s.commit(ctx, event, func(e *edit) error {
		e.touchZone(zone.ID)
		return e.DeleteZoneKey(ctx, key.ID)
	})
}
