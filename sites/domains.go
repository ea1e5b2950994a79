package sites

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

// Domains lists the custom domains of a site by name.
func (s *Service) Domains(ctx context.Context, actor Actor, site string) ([]DomainStatus, error) {
	owner, err := s.owned(ctx, actor, site)
	if err != nil {
		return nil, err
	}
	found, err := s.store.Domains(ctx, owner.ID)
	if err != nil {
		return nil, err
	}
	statuses := make([]DomainStatus, len(found))
	for i, d := range found {
		if statuses[i], err = s.domainStatus(ctx, owner, d); err != nil {
			return nil, err
		}
	}
	return statuses, nil
}

// Domain returns one custom domain of a site.
func (s *Service) Domain(ctx context.Context, actor Actor, site, name string) (DomainStatus, error) {
	owner, d, err := s.ownedDomain(ctx, actor, site, name)
	if err != nil {
		return DomainStatus{}, err
	}
	return s.domainStatus(ctx, owner, d)
}

func (s *Service) ownedDomain(ctx context.Context, actor Actor, site, name string) (Site, Domain, error) {
	owner, err := s.owned(ctx, actor, site)
	if err != nil {
		return Site{}, Domain{}, err
	}
	d, err := s.store.Domain(ctx, owner.ID, s.typedDomain(name))
	return owner, d, noDomainOr(err, owner, name)
}

// typedDomain is the canonical form of a name that may be in Unicode; what is no domain stays as it is, and is not found.
func (s *Service) typedDomain(name string) string {
	if parsed, err := s.names.ParseDomain(name); err == nil {
		return parsed
	}
	return CanonicalHost(name)
}

func noDomainOr(err error, site Site, name string) error {
	if errors.Is(err, ErrNotFound) {
		return Refuse(ErrNotFound, "%s has no domain %s.", site.Name, name)
	}
	return err
}

// AddDomain has a site wait for a domain. It routes once it is seen to lead here and its owner is seen to want that; one in a
// zone that is kept here, which only admins can add, routes at once.
func (s *Service) AddDomain(ctx context.Context, actor Actor, site, input string) (DomainStatus, error) {
	owner, err := s.owned(ctx, actor, site)
	if err != nil {
		return DomainStatus{}, err
	}
	name, err := s.names.ParseDomain(input)
	if err != nil {
		return DomainStatus{}, err
	}
	d := Domain{Name: name, Site: owner.ID, State: DomainWaiting, Token: rand.Text(), CreatedAt: s.now()}
	event := eventBy(actor, "domain.add", owner.Name, name)
	err = s.commit(ctx, event, func(e *edit) error {
		owner, err := readOwn(ctx, e, actor, owner.ID)
		if err != nil {
			return err
		}
		if err := roomForDomain(ctx, e, owner, name); err != nil {
			return err
		}
		if err := s.freeDomain(ctx, e, actor, owner, name); err != nil {
			return err
		}
		hosted, err := hostedIn(ctx, e, name)
		if err != nil {
			return err
		}
		if hosted.ID == 0 {
			return e.InsertDomain(ctx, d)
		}
		event.Detail += ", in a zone that is kept here"
		return s.addHosted(ctx, e, actor, hosted, &d)
	})
	if err != nil {
		return DomainStatus{}, err
	}
	s.domains.enrol(d, 0)
	s.watchers.notify(owner.Name)
	return s.Domain(ctx, actor, owner.Name, name)
}

// roomForDomain refuses what the site has already, and more than it may have.
func roomForDomain(ctx context.Context, e *edit, site Site, name string) error {
	all, err := e.Domains(ctx, site.ID)
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.Name == name {
			return RefuseField(ErrTaken, "name", "%s is in the list already.", name)
		}
	}
	if len(all) >= maxDomains {
		return RefuseField(ErrQuota, "name", "A site can have %d domains. Remove one that is no longer needed.", maxDomains)
	}
	return nil
}

