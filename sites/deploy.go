package sites

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// deploy makes the wanted release the active one: it starts instances, activates once they answer, and retires those of the
// release before: visitors never get some of one release and some of another. One instance that answers is enough; level
// starts what is missing. A failure leaves what served serving. Of several releases that were asked for, the last is wanted.
func (s *Service) deploy(ctx context.Context, id SiteID) {
	site, release, err := s.wanted(ctx, id)
	if err != nil || site.Wanted == 0 {
		return
	}
	var started []Instance
	if site.Desired == DesiredRunning {
		// Half of them, so that the release neither begins with a fraction of what it needs nor doubles the site's memory.
		started, err = s.startSome(ctx, site, site.Wanted, (s.wants(site)+1)/2, nil)
		if len(started) == 0 {
			s.startFailed(ctx, site, release, err)
			return
		}
	}
	unused, pruned, err := s.activate(ctx, site, release, started)
	if err != nil {
		s.startFailed(ctx, site, release, err)
	}
	s.dispose(ctx, unused...)
	s.removeContent(id, pruned...)
}

func (s *Service) wanted(ctx context.Context, id SiteID) (Site, Release, error) {
	site, err := s.store.SiteByID(ctx, id)
	if err != nil || site.Wanted == 0 {
		return site, Release{}, s.unlessGone("read site", err)
	}
	release, err := s.store.Release(ctx, id, site.Wanted)
	return site, release, s.unlessGone("read release", err)
}

// unlessGone logs err, except that something was deleted meanwhile, and returns it.
func (s *Service) unlessGone(operation string, err error) error {
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, context.Canceled) {
		s.log.Error(operation+" failed", "error", err)
	}
	return err
}

// activate makes the release the active one. It returns the instances that have no use any more (those before, or
// started themselves when the site must not run any more), and the releases whose content has none.
func (s *Service) activate(ctx context.Context, site Site, release Release, started []Instance) (unused []Instance, pruned []int, err error) {
	unused = started
	event := eventBy(System, "release.live", site.Name, fmt.Sprintf("release %d", release.Number))
	err = s.commit(ctx, event, func(e *edit) error {
		if site, err = e.SiteByID(ctx, site.ID); err != nil {
			return err
		}
		site.Active = release.Number
		release.State, release.Reason, release.ActivatedAt = ReleaseReady, "", time.Now()
		if err := errors.Join(s.settle(ctx, e, &site, release), e.UpdateSite(ctx, site)); err != nil {
			return err
		}
		if pruned, err = s.prune(ctx, e, site); err != nil {
			return err
		}
		e.touch(site.ID)
		if site.Desired == DesiredRunning && len(started) > 0 {
			e.onCommit(func() { unused = s.conditions.replaceAll(site.ID, started) })
		}
		return nil
	})
	if err != nil {
		return started, nil, err
	}
	return unused, pruned, nil
}

// settle stores how a deployment ended: its release, that it is not wanted any more, and that uploads which are not
// wanted either, because something was asked for after them, can be activated later.
func (s *Service) settle(ctx context.Context, e *edit, site *Site, release Release) error {
	if site.Wanted == release.Number {
		site.Wanted = 0
	}
	releases, err := e.Releases(ctx, site.ID)
	if err != nil {
		return err
	}
	for _, r := range releases {
		if r.State == ReleasePreparing && r.Number != release.Number && r.Number != site.Wanted {
			r.State = ReleaseReady
			err = errors.Join(err, e.UpdateRelease(ctx, r))
		}
	}
	return errors.Join(err, e.UpdateRelease(ctx, release))
}

// prune deletes the oldest releases over the number that is kept, counted apart for those that can be activated and those
// that failed. It never deletes the newest, the active or the wanted one, the one that served before, or one on its way.
func (s *Service) prune(ctx context.Context, e *edit, site Site) (pruned []int, err error) {
	releases, err := e.Releases(ctx, site.ID)
	if err != nil {
		return nil, err
	}
	former := servedBefore(releases, site.Active)
	kept := map[ReleaseState]int{}
	for i, r := range releases {
		kept[r.State]++
		spared := i == 0 || r.Number == site.Active || r.Number == site.Wanted || r.Number == former || r.State == ReleasePreparing
		if spared || kept[r.State] <= s.keepReleases {
			continue
		}
		if err := e.DeleteRelease(ctx, site.ID, r.Number); err != nil {
			return nil, err
		}
		pruned = append(pruned, r.Number)
	}
	return pruned, nil
}

// servedBefore is the number of the release that was active before the one that is, 0 for none.
func servedBefore(releases []Release, active int) (number int) {
	var last time.Time
	for _, r := range releases {
		if r.Number != active && r.ActivatedAt.After(last) {
			number, last = r.Number, r.ActivatedAt
		}
	}
	return number
}

// removeContent may fail without harm: boot sweeps what the store does not name.
func (s *Service) removeContent(site SiteID, numbers ...int) {
	for _, number := range numbers {
		if err := s.content.removeRelease(site, number); err != nil {
			s.log.Warn("removing a release's files failed", "site", site, "release", number, "error", err)
		}
	}
}

// startFailed records why the release does not serve. A shutdown is no reason, and neither is a runtime that does not
// answer: the release stays wanted, and reconciliation goes on with it.
func (s *Service) startFailed(ctx context.Context, site Site, release Release, cause error) {
	if ctx.Err() != nil {
		return
	}
	reason := s.sentence(cause)
	if errors.Is(cause, ErrUnavailable) {
		s.conditions.setFailure(site.ID, reason, time.Now())
		return
	}
	never := release.State == ReleasePreparing
	release.Reason = reason
	if never {
		release.State = ReleaseFailed
	}
	var pruned []int
	event := eventBy(System, "release.fail", site.Name, fmt.Sprintf("release %d: %s", release.Number, reason))
	err := s.commit(ctx, event, func(e *edit) error {
		site, err := e.SiteByID(ctx, site.ID)
		if err != nil {
			return err
		}
		e.touch(site.ID)
		if err := errors.Join(s.settle(ctx, e, &site, release), e.UpdateSite(ctx, site)); err != nil {
			return err
		}
		pruned, err = s.prune(ctx, e, site)
		return err
	})
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		s.log.Error("recording why a release failed has failed; it is tried again", "error", err)
		s.conditions.setFailure(site.ID, reason, time.Now())
	case err == nil && never:
		s.removeContent(site.ID, append(pruned, release.Number)...)
	case err == nil:
		s.removeContent(site.ID, pruned...)
	}
}
