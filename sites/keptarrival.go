package sites

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// KeptArrival is an upload that its sender was told has arrived, and that is no release yet. A start goes on with it.
type KeptArrival struct {
	ID      int64 // in the order of arrival
	Site    SiteID
	Account AccountID // who has sent it
	Origin  string    // from where
	File    string    // name of the zip in uploads/
	Starts  int       // that have gone on with it
}

// maxStarts is how many starts go on with an arrival: what ends berth itself must not do so for ever.
const maxStarts = 3

// Keep has the arrival outlast whatever ends berth: the next start goes on with it. Whoever has sent it can be told that it has arrived, and
// need not wait; on an error, only Wait tells what becomes of it.
func (a *Arrival) Keep(ctx context.Context) (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer func() { a.left = err == nil }()
	if a.settled || a.kept != 0 {
		return a.err
	}
	if a.kept, err = a.keep(ctx); err != nil {
		a.service.log.Warn("keeping an upload failed; its sender waits for it", "site", a.site.Name, "error", err)
	}
	return err
}

// keep returns the ID of the KeptArrival that it makes.
func (a *Arrival) keep(ctx context.Context) (int64, error) {
	bytes, err := a.service.content.syncZip(a.zip)
	if err != nil {
		return 0, fmt.Errorf("sync: %w", err)
	}
	kept := KeptArrival{ID: a.number, Site: a.site.ID, Account: a.actor.ID, Origin: a.actor.Origin, File: filepath.Base(a.zip)}
	event := eventBy(a.actor, "release.arrive", a.site.Name, Size(bytes))
	err = a.service.commit(ctx, event, func(e *edit) error {
		if _, err := readOwn(ctx, e, a.actor, a.site.ID); err != nil {
			return err
		}
		return e.InsertArrival(ctx, kept)
	})
	if err != nil {
		return 0, err
	}
	return kept.ID, nil
}

// record is commit for what an arrival becomes: in the same transaction it is kept no more.
func (a *Arrival) record(ctx context.Context, event *Event, fn func(*edit) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.service.commit(ctx, event, func(e *edit) error {
		if err := fn(e); err != nil || a.kept == 0 {
			return err
		}
		return e.DeleteArrival(ctx, a.kept)
	})
	if err == nil {
		a.kept, a.settled = 0, true
	}
	return err
}

// lose gives up an arrival that no release records. It returns what the site is to tell of that. The caller holds mu.
func (a *Arrival) lose(ctx context.Context, cause error) (sentence string) {
	s := a.service
	defer s.removeZip(a.zip)
	if !a.left {
		return "" // its sender is told
	}
	sentence = s.sentence(cause)
	if a.kept != 0 {
		ctx := context.WithoutCancel(ctx)
		err := s.commit(ctx, eventBy(System, "release.lose", a.site.Name, sentence), func(e *edit) error { return e.DeleteArrival(ctx, a.kept) })
		if err != nil && !errors.Is(err, ErrNotFound) { // it goes with its site and its account
			s.log.Error("forgetting an upload that came to nothing failed; the next start does", "site", a.site.Name, "error", err)
		}
		a.kept = 0
	}
	if errors.Is(cause, ErrNotFound) || errors.Is(cause, ErrForbidden) {
		return "" // its sender has nothing to do with the site any more
	}
	return sentence
}

// resumeArrivals goes on with what was kept when berth ended. It must run before the first upload.
func (s *Service) resumeArrivals(ctx context.Context) error {
	all, err := s.store.Arrivals(ctx)
	if err != nil {
		return err
	}
	if len(all) > 0 {
		s.conditions.arrivedUntil(all[len(all)-1].ID)
	}
	for _, kept := range all {
		if err := s.resume(ctx, kept); err != nil {
			return fmt.Errorf("go on with an upload: %w", err)
		}
	}
	return nil
}

func (s *Service) resume(ctx context.Context, kept KeptArrival) error {
	site, err := s.store.SiteByID(ctx, kept.Site)
	if err != nil {
		return err
	}
	account, err := s.store.AccountByID(ctx, kept.Account)
	if err != nil {
		return err
	}
	a := s.newArrival(Actor{ID: account.ID, Name: account.Name, Role: account.Role, Origin: kept.Origin}, site, s.content.zip(kept.File))
	a.kept, a.left = kept.ID, true
	switch {
	case !s.content.hasZip(kept.File):
		a.unfit = Refuse(ErrInvalid, "Its zip was not on the server any more when berth started. Upload it again.")
	case kept.Starts >= maxStarts:
		a.unfit = Refuse(ErrInvalid, "berth ended %d times before it was unpacked. Upload it again, or tell an admin.", kept.Starts+1)
	}
	kept.Starts++
	// Before it is unpacked: that may be what has ended berth.
	err = s.commit(ctx, eventBy(System, "release.resume", site.Name, ""), func(e *edit) error { return e.UpdateArrival(ctx, kept) })
	if err != nil {
		return err
	}
	s.admission.readmit(account.ID)
	s.work.start(a.takeIn)
	return nil
}
