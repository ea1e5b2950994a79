package sites

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// fullEvery is how many healing intervals pass between two full changes.
const fullEvery = 10

// settleTime is the least time between two reconciliations, so that a burst of engine events causes few.
const settleTime = 200 * time.Millisecond

// bootPatience is how long boot waits for the runtime to list what runs. Without the list, sites are served from
// their files until a reconciliation has it.
const bootPatience = 2 * time.Second

// requestReconcile asks for a reconciliation soon; requests made before it begins are served by one.
func (s *Service) requestReconcile() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Service) reconcileUntil(ctx context.Context) {
	engineDown, published := false, time.Now()
	settled := sync.OnceFunc(func() { close(s.settled) })
	for {
		err := s.reconcile(ctx)
		settled()
		if down := err != nil; down != engineDown && ctx.Err() == nil {
			engineDown = down
			s.logEngine(err)
		}
		if time.Since(published) >= fullEvery*s.heal {
			published = time.Now()
			if err := s.publishAll(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("reading the full state failed; the servers go on with what they have", "error", err)
			}
		}
		if !s.pause(ctx) {
			return
		}
	}
}

// pause waits until something asks for a reconciliation, a failed site may be tried again, or it is time to heal. It
// returns false when ctx is done.
func (s *Service) pause(ctx context.Context) bool {
	settled := time.After(min(settleTime, s.heal))
	due := time.After(s.conditions.nextRetry(time.Now(), s.heal))
	select {
	case <-ctx.Done():
		return false
	case <-due:
	case <-s.wake:
	}
	select {
	case <-ctx.Done():
		return false
	case <-settled:
		return true
	}
}

func (s *Service) logEngine(err error) {
	if err != nil {
		s.log.Warn("reconciling failed; sites go on as they are, and it is tried again", "error", err)
		return
	}
	s.log.Info("reconciling works again")
}

// adoptInstances takes up at boot what runs already, before anything is published.
func (s *Service) adoptInstances(ctx context.Context) {
	patience, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	instances, err := s.runtime.Instances(patience)
	if err != nil {
		return // the first reconciliation reports it
	}
	for _, instance := range bestFirst(instances) {
		site, err := s.store.SiteByID(ctx, instance.Site)
		if err == nil && s.adoptable(site, instance) {
			s.conditions.exchange(site.ID, &instance)
		}
	}
}

// bestFirst orders instances so that of too many the best are adopted: those of this berth, then the oldest.
func bestFirst(instances []Instance) []Instance {
	return slices.SortedFunc(slices.Values(instances), func(a, b Instance) int {
		if a.Stale != b.Stale {
			if a.Stale {
				return 1
			}
			return -1
		}
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.ID, b.ID))
	})
}

// adoptable reports whether the site lacks an instance and this one is of its active release.
func (s *Service) adoptable(site Site, instance Instance) bool {
	return site.Desired == DesiredRunning && site.Active == instance.Release && len(s.conditions.instances(site.ID)) < s.wants(site)
}

// reconcile compares what should run with what runs and repairs the difference. The runtime is asked before the store:
// an instance that was started or stopped in between is then seen as what it has become.
func (s *Service) reconcile(ctx context.Context) error {
	clock := s.conditions.now()
	instances, err := s.runtime.Instances(ctx)
	if err != nil {
		return fmt.Errorf("list instances: %w", err)
	}
	sites, err := s.store.Sites(ctx, 0)
	if err != nil {
		return err
	}
	alive := make(map[string]bool, len(instances))
	for _, instance := range instances {
		alive[instance.ID] = true
	}
	changed := s.conditions.dropDead(alive, clock)
	byID := make(map[SiteID]Site, len(sites))
	for _, site := range sites {
		byID[site.ID] = site
	}
	for _, instance := range bestFirst(instances) {
		if s.takeUp(byID[instance.Site], instance, clock) {
			changed = append(changed, instance.Site)
		}
	}
	for _, id := range changed {
		s.republish(ctx, id)
	}
	s.convergeAll(sites)
	return nil
}

// takeUp adopts a running instance that its site lacks, or stops one that no site wants. It reports an adoption. Where
// somebody is at work, or was since the clock was read, the list that has the instance is out of date.
func (s *Service) takeUp(site Site, instance Instance, clock uint64) bool {
	if s.conditions.busy(instance.Site) != nil || s.conditions.modifiedAfter(instance.Site, clock) {
		return false
	}
	switch {
	case slices.ContainsFunc(s.conditions.instances(instance.Site), instance.is):
		return false
	case s.adoptable(site, instance):
		s.conditions.exchange(site.ID, &instance)
		return true
	}
	s.log.Info("stopping an instance that no site wants", "site", instance.Site, "release", instance.Release)
	s.work.start(func(ctx context.Context) { s.dispose(ctx, instance) })
	return false
}

func (s *Service) convergeAll(sites []Site) {
	now := time.Now()
	for _, site := range sites {
		wants := site.Desired == DesiredRunning && site.Active != 0
		odd := site.Wanted != 0 || wants && !s.served(site) || !wants && len(s.conditions.instances(site.ID)) > 0
		if odd && s.conditions.due(site.ID, now) {
			s.background(site.ID, func(ctx context.Context) { s.repair(ctx, site.ID) })
		}
	}
}

// repair is converge for as many sites at a time as there is room.
func (s *Service) repair(ctx context.Context, id SiteID) {
	select {
	case s.repairs <- struct{}{}:
		defer func() { <-s.repairs }()
		s.converge(ctx, id)
	case <-ctx.Done():
	}
}
