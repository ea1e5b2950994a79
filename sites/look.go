package sites

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// owned returns the site if the actor may see it; another's is ErrNotFound, like none.
func (s *Service) owned(ctx context.Context, actor Actor, name string) (Site, error) {
	site, err := s.store.Site(ctx, strings.ToLower(name))
	if err == nil && !actor.Admin() && site.Owner != actor.ID {
		err = ErrNotFound
	}
	if errors.Is(err, ErrNotFound) {
		return Site{}, Refuse(ErrNotFound, "There is no site of that name here.")
	}
	return site, err
}

// Site returns one site with everything that is known of it. A site of another owner is ErrNotFound.
func (s *Service) Site(ctx context.Context, actor Actor, name string) (SiteStatus, error) {
	site, err := s.owned(ctx, actor, name)
	if err != nil {
		return SiteStatus{}, err
	}
	hosts, err := s.store.Hosts(ctx, site.ID)
	if err != nil {
		return SiteStatus{}, err
	}
	releases, err := s.store.Releases(ctx, site.ID)
	if err != nil {
		return SiteStatus{}, err
	}
	return s.status(siteHosts{site, hosts}, releases), nil
}

// Sites lists the sites of an account by name. Owner 0 lists everybody's; that and other accounts' are for admins.
func (s *Service) Sites(ctx context.Context, actor Actor, owner AccountID) ([]SiteStatus, error) {
	if owner != actor.ID && !actor.Admin() {
		return nil, Refuse(ErrForbidden, "Only an admin can see other accounts' sites.")
	}
	found, err := s.store.Sites(ctx, owner)
	if err != nil {
		return nil, err
	}
	hosts, err := s.store.HostsOf(ctx, owner)
	if err != nil {
		return nil, err
	}
	heads, err := s.store.HeadReleases(ctx, owner)
	if err != nil {
		return nil, err
	}
	hostsBySite := grouped(hosts, func(h Host) SiteID { return h.Site })
	headsBySite := grouped(heads, func(r Release) SiteID { return r.Site })
	statuses := make([]SiteStatus, len(found))
	for i, site := range found {
		statuses[i] = s.status(siteHosts{site, hostsBySite[site.ID]}, headsBySite[site.ID])
	}
	return statuses, nil
}

func grouped[T any](all []T, site func(T) SiteID) map[SiteID][]T {
	groups := make(map[SiteID][]T)
	for _, v := range all {
		groups[site(v)] = append(groups[site(v)], v)
	}
	return groups
}

func (s *Service) status(sh siteHosts, releases []Release) SiteStatus {
	ownHostFirst(sh.hosts)
	st := SiteStatus{Site: sh.site, Hosts: sh.hosts, Serving: s.conditions.instances(sh.site.ID)}
	st.State, st.Reason = s.conditions.state(sh.site)
	if st.Reason != "" {
		st.Retry = s.conditions.retry(sh.site.ID)
	}
	st.Unpacking, st.Lost = s.conditions.uploads(sh.site.ID)
	for i := range releases {
		if releases[i].Number == sh.site.Active {
			st.Release = &releases[i]
		}
	}
	if len(releases) > 0 && releases[0].Number != sh.site.Active {
		st.Latest = &releases[0]
	}
	return st
}

// Releases lists a site's releases, newest first.
func (s *Service) Releases(ctx context.Context, actor Actor, name string) ([]Release, error) {
	site, err := s.owned(ctx, actor, name)
	if err != nil {
		return nil, err
	}
	return s.store.Releases(ctx, site.ID)
}

// Release returns one release of a site.
func (s *Service) Release(ctx context.Context, actor Actor, name string, number int) (Release, error) {
	site, err := s.owned(ctx, actor, name)
	if err != nil {
		return Release{}, err
	}
	return releaseOf(ctx, s.store, site, number)
}

func releaseOf(ctx context.Context, r Reader, site Site, number int) (Release, error) {
	release, err := r.Release(ctx, site.ID, number)
	if errors.Is(err, ErrNotFound) {
		return Release{}, Refuse(ErrNotFound, "%s has no release %d.", site.Name, number)
	}
	return release, err
}

// Await returns when nothing is under way at the site: uploads unpacked before the call serve or have failed.
func (s *Service) Await(ctx context.Context, actor Actor, name string) (SiteStatus, error) {
	site, err := s.owned(ctx, actor, name)
	if err != nil {
		return SiteStatus{}, err
	}
	for done := s.conditions.busy(site.ID); done != nil; done = s.conditions.busy(site.ID) {
		select {
		case <-done:
		case <-ctx.Done():
			return SiteStatus{}, ctx.Err()
		}
	}
	return s.Site(ctx, actor, name)
}

// Events lists the audit log, newest first. It is an admin's; an owner gets the SiteEvents of the site that f.Subject names.
func (s *Service) Events(ctx context.Context, actor Actor, f EventFilter) ([]Event, error) {
	if actor.Admin() {
		return s.store.Events(ctx, f)
	}
	return s.SiteEvents(ctx, actor, f.Subject, f.Limit)
}

// SiteEvents lists, newest first, what has happened to a site since it was made: not what an earlier site or an account
// of that name did. It looks at the newest limit events of the name; 0 is all.
func (s *Service) SiteEvents(ctx context.Context, actor Actor, name string, limit int) ([]Event, error) {
	site, err := s.owned(ctx, actor, name)
	if err != nil {
		return nil, err
	}
	events, err := s.store.Events(ctx, EventFilter{Subject: site.Name, Limit: limit})
	return sinceCreation(events), err
}

// sinceCreation goes by the order of the log, since clocks have too few digits to tell a site from the one before it.
func sinceCreation(events []Event) []Event {
	if i := slices.IndexFunc(events, func(e Event) bool { return e.Action == "site.create" }); i >= 0 {
		events = events[:i+1]
	}
	return slices.DeleteFunc(events, func(e Event) bool { return !e.ofSite() })
}

// Templates lists what sites can be run on.
func (s *Service) Templates(ctx context.Context) ([]Template, error) { return s.store.Templates(ctx) }

// Setting returns a value of the installation; ErrNotFound when it was never set.
func (s *Service) Setting(ctx context.Context, key string) (string, error) {
	return s.store.Setting(ctx, key)
}

// SetSetting keeps a value of the installation. One that is so already makes no event.
func (s *Service) SetSetting(ctx context.Context, actor Actor, key, value string) error {
	if before, err := s.store.Setting(ctx, key); err == nil && before == value {
		return nil
	}
	return s.commit(ctx, eventBy(actor, "setting.set", key, value), func(e *edit) error {
		return e.PutSetting(ctx, key, value)
	})
}

// HostChanged tells watchers that something about a host, such as its certificate, is different now.
func (s *Service) HostChanged(host string) {
	if name, ok := strings.CutSuffix(host, "."+s.zone); ok {
		s.watchers.notify(name)
		return
	}
	found, err := s.store.Host(s.work.ctx, host)
	if err != nil {
		return // no site's, or going to be
	}
	if site, err := s.store.SiteByID(s.work.ctx, found.Site); err == nil {
		s.watchers.notify(site.Name)
	}
}
