package sites

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ImportMode says what becomes of records that the imported file does not have.
type ImportMode string

const (
	ImportMerge   ImportMode = "merge"   // they stay
	ImportReplace ImportMode = "replace" // they go
)

// Import is what the import of a zone file does: before it, as a preview, or after it.
type Import struct {
	Adds      []Record
	Changes   []RecordChange // of TTLs
	Removes   []Record
	Unchanged int
	Faults    []LineFault // what is left out of the file, and why; the rest is imported all the same
	Hash      string      // names this outcome for ApplyImport

	after []Record // all of the zone
}

// RecordChange is a record before and after.
type RecordChange struct{ Before, After Record }

// PlanImport returns what importing a zone file would do. For admins.
func (s *Service) PlanImport(ctx context.Context, actor Actor, zone string, mode ImportMode, r io.Reader) (Import, error) {
	in, err := s.readImport(ctx, actor, zone, mode, r)
	if err != nil {
		return Import{}, err
	}
	return s.carryOut(ctx, s.store, actor, in)
}

// ApplyImport imports a zone file as the preview with this hash has shown it, all or nothing. Where it would now do something
// else it is refused as ErrConflict. It is worked out while others go on to change things; only the writing has them wait.
func (s *Service) ApplyImport(ctx context.Context, actor Actor, zone string, mode ImportMode, r io.Reader, hash string) (Import, error) {
	in, err := s.readImport(ctx, actor, zone, mode, r)
	if err != nil {
		return Import{}, err
	}
	for range maxAttempts {
		since := s.edits.Load()
		plan, err := s.carryOut(ctx, s.store, actor, in)
		if err != nil {
			return Import{}, err
		}
		done, err := s.commitImport(ctx, actor, in, hash, func(*edit) (Import, error) { return plan, s.overtaken(since) })
		if !errors.Is(err, errOvertaken) {
			return done, err
		}
	}
	return s.commitImport(ctx, actor, in, hash, func(e *edit) (Import, error) { return s.carryOut(ctx, e, actor, in) })
}

// commitImport writes the import that plan returns, if it is the one with the hash.
func (s *Service) commitImport(ctx context.Context, actor Actor, in importFile, hash string, plan func(*edit) (Import, error)) (done Import, err error) {
	event := eventBy(actor, "zone.import", in.zone.Name, "")
	err = s.commit(ctx, event, func(e *edit) (err error) {
		zone, err := findZone(ctx, e, in.zone.Name)
		if err != nil {
			return err
		}
		if done, err = plan(e); err != nil {
			return err
		}
		if done.Hash != hash || zone.ID != in.zone.ID {
			return Refuse(ErrConflict, "The zone %s or the file has changed since the preview. Look at what would change now.", in.zone.Name)
		}
		if err := done.write(ctx, e); err != nil {
			return err
		}
		event.Detail = fmt.Sprintf("%s: %d records added, %d changed, %d removed", in.mode, len(done.Adds), len(done.Changes), len(done.Removes))
		return nil
	})
	return done, err
}

// importFile is a zone file that has been read.
type importFile struct {
	zone    Zone
	mode    ImportMode
	records []Record // nameservers first: what else may lie below their names depends on them
	faults  []LineFault
	untold  int // records that are left out beyond maxFaults
}

// maxFaults bounds what is told of a file.
const maxFaults = 1000

func (s *Service) readImport(ctx context.Context, actor Actor, name string, mode ImportMode, r io.Reader) (importFile, error) {
	in := importFile{mode: mode}
	if err := adminOnly(actor); err != nil {
		return in, err
	}
	if mode != ImportMerge && mode != ImportReplace {
		return in, RefuseField(ErrInvalid, "mode", "The mode must be merge or replace.")
	}
	var err error
	if in.zone, err = findZone(ctx, s.store, name); err != nil {
		return in, err
	}
	if err := (place{zone: in.zone}).writable(); err != nil {
		return in, err
	}
	records, faults, err := s.syntax.ZoneFile(in.zone.Name, r)
	if err != nil {
		return in, err
	}
	in.faults = faults
	for _, record := range records {
		parsed, err := s.parseRecord(record)
		if err := in.leaveOut(record, err); err != nil {
			return in, err
		}
		if err == nil {
			in.records = append(in.records, parsed)
		}
	}
	slices.SortStableFunc(in.records, func(a, b Record) int { return rank(a) - rank(b) })
	return in, nil
}

