package sites

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// SiteUpdate holds what can be changed of a site; nil fields stay as they are. Limits and Owner are for admins.
type SiteUpdate struct {
	Limits     *LimitsUpdate
	Owner      *string
	Instances  *int
	HealthPath *string
	Options    *OptionsUpdate
}

// LimitsUpdate holds what is to change of a site's limits; nil fields stay as they are.
type LimitsUpdate struct {
	MemoryMB *int
	CPUs     *float64
	Pids     *int
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
	event := eventBy(actor, "site.options", site.Name, "")
	err = s.commit(ctx, event, func(e *edit) error {
		before, err := readOwn(ctx, e, actor, site.ID)
		if err != nil {
			return err
		}
		if site, err = s.amended(ctx, e, actor, before, u, hash); err != nil {
			return err
		}
		running, answering := describeRunning(before, site, u.Owner), describeOptions(before.Options, site.Options)
		if len(running)+len(answering) == 0 {
			return errUnchanged
		}
		if len(running) > 0 {
			event.Action = "site.update"
		}
		event.Detail = strings.Join(append(running, answering...), ", ")
		e.touch(site.ID)
		return e.UpdateSite(ctx, site)
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return SiteStatus{}, err
	}
	if event.Action == "site.update" {
		s.background(site.ID, func(ctx context.Context) { s.converge(ctx, site.ID) })
	}
	return s.Site(ctx, actor, name)
}

// errUnchanged ends a transaction that has nothing to write.
var errUnchanged = errors.New("unchanged")

// amended is the site as the update wants it.
func (s *Service) amended(ctx context.Context, e *edit, actor Actor, site Site, u SiteUpdate, hash string) (Site, error) {
	if err := s.mayUpdate(actor, site, u); err != nil {
		return site, err
	}
	site.Limits = u.limits(site.Limits)
	setIf(&site.Instances, u.Instances)
	setIf(&site.HealthPath, u.HealthPath)
	if u.Owner != nil {
		if err := changeOwner(ctx, e, &site, *u.Owner); err != nil {
			return site, err
		}
	}
	if u.Options == nil {
		return site, nil
	}
	err := s.setOptions(ctx, e, &site, *u.Options, hash)
	return site, err
}

// limits are those before with what the update has of them.
func (u SiteUpdate) limits(limits Limits) Limits {
	if u.Limits != nil {
		setIf(&limits.MemoryMB, u.Limits.MemoryMB)
		setIf(&limits.CPUs, u.Limits.CPUs)
		setIf(&limits.Pids, u.Limits.Pids)
	}
	return limits
}

func setIf[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// mayUpdate refuses what the actor may not do, and what nobody may. It is asked before passwords are hashed, which takes a while,
// and again of the site as the transaction finds it.
func (s *Service) mayUpdate(actor Actor, site Site, u SiteUpdate) error {
	if (u.Limits != nil || u.Owner != nil) && !actor.Admin() {
		return Refuse(ErrForbidden, "Only an admin can change a site's limits or owner.")
	}
	if u.Limits != nil {
		if err := u.limits(site.Limits).validate(); err != nil {
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
		return RefuseField(ErrQuota, "instances", "You can give a site up to %s. Ask an admin for more.", Plural(most, "instance"))
	}
	return nil
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

// describeRunning says for the audit log what differs between a site before and after an update, beside options.
func describeRunning(before, after Site, owner *string) (said []string) {
	if l := after.Limits; l != before.Limits {
		said = append(said, fmt.Sprintf("limits %d MiB, %g CPUs, %d processes", l.MemoryMB, l.CPUs, l.Pids))
	}
	if after.Owner != before.Owner {
		said = append(said, "owner "+strings.ToLower(*owner))
	}
	if after.Instances != before.Instances {
		said = append(said, Plural(after.Instances, "instance"))
	}
	if after.HealthPath != before.HealthPath {
		said = append(said, "health path "+orDefault(after.HealthPath, "/"))
	}
	return said
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
