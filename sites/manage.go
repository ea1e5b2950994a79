package sites

import (
	"context"
	"errors"
)

// eventBy is the event of a change that the actor makes.
func eventBy(actor Actor, action, subject, detail string) *Event {
	return &Event{Actor: actor.Name, Origin: actor.Origin, Action: action, Subject: subject, Detail: detail, by: actor}
}

// NewSite is what a site is created from. An empty Template means TemplateStatic.
type NewSite struct {
	Name     string
	Template string
}

// CreateSite makes an empty site that the actor owns. Its name, route and placeholder page are up when the call returns.
func (s *Service) CreateSite(ctx context.Context, actor Actor, in NewSite) (SiteStatus, error) {
	name, err := s.names.Parse(in.Name)
	if err != nil {
		return SiteStatus{}, err
	}
	template, err := s.template(ctx, orDefault(in.Template, TemplateStatic))
	if err != nil {
		return SiteStatus{}, err
	}
	if actor.ID == 0 {
		return SiteStatus{}, Refuse(ErrForbidden, "A site belongs to an account. Create it with an API token of one.")
	}
	site := Site{Name: name, Owner: actor.ID, Template: template.Name, Desired: DesiredRunning, Limits: template.Limits, Instances: 1}
	err = s.commit(ctx, eventBy(actor, "site.create", name, ""), func(e *edit) error {
		if err := roomForSite(ctx, e, actor.ID); err != nil {
			return err
		}
		if err := roomForHost(ctx, e, s.names.Host(name)); err != nil {
			return err
		}
		id, err := e.InsertSite(ctx, site)
		if errors.Is(err, ErrTaken) {
			return RefuseField(ErrTaken, "name", "The name %q is taken. Choose another one.", name)
		}
		if err != nil {
			return err
		}
		e.touch(id)
		return e.InsertHost(ctx, Host{Name: s.names.Host(name), Site: id, Kind: HostOwn})
	})
	if err != nil {
		return SiteStatus{}, err
	}
	return s.Site(ctx, actor, name)
}

func (s *Service) template(ctx context.Context, name string) (Template, error) {
	template, err := s.store.Template(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return Template{}, RefuseField(ErrInvalid, "template", "There is no template %q.", name)
	}
	return template, err
}

func roomForSite(ctx context.Context, r AccountReader, owner AccountID) error {
	account, err := r.AccountByID(ctx, owner)
	if err != nil {
		return err
	}
	usage, err := r.Usage(ctx, owner)
	if err != nil {
		return err
	}
	if account.Quota.Sites > 0 && usage.Sites >= account.Quota.Sites {
		return Refuse(ErrQuota, "%s has %d of %d sites. Delete one, or ask an admin for more.", account.Name, usage.Sites, account.Quota.Sites)
	}
	return nil
}

// StartSite has the site run.
func (s *Service) StartSite(ctx context.Context, actor Actor, name string) (SiteStatus, error) {
	return s.setDesired(ctx, actor, name, DesiredRunning, "site.start")
}

// StopSite has the site's visitors meet the page that says it is stopped, from when the call returns.
func (s *Service) StopSite(ctx context.Context, actor Actor, name string) (SiteStatus, error) {
	return s.setDesired(ctx, actor, name, DesiredStopped, "site.stop")
}

func (s *Service) setDesired(ctx context.Context, actor Actor, name string, desired Desired, action string) (SiteStatus, error) {
	site, err := s.owned(ctx, actor, name)
	if err != nil {
		return SiteStatus{}, err
	}
	s.conditions.begin(site.ID)
	err = s.commit(ctx, eventBy(actor, action, site.Name, ""), func(e *edit) error {
		site, err := readOwn(ctx, e, actor, site.ID)
		if err != nil {
			return err
		}
		site.Desired = desired
		e.touch(site.ID)
		return e.UpdateSite(ctx, site)
	})
	if err == nil {
		s.background(site.ID, func(ctx context.Context) { s.converge(ctx, site.ID) })
	}
	s.conditions.end(site.ID)
	if err != nil {
		return SiteStatus{}, err
	}
	return s.Site(ctx, actor, name)
}

// RestartSite replaces the site's instances by new ones of the same release, one by one; no request is lost.
func (s *Service) RestartSite(ctx context.Context, actor Actor, name string) (SiteStatus, error) {
	site, err := s.owned(ctx, actor, name)
	if err != nil {
		return SiteStatus{}, err
	}
	err = s.commit(ctx, eventBy(actor, "site.restart", site.Name, ""), func(e *edit) error {
		site, err := readOwn(ctx, e, actor, site.ID)
		if err == nil && (site.Desired == DesiredStopped || site.Active == 0) {
			err = Refuse(ErrConflict, "%s is not running, so it cannot be restarted.", name)
		}
		return err
	})
	if err != nil {
		return SiteStatus{}, err
	}
	s.background(site.ID, func(ctx context.Context) { s.restart(ctx, site.ID) })
	return s.Site(ctx, actor, name)
}

// DeleteSite removes the site. Name, route and DNS records are gone when the call returns; instance, content and certificate go
// behind it, after a restart too: what the store does not name is removed at boot.
func (s *Service) DeleteSite(ctx context.Context, actor Actor, name string) error {
	site, err := s.owned(ctx, actor, name)
	if err != nil {
		return err
	}
	err = s.commit(ctx, eventBy(actor, "site.delete", site.Name, ""), func(e *edit) error {
		if _, err := readOwn(ctx, e, actor, site.ID); err != nil {
			return err
		}
		hosts, err := e.Hosts(ctx, site.ID)
		if err != nil {
			return err
		}
		for _, h := range hosts {
			e.withdraw(h.Name)
		}
		if err := s.giveUp(ctx, e, site.ID, hosts); err != nil {
			return err
		}
		records, err := e.Records(ctx, RecordQuery{Site: site.ID})
		if err != nil {
			return err
		}
		e.known = emptied(records)
		return e.DeleteSite(ctx, site.ID)
	})
	if err != nil {
		return err
	}
	s.watchers.notify(site.Name)
	s.background(site.ID, func(ctx context.Context) { s.converge(ctx, site.ID) })
	return nil
}

// Record writes an audit line for an act that changes nothing else, such as a login. The act is done, so nobody needs rights for it.
func (s *Service) Record(ctx context.Context, actor Actor, action, subject, detail string) error {
	event := eventBy(actor, action, subject, detail)
	event.by = Actor{}
	return s.commit(ctx, event, func(*edit) error { return nil })
}