// freeDomain refuses a domain that routes elsewhere, or that is kept for another account. An admin who adds it releases it.
func (s *Service) freeDomain(ctx context.Context, e *edit, actor Actor, site Site, name string) error {
	if err := unrouted(ctx, e, site, name); err != nil {
		return err
	}
	held, err := e.HeldName(ctx, name)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case held.Account == site.Owner || !s.now().Before(held.Until):
		return nil
	case actor.Admin():
		return e.DeleteHeldName(ctx, name)
	}
	return RefuseField(ErrTaken, "name", "%s was in use by another account and is kept for it until %s. If the domain is yours now, ask an admin to release it.",
		name, held.Until.UTC().Format("2 January 2006"))
}

// unrouted refuses a name that is a host of another site.
func unrouted(ctx context.Context, e *edit, site Site, name string) error {
	host, err := e.Host(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil || host.Site == site.ID {
		return err
	}
	other, err := e.SiteByID(ctx, host.Site)
	switch {
	case err != nil:
		return err
	case other.Owner == site.Owner:
		return RefuseField(ErrTaken, "name", "%s belongs to the site %s. Remove it there first.", name, other.Name)
	}
	return RefuseField(ErrTaken, "name", "%s is in use by another account. If the domain is yours, ask an admin.", name)
}

// hostedIn is the zone that is kept here as primary and holds the name, the zero Zone where there is none.
func hostedIn(ctx context.Context, r ZoneReader, name string) (Zone, error) {
	for up := range upwards(name) {
		zone, err := r.Zone(ctx, up)
		if err == nil && zone.Kind == ZonePrimary {
			return zone, nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Zone{}, err
		}
	}
	return Zone{}, nil
}

// addHosted adds a domain that berth answers for itself from now on.
func (s *Service) addHosted(ctx context.Context, e *edit, actor Actor, zone Zone, d *Domain) error {
	if !actor.Admin() {
		return RefuseField(ErrForbidden, "name", "%s lies in %s, which is kept here. Ask an admin to add it.", d.Name, zone.Name)
	}
	if err := roomInZone(ctx, e, zone, d.Name); err != nil {
		return err
	}
	d.State, d.ProvenAt = DomainActive, s.now()
	e.touch(d.Site)
	return errors.Join(e.InsertDomain(ctx, *d), e.InsertHost(ctx, Host{Name: d.Name, Site: d.Site, Kind: HostCustom}))
}

// roomInZone refuses a name where records stand in the way of berth's own, or would come to be the site's.
func roomInZone(ctx context.Context, e *edit, zone Zone, name string) error {
	cut, _, err := delegationOf(ctx, e, zone, name)
	if err != nil {
		return err
	}
	if cut != "" {
		return RefuseField(ErrConflict, "name", "%s is delegated to other nameservers, so berth does not answer for %s.", cut, name)
	}
	found, err := e.RecordsWithin(ctx, name, -1)
	if err != nil {
		return err
	}
	for _, r := range found {
		if name != zone.Name || r.Name == name && isAddressType(r.Type) {
			return RefuseField(ErrConflict, "name", "There is a %s record at %s. Delete the records at and below the name first: berth answers with its own.", r.Type, r.Name)
		}
	}
	return nil
}

// RemoveDomain takes a domain from a site. Its route is gone when the call returns; one that was proven is kept for the account for a
// while.
func (s *Service) RemoveDomain(ctx context.Context, actor Actor, site, name string) error {
	owner, d, err := s.ownedDomain(ctx, actor, site, name)
	if err != nil {
		return err
	}
	err = s.commit(ctx, eventBy(actor, "domain.remove", owner.Name, d.Name), func(e *edit) error {
		owner, err := readOwn(ctx, e, actor, owner.ID)
		if err != nil {
			return err
		}
		d, err := e.Domain(ctx, owner.ID, d.Name)
		if err != nil {
			return noDomainOr(err, owner, name)
		}
		if d.State != DomainWaiting {
			if err := s.unroute(ctx, e, owner, d.Name); err != nil {
				return err
			}
		}
		return e.DeleteDomain(ctx, owner.ID, d.Name)
	})
	if err != nil {
		return err
	}
	s.domains.forget(d)
	s.watchers.notify(owner.Name)
	return nil
}

// unroute takes a custom domain's route.
func (s *Service) unroute(ctx context.Context, e *edit, site Site, name string) error {
	if err := withoutRecords(ctx, e, site, name); err != nil {
		return err
	}
	if site.Options.Canonical == name {
		site.Options.Canonical = ""
		if err := e.UpdateSite(ctx, site); err != nil {
			return err
		}
	}
	e.withdraw(name)
	e.touch(site.ID)
	return errors.Join(e.DeleteHost(ctx, name), s.hold(ctx, e, site.Owner, name))
}

// withoutRecords refuses to take a name of a zone that is kept here from a site that has records at or below it: they would
// be nobody's. At the zone's own name a site has none.
func withoutRecords(ctx context.Context, e *edit, site Site, name string) error {
	hosted, err := hostedIn(ctx, e, name)
	if err != nil || hosted.ID == 0 || hosted.Name == name {
		return err
	}
	below, err := e.RecordsWithin(ctx, name, -1)
	for _, r := range below {
		if r.Site == site.ID {
			return Refuse(ErrConflict, "The site has a %s record at %s. Delete its records there first.", r.Type, r.Name)
		}
	}
	return err
}

// hold keeps a name for the account that gives it up: its records may still lead here.
func (s *Service) hold(ctx context.Context, e *edit, account AccountID, name string) error {
	return e.PutHeldName(ctx, HeldName{Name: name, Account: account, Until: s.now().Add(holdTime)}, s.now())
}

// giveUp keeps the names of a site that is being deleted.
func (s *Service) giveUp(ctx context.Context, e *edit, id SiteID, hosts []Host) error {
	site, err := e.SiteByID(ctx, id)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if h.Kind != HostCustom {
			continue
		}
		if err := s.hold(ctx, e, site.Owner, h.Name); err != nil {
			return err
		}
	}
	return e.PutFormerOwner(ctx, site.Name, site.Owner)
}

