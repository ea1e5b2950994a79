package sites

import (
	"context"
	"errors"
	"strings"
)

// NameUse says whose a name is.
type NameUse struct {
	Name       string   // the host, lower-case, as A-labels and without trailing dot
	Site       string   // whose host it is; empty: no site's
	Waiting    []string // sites that wait for it as a domain, by name
	Label      string   // the name that a site would have there; empty: none could have it by its name
	Nameserver bool     // it is reserved: a nameserver's or the panel's
	Held       HeldName // it is kept for an account; without a name: it is not
}

// NameUse finds out whose a name is, for admins: that of a site, or a host.
func (s *Service) NameUse(ctx context.Context, actor Actor, input string) (NameUse, error) {
	if err := adminOnly(actor); err != nil {
		return NameUse{}, err
	}
	use := NameUse{Name: s.typedDomain(strings.TrimSpace(input))}
	if !strings.Contains(use.Name, ".") {
		use.Name = s.names.Host(use.Name)
	}
	use.Nameserver = s.names.own[use.Name]
	if label, ok := strings.CutSuffix(use.Name, "."+s.zone); ok {
		if label, err := s.names.Parse(label); err == nil {
			use.Label = label
		}
	}
	var err error
	if use.Site, err = s.siteAt(ctx, use.Name); err != nil {
		return NameUse{}, err
	}
	if use.Waiting, err = s.waitingFor(ctx, use.Name); err != nil {
		return NameUse{}, err
	}
	if use.Held, err = s.store.HeldName(ctx, use.Name); err != nil && !errors.Is(err, ErrNotFound) {
		return NameUse{}, err
	}
	return use, nil
}

// siteAt is the site whose host a name is; empty: none.
func (s *Service) siteAt(ctx context.Context, name string) (string, error) {
	host, err := s.store.Host(ctx, name)
	var site Site
	if err == nil {
		site, err = s.store.SiteByID(ctx, host.Site)
	}
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return site.Name, err
}

// waitingFor lists the sites that wait for a domain.
func (s *Service) waitingFor(ctx context.Context, name string) (names []string, err error) {
	all, err := s.store.Domains(ctx, 0)
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		if d.Name != name || d.State != DomainWaiting {
			continue
		}
		site, err := s.store.SiteByID(ctx, d.Site)
		if err != nil {
			return nil, err
		}
		names = append(names, site.Name)
	}
	return names, nil
}
