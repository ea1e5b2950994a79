package sites

import (
	"context"
	"errors"
)

// OptionsUpdate holds what is to change of a site's options; nil fields stay as they are.
type OptionsUpdate struct {
	Canonical         *string
	TrailingSlash     *TrailingSlash
	HSTS              *HSTS
	Login             *LoginUpdate
	Allow             *[]string // addresses, and prefixes such as 192.0.2.0/24
	Maintenance       *bool
	DownPage          *string
	MaintenancePage   *string
	RequestsPerSecond *int
	Connections       *int
	BodyMB            *int
}

// UpdateOptions is UpdateSite for options alone. Refusals name the option as OptionField does.
func (s *Service) UpdateOptions(ctx context.Context, actor Actor, name string, u OptionsUpdate) (SiteStatus, error) {
	return s.UpdateSite(ctx, actor, name, SiteUpdate{Options: &u})
}

// setOptions judges what is to change, and only that: what has become wrong since it was set does not stand in the way.
func (s *Service) setOptions(ctx context.Context, r SiteReader, site *Site, u OptionsUpdate, hash string) error {
	o := &site.Options
	return errors.Join(
		change(&o.Canonical, u.Canonical, func(host string) (string, error) { return canonicalOf(ctx, r, site.ID, host) }),
		change(&o.TrailingSlash, u.TrailingSlash, parseTrailingSlash),
		change(&o.HSTS, u.HSTS, parseHSTS),
		change(&o.Login, u.Login, func(u LoginUpdate) (Login, error) { return u.applied(o.Login, hash) }),
		change(&o.Allow, u.Allow, parseAllow),
		change(&o.Maintenance, u.Maintenance, func(on bool) (bool, error) { return on, nil }),
		change(&o.Pages.Down, u.DownPage, s.pageOf(*site, "pages.down")),
		change(&o.Pages.Maintenance, u.MaintenancePage, s.pageOf(*site, "pages.maintenance")),
		change(&o.Bounds.RequestsPerSecond, u.RequestsPerSecond, bound("bounds.requests_per_second", maxBound)),
		change(&o.Bounds.Connections, u.Connections, bound("bounds.connections", maxBound)),
		change(&o.Bounds.BodyMB, u.BodyMB, bound("bounds.body_mb", maxBodyBound)),
	)
}

// change sets an option to what parse makes of the new value, if there is one.
func change[T, V any](option *T, value *V, parse func(V) (T, error)) error {
	if value == nil {
		return nil
	}
	parsed, err := parse(*value)
	if err == nil {
		*option = parsed
	}
	return err
}
