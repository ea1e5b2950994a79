package sites

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// SiteUpdate holds what can be changed of a site; nil fields stay as they are. Limits and Owner are for admins.
type SiteUpdate struct {
	Limits     *Limits
	Owner      *string
	Instances  *int
	HealthPath *string
	Options    *OptionsUpdate
}

// UpdateSite changes how a site runs, how it answers or who owns it: all that is asked for, or nothing. Visitors meet new
// options when the call returns. New limits take effect by replacing the instances one by one; of more or fewer instances
// none is touched that stays. What comes to no change makes no event.
func (s *Service) UpdateSite(ctx context.Context, actor Actor, name string, u SiteUpdate) (SiteStatus, error) {
	site, err := s.owned(ctx, actor, name)
	if err != nil {
		return SiteStatus{}, err
	}
	if err := s.mayUpdate(actor, site, u); err != nil {
		return SiteStatus{}, err
	}
	var hash string
	if u.Options != nil && u.Options.Login != nil { // before the transaction, which must not wait for it
		if hash, err = s.logins.prepare(*u.Options.Login); err != nil {
			return SiteStatus{}, err
		}
	}
	event := eventBy(actor, u.action(), site.Name, "")
	err = s.commit(ctx, event, func(e *edit) error {
		if site, err = e.SiteByID(ctx, site.ID); err != nil {
			return err
		}
		if event.Detail, err = s.amend(ctx, e, &site, u, hash); err != nil {
			return err
		}
		if event.Detail == "" {
			return errUnchanged
		}
		e.touch(site.ID)
		return e.UpdateSite(ctx, site)
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return SiteStatus{}, err
	}
	if u.beyondOptions() {
		s.background(site.ID, func(ctx context.Context) { s.converge(ctx, site.ID) })
	}
	return s.Site(ctx, actor, name)
}

// errUnchanged ends a transaction that has nothing to write.
var errUnchanged = errors.New("unchanged")

// amend makes of the site what the update wants, and says for the audit log what that is.
func (s *Service) amend(ctx context.Context, e *edit, site *Site, u SiteUpdate, hash string) (said string, err error) {
	setIf(&site.Limits, u.Limits)
	setIf(&site.Instances, u.Instances)
	setIf(&site.HealthPath, u.HealthPath)
	if u.Owner != nil {
		if err := changeOwner(ctx, e, site, *u.Owner); err != nil {
			return "", err
		}
	}
	parts := u.describe()
	if u.Options != nil {
		before := site.Options
		if err := s.setOptions(ctx, e, site, *u.Options, hash); err != nil {
			return "", err
		}
		parts = append(parts, describeOptions(before, site.Options)...)
	}
	return strings.Join(parts, ", "), nil
}

// beyondOptions reports whether the update is of more than how the site answers.
func (u SiteUpdate) beyondOptions() bool {
	u.Options = nil
	return u != (SiteUpdate{})
}

func (u SiteUpdate) action() string {
	if u.beyondOptions() {
		return "site.update"
	}
	return "site.options"
}

func setIf[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func (s *Service) mayUpdate(actor Actor, site Site, u SiteUpdate) error {
	if (u.Limits != nil || u.Owner != nil) && !actor.Admin() {
		return Refuse(ErrForbidden, "Only an admin can change a site's limits or owner.")
	}
	if u.Limits != nil {
		if err := u.Limits.validate(); err != nil {
			return err
		}
	}
	if u.HealthPath != nil {
		if err := validateHealthPath(*u.HealthPath); err != nil {
			return err
		}
	}
	if u.Instances != nil {
		return s.mayHave(actor, site, *u.Instances)
	}
	return nil
}

// MostInstances is how many instances the actor may give a site.
func (s *Service) MostInstances(actor Actor) int {
	if actor.Admin() {
		return MaxInstances
	}
	return s.mostInstances
}

// mayHave refuses a number of instances. What an admin has given a site its owner may take away, and only that.
func (s *Service) mayHave(actor Actor, site Site, instances int) error {
	if instances < 1 || instances > MaxInstances {
		return RefuseField(ErrInvalid, "instances", "A site has between 1 and %d instances.", MaxInstances)
	}
	if most := s.MostInstances(actor); instances > max(most, site.Instances) {
		return RefuseField(ErrQuota, "instances", "You can give a site up to %s. Ask the operator for more.", plural(most, "instance"))
	}
	return nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// maxHealthPath is how long a health path can be, in bytes.
const maxHealthPath = 200

func validateHealthPath(path string) error {
	if path == "" {
		return nil
	}
	if path[0] != '/' || len(path) > maxHealthPath || strings.HasPrefix(path, "//") {
		return RefuseField(ErrInvalid, "health_path", "The path must begin with one / and have at most %d characters, such as /healthz.", maxHealthPath)
	}
	for _, c := range []byte(path) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("#\\\"<>^`{|}", c) >= 0 {
			return RefuseField(ErrInvalid, "health_path", "The path can hold letters, digits and -._~/?&=%%+, and others only as %%20 and the like.")
		}
	}
	return nil
}

// changeOwner gives a site to another account. To that, records of before which lead to the site prove nothing.
func changeOwner(ctx context.Context, e *edit, site *Site, name string) error {
	owner, err := newOwner(ctx, e, *site, name)
	if err != nil || owner == site.Owner {
		return err
	}
	before := site.Owner
	site.Owner = owner
	return e.PutFormerOwner(ctx, site.Name, before)
}

// newOwner finds who is to own the site, and refuses one whose quota has no room for it.
func newOwner(ctx context.Context, r Reader, site Site, name string) (AccountID, error) {
	account, err := r.Account(ctx, strings.ToLower(name))
	if errors.Is(err, ErrNotFound) {
		return 0, RefuseField(ErrInvalid, "owner", "There is no account %q.", name)
	}
	if err != nil || account.ID == site.Owner {
		return account.ID, err
	}
	return account.ID, roomForSite(ctx, r, account.ID)
}

// describe says what the update is of beside options.
func (u SiteUpdate) describe() (parts []string) {
	if u.Limits != nil {
		parts = append(parts, fmt.Sprintf("limits %d MiB, %g CPUs, %d processes", u.Limits.MemoryMB, u.Limits.CPUs, u.Limits.Pids))
	}
	if u.Owner != nil {
		parts = append(parts, "owner "+*u.Owner)
	}
	if u.Instances != nil {
		parts = append(parts, plural(*u.Instances, "instance"))
	}
	if u.HealthPath != nil {
		parts = append(parts, "health path "+orDefault(*u.HealthPath, "/"))
	}
	return parts
}

func (l Limits) validate() error {
	switch {
	case l.MemoryMB < 16 || l.MemoryMB > 1<<20:
		return RefuseField(ErrInvalid, "limits.memory_mb", "Memory must be between 16 and 1048576 MiB.")
	case l.CPUs < 0.05 || l.CPUs > 256:
		return RefuseField(ErrInvalid, "limits.cpus", "CPUs must be between 0.05 and 256.")
	case l.Pids < 8 || l.Pids > 32768:
		return RefuseField(ErrInvalid, "limits.pids", "Processes must be between 8 and 32768.")
	}
	return nil
}
