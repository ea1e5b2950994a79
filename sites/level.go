package sites

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// level brings the site's instances to the number and form that it wants, step by step, and stops where something else is
// wanted meanwhile. Instances that are worn are replaced though they are as the site wants them.
func (s *Service) level(ctx context.Context, site Site, worn []Instance) {
	active, wanted := site.Active, site.Wanted
	for s.step(ctx, site, worn) {
		var err error
		if site, err = s.store.SiteByID(ctx, site.ID); s.unlessGone("read site", err) != nil {
			return
		}
		if site.Desired != DesiredRunning || site.Active != active || site.Wanted != wanted {
			return // whoever changed that has an operation waiting
		}
	}
}

// step does the most urgent thing: it starts what is missing, takes out what is too much, or replaces one instance
// that is not as it should be. It reports whether there may be more to do.
func (s *Service) step(ctx context.Context, site Site, worn []Instance) bool {
	fit, odd := sorted(site, s.conditions.instances(site.ID), worn)
	surplus := len(fit) + len(odd) - s.wants(site)
	switch {
	case surplus < 0:
		return s.fill(ctx, site, -surplus)
	case surplus > 0:
		leaving := append(odd, newestFirst(fit)...)[:surplus]
		s.conditions.exchange(site.ID, nil, leaving...)
		s.republish(ctx, site.ID)
		s.dispose(ctx, leaving...)
		return ctx.Err() == nil
	case len(odd) > 0:
		return s.renew(ctx, site, odd[0])
	}
	return false
}

// wants is how many instances the site is to have while it runs.
func (s *Service) wants(site Site) int {
	if s.inProcess {
		return 1
	}
	return max(1, site.Instances)
}

// sorted tells the instances that are as the site wants them from the others.
func sorted(site Site, instances, worn []Instance) (fit, odd []Instance) {
	for _, i := range instances {
		if i.Release == site.Active && i.Limits == site.Limits && !i.Stale && !slices.ContainsFunc(worn, i.is) {
			fit = append(fit, i)
		} else {
			odd = append(odd, i)
		}
	}
	return fit, odd
}

func newestFirst(instances []Instance) []Instance {
	reversed := slices.Clone(instances)
	slices.Reverse(reversed)
	return reversed
}

// served reports whether the site has the instances that it wants.
func (s *Service) served(site Site) bool {
	fit, odd := sorted(site, s.conditions.instances(site.ID), nil)
	return len(odd) == 0 && len(fit) == s.wants(site)
}

// fill starts instances of the active release beside those that serve. Each is published when it answers.
func (s *Service) fill(ctx context.Context, site Site, missing int) bool {
	_, err := s.startSome(ctx, site, site.Active, missing, func(instance Instance) {
		s.conditions.exchange(site.ID, &instance)
		s.republish(ctx, site.ID)
	})
	return s.started(ctx, site, err)
}

// renew replaces one instance; the old one goes when the new one is published.
func (s *Service) renew(ctx context.Context, site Site, old Instance) bool {
	_, err := s.startSome(ctx, site, site.Active, 1, func(instance Instance) {
		s.conditions.exchange(site.ID, &instance, old)
		s.republish(ctx, site.ID)
		s.dispose(ctx, old)
	})
	return s.started(ctx, site, err)
}

// started records how starting went, and reports whether all went well.
func (s *Service) started(ctx context.Context, site Site, err error) bool {
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		s.conditions.setFailure(site.ID, s.sentence(err), time.Now())
		return false
	}
	s.conditions.recovered(site.ID)
	return true
}

// startSome starts instances of a release side by side and calls answers, if that is set, with each as it begins to
// answer, one call at a time. It returns those that answer and why the others do not.
func (s *Service) startSome(ctx context.Context, site Site, number, count int, answers func(Instance)) ([]Instance, error) {
	template, err := s.store.Template(ctx, site.Template)
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	spec := Spec{
		Site: site.ID, Name: site.Name, Release: number, Root: s.content.dir(site.ID, number), Template: template, Limits: site.Limits,
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var running []Instance
	var faults []error
	for range count {
		wg.Go(func() {
			instance, err := s.runtime.Start(ctx, spec)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				faults = append(faults, err)
				return
			}
			running = append(running, instance)
			if answers != nil {
				answers(instance)
			}
		})
	}
	wg.Wait()
	return running, errors.Join(faults...)
}
