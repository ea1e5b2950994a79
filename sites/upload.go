package sites

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Upload takes a zip as the site's next release. It returns once the content is unpacked and the release is recorded,
// which a crash does not undo; starting and activating it go on behind, and Await waits for them. A refused
// archive is recorded as a failed release with its reason.
func (s *Service) Upload(ctx context.Context, actor Actor, name string, archive io.Reader) (Release, error) {
	arrival, err := s.Receive(ctx, actor, name, archive)
	if err != nil {
		return Release{}, err
	}
	return arrival.Wait(ctx)
}

// roomForUpload refuses what is hopeless before it is sent.
func (s *Service) roomForUpload(ctx context.Context, site Site) error {
	return errors.Join(s.content.room(), roomForBytes(ctx, s.store, site, 1))
}

// acceptUpload returns a release with an error where that is recorded as one.
func (s *Service) acceptUpload(ctx context.Context, a *Arrival) (Release, error) {
	if err := s.content.room(); err != nil {
		return Release{}, err
	}
	staging := s.content.staging(a.zip)
	defer os.RemoveAll(staging)
	manifest, err := s.unpack(ctx, a.zip, staging)
	if err != nil && ctx.Err() != nil {
		return Release{}, errStopping()
	}
	if err != nil {
		return s.refuseUpload(ctx, a, noSpaceOr(err))
	}
	release, err := s.addRelease(ctx, a, manifest, staging)
	if errors.Is(err, ErrQuota) {
		return s.refuseUpload(ctx, a, err)
	}
	if err != nil {
		return Release{}, err
	}
	s.background(a.site.ID, func(ctx context.Context) { s.converge(ctx, a.site.ID) })
	return release, nil
}

// addRelease gives the content its number and makes it the wanted release. The content is in place before the row is
// committed, so a committed release is whole.
func (s *Service) addRelease(ctx context.Context, a *Arrival, m Manifest, unpacked string) (Release, error) {
	r := Release{Site: a.site.ID, State: ReleasePreparing, CreatedBy: a.actor.Name, Files: m.Files, Bytes: m.Bytes, Warning: m.Warning}
	template, err := s.store.Template(ctx, a.site.Template)
	if err != nil {
		return r, err
	}
	if template.Static() {
		r.Remarks = m.Remarks
	}
	event := eventBy(a.actor, "release.upload", a.site.Name, "")
	err = a.record(ctx, event, func(e *edit) error {
		site, err := readOwn(ctx, e, a.actor, a.site.ID)
		if err != nil {
			return err
		}
		if err := roomForBytes(ctx, e, site, m.Bytes); err != nil {
			return err
		}
		if err := insertNext(ctx, e, &r); err != nil {
			return err
		}
		event.Detail = fmt.Sprintf("release %d, %s, %s", r.Number, Plural(r.Files, "file"), Size(r.Bytes))
		site.Wanted = r.Number
		e.touch(site.ID)
		if err := e.UpdateSite(ctx, site); err != nil {
			return err
		}
		if err := s.content.keep(unpacked, site.ID, r.Number); err != nil {
			return err
		}
		e.onRollback(func() { s.removeContent(site.ID, r.Number) })
		return nil
	})
	return r, err
}

// readOwn reads a site again inside a transaction; one that was deleted or given to somebody else meanwhile is refused.
func readOwn(ctx context.Context, r SiteReader, actor Actor, id SiteID) (Site, error) {
	site, err := r.SiteByID(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound):
		err = Refuse(ErrNotFound, "The site was deleted meanwhile.")
	case err == nil && !actor.Admin() && site.Owner != actor.ID:
		err = Refuse(ErrNotFound, "The site was given to another account meanwhile.")
	}
	if err != nil {
		return Site{}, err
	}
	return site, nil
}