// HeldNames lists the names that are kept for accounts which gave them up, for admins.
func (s *Service) HeldNames(ctx context.Context, actor Actor) ([]HeldName, error) {
	if err := adminOnly(actor); err != nil {
		return nil, err
	}
	all, err := s.store.HeldNames(ctx)
	now := s.now()
	var held []HeldName
	for _, h := range all {
		if now.Before(h.Until) {
			held = append(held, h)
		}
	}
	return held, err
}

// ReleaseName has a name be free for all accounts before its time is over.
func (s *Service) ReleaseName(ctx context.Context, actor Actor, name string) error {
	if err := adminOnly(actor); err != nil {
		return err
	}
	name = s.typedDomain(name)
	return s.commit(ctx, eventBy(actor, "domain.release", name, ""), func(e *edit) error {
		err := e.DeleteHeldName(ctx, name)
		if errors.Is(err, ErrNotFound) {
			err = Refuse(ErrNotFound, "%s is not kept for anybody.", name)
		}
		return err
	})
}

// domainStatus completes a domain with what is known of it.
func (s *Service) domainStatus(ctx context.Context, site Site, d Domain) (DomainStatus, error) {
	hosted, err := hostedIn(ctx, s.store, d.Name)
	if err != nil {
		return DomainStatus{}, err
	}
	st := DomainStatus{Domain: d, Unicode: unicodeName(d.Name), Registered: unicodeName(registered(d.Name)), Hosted: hosted.ID != 0, Last: s.domains.last(d)}
	if d.State == DomainWaiting {
		st.Expires = d.CreatedAt.Add(waitingTime)
	}
	if st.Hosted && d.State != DomainWaiting {
		return st, nil
	}
	alias, err := s.aliasProves(ctx, s.store, site)
	st.Records, st.Instead = s.domains.records(d, s.names.Host(site.Name), alias)
	return st, err
}

// aliasProves reports whether a CNAME record that leads to the site's own name shows that the domain's owner means this account:
// not if the name was another account's site before, as records of then may still stand.
func (s *Service) aliasProves(ctx context.Context, r DomainReader, site Site) (bool, error) {
	former, err := r.FormerOwner(ctx, site.Name)
	if errors.Is(err, ErrNotFound) {
		return true, nil
	}
	return former == site.Owner, err
}

// since is how long ago a time is, by the clock of the service.
func (s *Service) since(t time.Time) time.Duration { return s.now().Sub(t) }
