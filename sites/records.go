package sites

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// MaxTTL is the longest TTL of a record, in seconds: retired keys stay published for as long as caches may hold what they signed.
const MaxTTL = 24 * 3600

// RecordFilter selects records. Empty fields select all that the actor may change.
type RecordFilter struct {
	Zone   string
	Site   string // name of a site
	Name   string
	Type   string
	Limit  int // 0: all
	Offset int
}

// Records lists records by name, read from the root on: an admin sees all, an owner those at and below the names of its own
// sites.
func (s *Service) Records(ctx context.Context, actor Actor, f RecordFilter) ([]Record, error) {
	q := RecordQuery{Name: CanonicalHost(strings.TrimSpace(f.Name)), Type: strings.ToUpper(f.Type), Limit: f.Limit, Offset: f.Offset}
	if !actor.Admin() {
		q.Owner = actor.ID
	}
	if f.Zone != "" {
		zone, err := findZone(ctx, s.store, f.Zone)
		if errors.Is(err, ErrNotFound) && !actor.Admin() {
			return nil, nil // as for one in which the owner has nothing: which zones are here is for admins
		}
		if err != nil {
			return nil, err
		}
		q.Zone = zone.ID
	}
	if f.Site != "" {
		site, err := s.owned(ctx, actor, f.Site)
		if err != nil {
			return nil, err
		}
		q.Site = site.ID
	}
	return s.store.Records(ctx, q)
}

// RecordByID returns a record that the actor may change; another's is ErrNotFound, like none.
func (s *Service) RecordByID(ctx context.Context, actor Actor, id int64) (Record, error) {
	record, _, err := findRecord(ctx, s.store, actor, id)
	return record, err
}

// NewRecord is what a record is made from.
type NewRecord struct {
	Name string // absolute
	Type string
	TTL  uint32 // seconds; 0: what Syntax gives a record without one
	Data string // names in it without trailing dot are absolute
}

// RecordResult is a record as it is now, and what else the change has brought.
type RecordResult struct {
	Record
	Note string // a sentence for people; may be empty
}

// AddRecord enters a record. It is answered when the call returns.
func (s *Service) AddRecord(ctx context.Context, actor Actor, in NewRecord) (RecordResult, error) {
	record, err := s.parseRecord(Record{Name: in.Name, Type: in.Type, TTL: in.TTL, Data: in.Data})
	if err != nil {
		return RecordResult{}, err
	}
	var note string
	event := eventBy(actor, "record.add", "", "")
	err = s.commit(ctx, event, func(e *edit) (err error) {
		at, err := locateFor(ctx, e, actor, record.Name)
		if err != nil {
			return err
		}
		note, err = s.enter(ctx, e, actor, at, &record)
		event.Subject, event.Detail = at.subject(), record.describe(note)
		return err
	})
	if err != nil {
		return RecordResult{}, err
	}
	record, err = s.store.Record(ctx, record.ID)
	return RecordResult{record, note}, err
}

// parseRecord returns the record in canonical form.
func (s *Service) parseRecord(in Record) (Record, error) {
	in.Name, in.Type = CanonicalHost(strings.TrimSpace(in.Name)), strings.ToUpper(strings.TrimSpace(in.Type))
	if in.Name == "" {
		return Record{}, RefuseField(ErrInvalid, "name", "Give the record's name, such as www.%s.", orDefault(s.zone, "example.org"))
	}
	out, target, err := s.syntax.Record(in)
	if err != nil {
		return Record{}, err
	}
	if out.TTL > MaxTTL {
		return Record{}, RefuseField(ErrInvalid, "ttl", "A TTL can be at most %d seconds, which is one day.", MaxTTL)
	}
	out.Target = CanonicalHost(target)
	return out, nil
}

// check refuses a record that does not go with all others, and completes one that does. It returns the rest of its set.
func (s *Service) check(ctx context.Context, r surroundings, actor Actor, at place, record *Record) (set []Record, err error) {
	record.Zone, record.Site, record.SiteName = at.zone.ID, at.site.ID, at.site.Name
	if err := s.admit(ctx, r, actor, at, *record); err != nil {
		return nil, err
	}
	if set, err = r.Records(ctx, RecordQuery{Name: record.Name, Type: record.Type}); err != nil {
		return nil, err
	}
	return set, room(ctx, r, actor, *record, set)
}

