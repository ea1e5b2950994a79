package sites

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Parent tells what the zone above has of a zone.
type Parent interface {
	// DS returns the parent's DS records of the zone, none where it has none, and the time that caches keep them. An error
	// says that the parent could not be asked.
	DS(ctx context.Context, zone string) ([]DS, time.Duration, error)
}

// parentPatience is how long an answer of the parent is waited for.
const parentPatience = 10 * time.Second

// parentHas is what the parent has of a zone whose key-signing key is being replaced.
type parentHas int

const (
	parentUnknown parentHas = iota
	parentNothing           // no DS records
	parentOther             // DS records, none of which names the new key
	parentNew               // a DS record of the new key
)

func (s *Service) parentDS(ctx context.Context, zone string) ([]DS, time.Duration, error) {
	if s.parent == nil {
		return nil, 0, errors.New("nothing asks the parent")
	}
	ctx, cancel := context.WithTimeout(ctx, parentPatience)
	defer cancel()
	return s.parent.DS(ctx, zone)
}

// withoutDS refuses while the parent has DS records of the zone, or may have some: it cannot be asked, and nobody says that they
// are removed.
func (s *Service) withoutDS(ctx context.Context, zone string, removed bool) error {
	found, ttl, err := s.parentDS(ctx, zone)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && !removed:
		return RefuseField(ErrConflict, "signed", "The zone above %s does not answer, so it may have DS records, and resolvers would refuse the zone unsigned. "+
			"If there are none, or they were removed at the registrar and a day has passed, say that with it.", zone)
	case len(found) > 0:
		return RefuseField(ErrConflict, "signed", "The zone above %s has DS records of it, so resolvers would refuse it unsigned. "+
			"Have them removed at the registrar, then wait for %s, which caches keep them.", zone, max(ttl.Round(time.Minute), time.Minute))
	}
	return nil
}

// askParent returns what the parent has of the new key-signing key, and for how long caches keep that.
func (s *Service) askParent(ctx context.Context, zone Zone, after ZoneKey) (parentHas, time.Duration, error) {
	found, ttl, err := s.parentDS(ctx, zone.Name)
	switch {
	case err != nil:
		return parentUnknown, 0, err
	case len(found) == 0:
		return parentNothing, 0, nil
	}
	want, err := after.digests(zone.Name)
	if err != nil {
		return parentUnknown, 0, err
	}
	if slices.ContainsFunc(found, func(ds DS) bool { return slices.Contains(want, ds) }) {
		return parentNew, ttl, nil
	}
	return parentOther, ttl, nil
}

// followParent plans the removal of an old key-signing key once the parent's DS records name the new one, and takes it back
// when they do not any more.
func (s *Service) followParent(ctx context.Context, zone Zone) error {
	if s.parent == nil {
		return nil
	}
	keys, err := keysOf(ctx, s.store, zone.ID, KeySigning)
	if err != nil || len(keys) != 2 {
		return err
	}
	found, ttl, err := s.askParent(ctx, zone, keys[1])
	waiting := keys[0].RetiredAt.IsZero()
	switch {
	case err != nil:
		s.log.Info("the parent zone does not answer; it is asked again", "zone", zone.Name, "error", err)
	case waiting && found == parentNew:
		return s.retireKSK(ctx, System, zone, keys[1], ttl)
	case !waiting && found == parentOther:
		return s.keepKSK(ctx, zone)
	}
	return nil
}

// keepKSK takes the removal of the old key-signing key back: the parent, which was seen or said to have the new one, has not,
// and without the old one the zone would be bogus.
func (s *Service) keepKSK(ctx context.Context, zone Zone) error {
	event := eventBy(System, "key.keep", zone.Name, "")
	return s.commit(ctx, event, func(e *edit) error {
		keys, err := keysOf(ctx, e, zone.ID, KeySigning)
		if err != nil {
			return err
		}
		if len(keys) != 2 || keys[0].RetiredAt.IsZero() {
			return Refuse(ErrConflict, "No key of %s is to be removed.", zone.Name)
		}
		before := keys[0]
		tag, err := before.Tag()
		if err != nil {
			return err
		}
		event.Detail = fmt.Sprintf("ksk %d stays: the DS records of the zone above do not name the new key", tag)
		before.RetiredAt, before.RemovedAt = time.Time{}, time.Time{}
		e.touchZone(zone.ID)
		return e.UpdateZoneKey(ctx, before)
	})
}
