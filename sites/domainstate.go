package sites

import (
	"context"
	"errors"
	"time"
)

// follow carries out what follows from a look.
func (s *Service) follow(ctx context.Context, site Site, d Domain, v verdict, known bool, misses int) error {
	if d.State == DomainActive {
		if !known {
			return nil
		}
		return s.followActive(ctx, site, d, v, misses)
	}
	if v.leads && v.proves {
		err := s.activateDomain(ctx, site, d)
		var refusal *Refusal
		if errors.Is(err, ErrConflict) || !errors.As(err, &refusal) {
			return err
		}
		s.domains.say(d, refusal.Sentence)
	}
	if d.State == DomainWaiting && s.since(d.CreatedAt) >= waitingTime {
		return s.expireDomain(ctx, site, d)
	}
	return nil
}

func (s *Service) followActive(ctx context.Context, site Site, d Domain, v verdict, misses int) error {
	strayed := !d.StrayedAt.IsZero()
	switch {
	case v.leads && strayed:
		return s.alterDomain(ctx, site, d, "domain.settle", d.Name+" leads here again", func(d *Domain) { d.StrayedAt = time.Time{} })
	case v.leads:
		return nil
	case !strayed:
		return s.alterDomain(ctx, site, d, "domain.stray", v.sentence, func(d *Domain) { d.StrayedAt = s.now() })
	case misses >= lapsingLooks && s.since(d.StrayedAt) >= lapsingLooks*s.domains.interval:
		return s.alterDomain(ctx, site, d, "domain.lapse", v.sentence, func(d *Domain) { d.State = DomainLapsed })
	}
	return nil
}

// alterDomain changes a domain that is as it was looked at; with one that is not, somebody was faster, and it is refused as a conflict.
func (s *Service) alterDomain(ctx context.Context, site Site, seen Domain, action, detail string, alter func(*Domain)) error {
	after := seen
	alter(&after)
	err := s.commit(ctx, eventBy(System, action, site.Name, detail), func(e *edit) error {
		if err := unaltered(ctx, e, seen); err != nil {
			return err
		}
		if after.State != seen.State {
			e.touch(site.ID)
		}
		return e.UpdateDomain(ctx, after)
	})
	if err == nil {
		s.domains.enrol(after, s.domains.pause(after, 0))
	}
	return err
}

// unaltered refuses when a domain is not as it was when somebody looked at it, or another one of its name.
func unaltered(ctx context.Context, r DomainReader, seen Domain) error {
	d, err := r.Domain(ctx, seen.Site, seen.Name)
	if err == nil && (d.State != seen.State || d.Token != seen.Token || !d.StrayedAt.Equal(seen.StrayedAt)) {
		err = Refuse(ErrConflict, "%s has changed meanwhile.", seen.Name)
	}
	return err
}

// activateDomain has a domain that is proven route to its site. It is refused while it is another site's, or kept for another account,
// and when the site is not its owner's any more who has proven it: to another one, the same records may prove nothing.
func (s *Service) activateDomain(ctx context.Context, seenOf Site, seen Domain) error {
	after := seen
	after.State, after.ProvenAt, after.StrayedAt = DomainActive, s.now(), time.Time{}
	err := s.commit(ctx, eventBy(System, "domain.activate", seenOf.Name, seen.Name), func(e *edit) error {
		site, err := e.SiteByID(ctx, seenOf.ID)
		if err == nil && site.Owner != seenOf.Owner {
			err = Refuse(ErrConflict, "%s has changed hands meanwhile.", site.Name)
		}
		if err != nil {
			return err
		}
		if err := unaltered(ctx, e, seen); err != nil {
			return err
		}
		if seen.State == DomainWaiting {
			if err := unhosted(ctx, e, seen.Name); err != nil {
				return err
			}
		}
		if err := s.freeDomain(ctx, e, Actor{ID: site.Owner}, site, seen.Name); err != nil {
			return err
		}
		if err := e.DeleteHeldName(ctx, seen.Name); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		e.touch(site.ID)
		if seen.State == DomainWaiting {
			if err := e.InsertHost(ctx, Host{Name: seen.Name, Site: site.ID, Kind: HostCustom}); err != nil {
				return err
			}
		}
		return e.UpdateDomain(ctx, after)
	})
	if err == nil {
		s.domains.enrol(after, s.domains.pause(after, 0))
	}
	return err
}

// unhosted refuses a name of a zone that is kept here: only admins add those.
func unhosted(ctx context.Context, r ZoneReader, name string) error {
	hosted, err := hostedIn(ctx, r, name)
	if err == nil && hosted.ID != 0 {
		err = Refuse(ErrConflict, "%s lies in %s, which is kept here now.", name, hosted.Name)
	}
	return err
}

// expireDomain gives up a domain that nobody has proven in time.
func (s *Service) expireDomain(ctx context.Context, site Site, seen Domain) error {
	err := s.commit(ctx, eventBy(System, "domain.expire", site.Name, seen.Name+", which was not proven within a week"), func(e *edit) error {
		if err := unaltered(ctx, e, seen); err != nil {
			return err
		}
		return e.DeleteDomain(ctx, seen.Site, seen.Name)
	})
	if err == nil {
		s.domains.forget(seen)
	}
	return err
}
