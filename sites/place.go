package sites

import (
	"context"
	"errors"
)

// place is where a name lies.
type place struct {
	zone Zone
	site Site   // whose name is at or above; ID 0: no site's
	host string // that name of the site
	cut  string // a name that is delegated until its only NS record, which is changed, has its new data
}

// subject is what events of records at the place are about.
func (p place) subject() string {
	if p.site.ID != 0 {
		return p.site.Name
	}
	return p.zone.Name
}

// locate finds the zone that a name lies in and the site that it belongs to.
func locate(ctx context.Context, r surroundings, name string) (place, error) {
	var at place
	for up := range upwards(name) {
		if at.host == "" {
			host, err := r.Host(ctx, up)
			if err == nil {
				at.host = host.Name
				at.site, err = r.SiteByID(ctx, host.Site)
			}
			if err != nil && !errors.Is(err, ErrNotFound) {
				return at, err
			}
		}
		zone, err := r.Zone(ctx, up)
		if err == nil {
			at.zone = zone
			if at.host == zone.Name {
				at.site = Site{} // the site has the name, and no say in the zone
			}
			return at, at.writable()
		}
		if !errors.Is(err, ErrNotFound) {
			return at, err
		}
	}
	return at, RefuseField(ErrInvalid, "name", "%s lies in no zone that is kept here.", name)
}

func (p place) writable() error {
	if p.zone.Kind == ZoneSecondary {
		return RefuseField(ErrConflict, "name", "%s is a secondary zone here. Change its records at its primary.", p.zone.Name)
	}
	return nil
}

// locateFor is locate for an actor who wants to change records there.
func locateFor(ctx context.Context, r surroundings, actor Actor, name string) (place, error) {
	at, err := locate(ctx, r, name)
	if actor.Admin() || err == nil && at.site.ID != 0 && at.site.Owner == actor.ID {
		return at, err
	}
	var refusal *Refusal
	if err != nil && !errors.As(err, &refusal) {
		return at, err
	}
	return at, RefuseField(ErrForbidden, "name", "You can enter records at and below the names of your own sites; %s is not there.", name)
}

// roomForHost refuses a site's name where records have been entered: its owner would come to own them.
func roomForHost(ctx context.Context, r Reader, host string) error {
	found, err := r.RecordsWithin(ctx, host, 1)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return RefuseField(ErrTaken, "name", "The name is taken: there are DNS records at %s. Choose another one, or ask an admin.", found[0].Name)
	}
	return nil
}