// insertNext inserts r under the site's next number. The newest release is never removed, so no number comes twice.
func insertNext(ctx context.Context, e *edit, r *Release) error {
	releases, err := e.Releases(ctx, r.Site)
	if err != nil {
		return err
	}
	r.Number = 1
	if len(releases) > 0 {
		r.Number = releases[0].Number + 1
	}
	return e.InsertRelease(ctx, *r)
}

func roomForBytes(ctx context.Context, r Reader, site Site, more int64) error {
	owner, err := r.AccountByID(ctx, site.Owner)
	if err != nil {
		return err
	}
	usage, err := r.Usage(ctx, site.Owner)
	if err != nil {
		return err
	}
	if owner.Quota.Bytes > 0 && usage.Bytes+more > owner.Quota.Bytes {
		return Refuse(ErrQuota, "This release needs %d MB, and %s has %d of %d MB left. Delete a site, or ask an admin for more.",
			ceilMB(more), owner.Name, max(0, owner.Quota.Bytes-usage.Bytes)>>20, owner.Quota.Bytes>>20)
	}
	return nil
}

func ceilMB(bytes int64) int64 { return (bytes + 1<<20 - 1) >> 20 }

// refuseUpload records the refusal as a failed release and returns both.
func (s *Service) refuseUpload(ctx context.Context, a *Arrival, cause error) (Release, error) {
	if errors.Is(cause, ErrNoSpace) {
		return Release{}, cause // recording it would need room too
	}
	r := Release{Site: a.site.ID, State: ReleaseFailed, Reason: s.sentence(cause), CreatedBy: a.actor.Name}
	var pruned []int
	err := a.record(ctx, eventBy(a.actor, "release.refuse", a.site.Name, r.Reason), func(e *edit) error {
		site, err := readOwn(ctx, e, a.actor, a.site.ID)
		if err != nil {
			return err
		}
		if err := insertNext(ctx, e, &r); err != nil {
			return err
		}
		e.touch(site.ID)
		pruned, err = s.prune(ctx, e, site)
		return err
	})
	if err != nil {
		return Release{}, errors.Join(cause, err)
	}
	s.removeContent(a.site.ID, pruned...)
	return r, cause
}

// sentence is what of an error may be shown to people; the rest is logged.
func (s *Service) sentence(err error) string {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.Sentence
	}
	s.log.Error("an operation failed", "error", err)
	return "Something went wrong on the server. An admin finds the details in berth's log."
}

// Activate makes an earlier release the active one, behind the call and after a crash too. Await waits for it.
func (s *Service) Activate(ctx context.Context, actor Actor, name string, number int) (Release, error) {
	site, err := s.owned(ctx, actor, name)
	if err != nil {
		return Release{}, err
	}
	var release Release
	event := eventBy(actor, "release.activate", site.Name, fmt.Sprintf("release %d", number))
	err = s.commit(ctx, event, func(e *edit) error {
		site, err := readOwn(ctx, e, actor, site.ID)
		if err != nil {
			return err
		}
		// Here and not before: a deployment that ends meanwhile prunes releases.
		if release, err = activatable(ctx, e, site, number); err != nil {
			return err
		}
		if site.Wanted == number {
			return errUnchanged // it is on its way
		}
		site.Wanted = number
		e.touch(site.ID)
		return e.UpdateSite(ctx, site)
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return Release{}, err
	}
	s.background(site.ID, func(ctx context.Context) { s.converge(ctx, site.ID) })
	return release, nil
}

// activatable reads a release that its site may go over to.
func activatable(ctx context.Context, r Reader, site Site, number int) (Release, error) {
	release, err := releaseOf(ctx, r, site, number)
	switch {
	case err != nil:
		return Release{}, err
	case release.State == ReleaseFailed:
		return Release{}, Refuse(ErrConflict, "Release %d of %s never worked, so it cannot be activated.", number, site.Name)
	case site.Active == number && site.Wanted == 0:
		return Release{}, Refuse(ErrConflict, "Release %d of %s is active already.", number, site.Name)
	}
	return release, nil
}
