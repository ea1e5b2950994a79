package sites

import (
	"context"
	"errors"
	"sync"
)

// background runs op behind the caller; a site's operations run one at a time. In which order does not matter: each
// works towards what the store says when it runs.
func (s *Service) background(id SiteID, op func(context.Context)) {
	s.conditions.begin(id)
	started := s.work.start(func(ctx context.Context) {
		s.exclusively(ctx, id, op)
		s.conditions.end(id)
		s.republish(ctx, id)
	})
	if !started {
		s.conditions.end(id)
	}
}

func (s *Service) exclusively(ctx context.Context, id SiteID, op func(context.Context)) {
	cond := s.conditions.of(id)
	cond.operating.Lock()
	defer cond.operating.Unlock()
	op(ctx)
}

// converge makes the runtime run what the store says of one site.
func (s *Service) converge(ctx context.Context, id SiteID) {
	s.deploy(ctx, id)
	site, err := s.store.SiteByID(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound):
		s.bury(ctx, id)
	case err != nil:
		_ = s.unlessGone("read site", err)
	case site.Desired == DesiredStopped || site.Active == 0:
		s.retire(ctx, id)
	default:
		s.level(ctx, site, nil)
	}
}

// bury removes what a deleted site has left.
func (s *Service) bury(ctx context.Context, id SiteID) {
	s.retire(ctx, id)
	s.conditions.forget(id)
	if err := s.content.removeSite(id); err != nil {
		s.log.Warn("removing a deleted site's files failed", "site", id, "error", err)
	}
}

// restart replaces the site's instances one by one.
func (s *Service) restart(ctx context.Context, id SiteID) {
	site, err := s.store.SiteByID(ctx, id)
	if s.unlessGone("read site", err) == nil && site.Desired == DesiredRunning && site.Active != 0 {
		s.level(ctx, site, s.conditions.instances(id))
	}
}

// retire takes the site's instances out of service.
func (s *Service) retire(ctx context.Context, id SiteID) {
	if len(s.conditions.instances(id)) == 0 {
		return
	}
	before := s.conditions.replaceAll(id, nil)
	s.republish(ctx, id)
	s.dispose(ctx, before...)
}

// dispose drains and stops instances that are no longer published, all at a time. What fails is found again by the next
// reconciliation.
func (s *Service) dispose(ctx context.Context, instances ...Instance) {
	var wg sync.WaitGroup
	for _, instance := range instances {
		wg.Go(func() { s.disposeOne(ctx, instance) })
	}
	wg.Wait()
}

func (s *Service) disposeOne(ctx context.Context, instance Instance) {
	if instance.Addr.IsValid() {
		drain, cancel := context.WithTimeout(ctx, s.drainTimeout)
		if err := s.drainer.Drain(drain, instance.Addr); err != nil && ctx.Err() == nil {
			s.log.Info("requests were still in flight when an instance was stopped", "site", instance.Site, "waited", s.drainTimeout)
		}
		cancel()
	}
	if err := s.runtime.Stop(ctx, instance.ID); err != nil && ctx.Err() == nil {
		s.log.Warn("stopping an instance failed; it is tried again", "site", instance.Site, "error", err)
	}
}