func rank(r Record) int {
	if r.Type == "NS" {
		return 0
	}
	return 1
}

// leaveOut takes down why a record is not imported. An error that is no refusal is returned.
func (in *importFile) leaveOut(r Record, err error) error {
	var refusal *Refusal
	if err == nil || !errors.As(err, &refusal) {
		return err
	}
	if len(in.faults) >= maxFaults {
		in.untold++
		return nil
	}
	note := errors.Is(err, ErrReserved) && answersItself(in.zone, r)
	in.faults = append(in.faults, LineFault{Sentence: fmt.Sprintf("%s %s: %s", r.Name, r.Type, refusal.Sentence), Note: note})
	return nil
}

// told are the faults with the number of those that are not told one by one.
func (in *importFile) told() []LineFault {
	if in.untold == 0 {
		return in.faults
	}
	return append(in.faults, LineFault{Sentence: fmt.Sprintf("And %d more records are left out.", in.untold)})
}

// carryOut works out what importing a file does.
func (s *Service) carryOut(ctx context.Context, r Reader, actor Actor, in importFile) (Import, error) {
	in.faults = slices.Clone(in.faults)
	before, err := r.Records(ctx, RecordQuery{Zone: in.zone.ID})
	if err != nil {
		return Import{}, err
	}
	wanted, held := byKey(in.records), byKey(before)
	kept := before
	if in.mode == ImportReplace {
		kept = slices.DeleteFunc(slices.Clone(before), func(r Record) bool { return wanted[r.key()] == nil })
	}
	after := newLedger(r, in.zone, kept)
	for _, record := range in.records {
		if held[record.key()] == nil {
			err := in.leaveOut(record, s.importRecord(ctx, after, actor, record))
			if err != nil {
				return Import{}, err
			}
			continue
		}
		after.alignTTL(record)
	}
	done := compare(before, after.records())
	done.Faults = in.told()
	for _, r := range done.Removes {
		if err := keepsDelegation(ctx, after, r); err != nil {
			return Import{}, err
		}
	}
	return done, nil
}

func (s *Service) importRecord(ctx context.Context, after *ledger, actor Actor, r Record) error {
	at, err := locate(ctx, after, r.Name)
	if err != nil {
		return err
	}
	if _, err := s.check(ctx, after, actor, at, &r); err != nil {
		return err
	}
	after.add(r)
	after.alignTTL(r)
	return nil
}

// ExportZone writes the records that people have entered as a zone file. For admins.
func (s *Service) ExportZone(ctx context.Context, actor Actor, name string, w io.Writer) error {
	if err := adminOnly(actor); err != nil {
		return err
	}
	zone, err := findZone(ctx, s.store, name)
	if err != nil {
		return err
	}
	if zone.Kind == ZoneSecondary {
		return Refuse(ErrConflict, "%s is a secondary zone here: it has no records that were entered here. Transfer it instead.", zone.Name)
	}
	records, err := s.store.Records(ctx, RecordQuery{Zone: zone.ID})
	if err != nil {
		return err
	}
	head := []string{fmt.Sprintf("; %d records that were entered in the zone %s.", len(records), zone.Name)}
	if zone.Kind == ZoneMain {
		head = append(head, "; berth makes the SOA and NS records, the addresses of sites and of itself, and all of DNSSEC besides.")
	} else {
		head = append(head, "; berth makes the SOA and NS records and all of DNSSEC besides.")
	}
	if _, err := io.WriteString(w, strings.Join(head, "\n")+"\n"); err != nil {
		return fmt.Errorf("write zone file: %w", err)
	}
	return s.syntax.WriteZoneFile(w, zone.Name, records)
}