// enter checks a record and inserts it. It returns what else has changed.
func (s *Service) enter(ctx context.Context, e *edit, actor Actor, at place, r *Record) (note string, err error) {
	set, err := s.check(ctx, e, actor, at, r)
	if err != nil {
		return "", err
	}
	if note, err = alignTTL(ctx, e, *r, set); err != nil {
		return "", err
	}
	if r.ID, err = e.InsertRecord(ctx, *r); err != nil {
		return "", err
	}
	e.touchSet(*r)
	missing, err := missingGlue(ctx, e, *r)
	return strings.TrimSpace(note + " " + missing), err
}

// alignTTL gives the rest of a record's set the same TTL: a set has one (RFC 2181 section 5.2).
func alignTTL(ctx context.Context, e *edit, r Record, set []Record) (note string, err error) {
	for _, other := range set {
		if other.TTL == r.TTL {
			continue
		}
		note = fmt.Sprintf("The other %s records of %s now have the TTL %d, too: a set of records has one TTL.", r.Type, r.Name, r.TTL)
		other.TTL = r.TTL
		if err := e.UpdateRecord(ctx, other); err != nil {
			return "", err
		}
	}
	return note, nil
}

// RecordUpdate holds what can be changed of a record; nil fields stay as they are.
type RecordUpdate struct {
	TTL  *uint32
	Data *string
}

// UpdateRecord changes a record's TTL or data.
func (s *Service) UpdateRecord(ctx context.Context, actor Actor, id int64, u RecordUpdate) (RecordResult, error) {
	if u.TTL != nil && *u.TTL == 0 {
		return RecordResult{}, RefuseField(ErrInvalid, "ttl", "A TTL cannot be 0. Leave it out to keep the one that the record has.")
	}
	var note string
	event := eventBy(actor, "record.update", "", "")
	err := s.commit(ctx, event, func(e *edit) error {
		before, at, err := findRecord(ctx, e, actor, id)
		if err != nil {
			return err
		}
		after := before
		after.TTL, after.Data = *orElse(u.TTL, &before.TTL), *orElse(u.Data, &before.Data)
		if after, err = s.parseRecord(after); err != nil {
			return err
		}
		// The new record is checked as one that is added to a zone without the old one.
		after.ID = before.ID
		if err := e.DeleteRecord(ctx, before.ID); err != nil {
			return err
		}
		if before.Type == "NS" {
			at.cut = before.Name
		}
		if note, err = s.enter(ctx, e, actor, at, &after); err != nil {
			return err
		}
		gone, err := dropGlue(ctx, e, before)
		note = strings.TrimSpace(note + " " + gone)
		event.Subject, event.Detail = at.subject(), after.describe("was "+before.describe(""), note)
		return err
	})
	if err != nil {
		return RecordResult{}, err
	}
	record, err := s.store.Record(ctx, id)
	return RecordResult{record, note}, err
}

// DeleteRecord removes a record.
func (s *Service) DeleteRecord(ctx context.Context, actor Actor, id int64) error {
	event := eventBy(actor, "record.delete", "", "")
	return s.commit(ctx, event, func(e *edit) error {
		record, at, err := findRecord(ctx, e, actor, id)
		if err != nil {
			return err
		}
		note, err := remove(ctx, e, record)
		event.Subject, event.Detail = at.subject(), record.describe(note)
		return err
	})
}

// remove deletes a record that others do not need. It returns what has gone with it.
func remove(ctx context.Context, e *edit, r Record) (note string, err error) {
	if err := e.DeleteRecord(ctx, r.ID); err != nil {
		return "", err
	}
	e.touchSet(r)
	if err := keepsDelegation(ctx, e, r); err != nil {
		return "", err
	}
	return dropGlue(ctx, e, r)
}

// findRecord returns a record that the actor may change; another's is ErrNotFound, like none.
func findRecord(ctx context.Context, r Reader, actor Actor, id int64) (Record, place, error) {
	none := Refuse(ErrNotFound, "There is no such record.")
	record, err := r.Record(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return Record{}, place{}, none
	}
	if err != nil {
		return Record{}, place{}, err
	}
	at, err := locateFor(ctx, r, actor, record.Name)
	if errors.Is(err, ErrForbidden) {
		err = none
	}
	return record, at, err
}

// maxDescribed is how many bytes of a record's data an event holds.
const maxDescribed = 200

func (r Record) describe(notes ...string) string {
	data := r.Data
	if len(data) > maxDescribed {
		data = strings.ToValidUTF8(data[:maxDescribed], "") + "…"
	}
	text := fmt.Sprintf("%s %d %s %s", r.Name, r.TTL, r.Type, data)
	for _, note := range notes {
		if note != "" {
			text += "; " + note
		}
	}
	return text
}
