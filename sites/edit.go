package sites

import (
	"context"
	"errors"
	"slices"
)

// edit is a use case's view of the write transaction: it also collects what is to be published.
type edit struct {
	Tx
	touched   []SiteID
	gone      []string
	sets      []setKey
	hasSet    map[setKey]bool
	known     []RRSet // sets that are published as they are here
	zones     []ZoneID
	goneZones []string
	committed []func()
	undone    []func()
}

// setKey names a set of records.
type setKey struct{ name, rrtype string }

// touch has the site published as it is when the transaction ends.
func (e *edit) touch(id SiteID) { e.touched = append(e.touched, id) }

// withdraw has the host's route, name and certificate go.
func (e *edit) withdraw(host string) { e.gone = append(e.gone, host) }

// touchSet has a record's set published as it is when the transaction ends.
func (e *edit) touchSet(r Record) {
	key := setKey{r.Name, r.Type}
	if e.hasSet[key] {
		return
	}
	if e.hasSet == nil {
		e.hasSet = make(map[setKey]bool)
	}
	e.hasSet[key] = true
	e.sets = append(e.sets, key)
}

// touchZone has the zone published as it is when the transaction ends.
func (e *edit) touchZone(id ZoneID) {
	if !slices.Contains(e.zones, id) {
		e.zones = append(e.zones, id)
	}
}

// withdrawZone has the zone go with all its records.
func (e *edit) withdrawZone(name string) { e.goneZones = append(e.goneZones, name) }

// onCommit runs fn after the commit and before the publishing.
func (e *edit) onCommit(fn func()) { e.committed = append(e.committed, fn) }

// onRollback runs fn when the transaction fails, before any other change can begin.
func (e *edit) onRollback(fn func()) { e.undone = append(e.undone, fn) }

// changes reports whether anything that is published is touched.
func (e *edit) changes() bool {
	return len(e.touched)+len(e.gone)+len(e.sets)+len(e.known)+len(e.zones)+len(e.goneZones) > 0
}

// outcome is what an edit has touched, as the transaction leaves it.
type outcome struct {
	sites []siteHosts
	zones []PublishedZone
	sets  []RRSet
}

func (e *edit) outcome(ctx context.Context) (o outcome, err error) {
	if o.sites, err = readSites(ctx, e, e.touched); err != nil {
		return o, err
	}
	if o.zones, err = readZones(ctx, e, e.zones); err != nil {
		return o, err
	}
	o.sets, err = readSets(ctx, e, e.sets)
	o.sets = append(o.sets, e.known...)
	return o, err
}

// commit is the way of every change: one transaction with one event, then publishing.
func (s *Service) commit(ctx context.Context, event *Event, fn func(*edit) error) error {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	var e edit
	var after outcome
	revision, err := s.store.Write(ctx, event, func(tx Tx) error {
		e = edit{Tx: tx}
		if err := stillMay(ctx, tx, event.by); err != nil {
			return err
		}
		if err := fn(&e); err != nil {
			return err
		}
		var err error
		after, err = e.outcome(ctx)
		return err
	})
	if err != nil {
		for _, fn := range e.undone {
			fn()
		}
		return noSpaceOr(err)
	}
	if e.changes() {
		s.edits.Add(1)
	}
	for _, fn := range e.committed {
		fn()
	}
	s.apply(Change{
		Revision: revision, Sites: s.publishedAll(after.sites), Gone: e.gone,
		RRSets: after.sets, Zones: after.zones, GoneZones: e.goneZones,
	})
	for _, sh := range after.sites {
		s.watchers.notify(sh.site.Name)
	}
	return nil
}

// stillMay refuses an actor who has lost the account, or an admin's rights, since the request came in. A body may be long in coming.
func stillMay(ctx context.Context, r AccountReader, actor Actor) error {
	if actor.ID == 0 {
		return nil // berth itself, or whoever has the machine
	}
	account, err := r.AccountByID(ctx, actor.ID)
	switch {
	case errors.Is(err, ErrNotFound):
		return Refuse(ErrForbidden, "Your account was deleted meanwhile. Nothing was changed.")
	case err == nil && actor.Admin() && account.Role != RoleAdmin:
		return Refuse(ErrForbidden, "You are no admin any more. Nothing was changed.")
	}
	return err
}

// maxAttempts is how often long work is done while others change things, before it has them wait.
const maxAttempts = 3

// errOvertaken says that something has been changed since it was looked at.
var errOvertaken = errors.New("overtaken by another change")

// overtaken is errOvertaken if something that is published has changed since edits was read. With s.publishing held, what was
// read of the store meanwhile is then one state, and still the last.
func (s *Service) overtaken(since uint64) error {
	if s.edits.Load() != since {
		return errOvertaken
	}
	return nil
}

// Revise takes the next revision and calls fn with it, in the order of all other changes. It is for what a server does of
// its own accord, such as signing anew: nothing people did, so there is no event, yet the serial must rise.
func (s *Service) Revise(ctx context.Context, fn func(revision int64)) error {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	revision, err := s.store.NextRevision(ctx)
	if err != nil {
		return noSpaceOr(err)
	}
	fn(revision)
	return nil
}
