package sites

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// delegation keeps delegations whole: DS stands beside NS records, and what lies below is another's, except for the addresses
// of its nameservers (RFC 1034 section 4.2.1).
func (s *Service) delegation(ctx context.Context, r surroundings, at place, record Record) error {
	cut, nameservers, err := delegationOf(ctx, r, at.zone, record.Name)
	if err != nil {
		return err
	}
	switch {
	case record.Type == "DS" && cut != record.Name:
		return RefuseField(ErrConflict, "type", "DS records stand beside the NS records of a delegation, and %s has none. Enter those first.", record.Name)
	case record.Type == "NS" && cut == "" && at.cut != record.Name:
		return s.delegable(ctx, r, record)
	case cut == "", cut == record.Name && (record.Type == "NS" || record.Type == "DS"):
		return nil
	case glue(record, nameservers):
		return nil
	}
	return RefuseField(ErrConflict, "name", "%s is delegated to other nameservers, so only the addresses of those can be entered there.", cut)
}

// delegationOf finds the delegation that a name is or lies below; cut is empty where there is none.
func delegationOf(ctx context.Context, r surroundings, zone Zone, name string) (cut string, nameservers []Record, err error) {
	for up := range upwards(name) {
		if up == zone.Name {
			break
		}
		found, err := r.Records(ctx, RecordQuery{Name: up, Type: "NS"})
		if err != nil {
			return "", nil, err
		}
		if len(found) > 0 {
			return up, found, nil
		}
	}
	return "", nil, nil
}

// glue reports whether a record is an address of one of the nameservers.
func glue(r Record, nameservers []Record) bool {
	return (r.Type == "A" || r.Type == "AAAA") && slices.ContainsFunc(nameservers, func(ns Record) bool { return ns.Target == r.Name })
}

// missingGlue says what a delegation to a nameserver below itself still needs; empty: nothing.
func missingGlue(ctx context.Context, r surroundings, ns Record) (string, error) {
	if ns.Type != "NS" || !within(ns.Target, ns.Name) {
		return "", nil
	}
	found, err := r.Records(ctx, RecordQuery{Name: ns.Target})
	if err != nil || slices.ContainsFunc(found, func(r Record) bool { return glue(r, []Record{ns}) }) {
		return "", err
	}
	return fmt.Sprintf("%s lies below the delegation, so nobody can find it yet: enter its A and AAAA records, too.", ns.Target), nil
}

// delegable refuses the first NS record of a name while berth or people have something at or below it.
func (s *Service) delegable(ctx context.Context, r surroundings, ns Record) error {
	host, err := r.HostWithin(ctx, ns.Name)
	if err == nil {
		return RefuseField(ErrConflict, "name", "%s is a name of a site; delegating %s would make it unreachable.", host.Name, ns.Name)
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	for host := range s.reserved {
		if strings.HasSuffix(host, "."+ns.Name) {
			return RefuseField(ErrReserved, "name", "%s is a name of this server's own; delegating %s would make it unreachable.", host, ns.Name)
		}
	}
	hidden, err := r.RecordsWithin(ctx, ns.Name, -1)
	if err != nil {
		return err
	}
	for _, other := range hidden {
		if !glue(other, []Record{ns}) && (other.Name != ns.Name || other.Type != "DS") {
			return RefuseField(ErrConflict, "name", "Delegating %s would hide the %s record of %s. Delete that first.", ns.Name, other.Type, other.Name)
		}
	}
	return nil
}

// keepsDelegation refuses that the last NS record goes while DS records stand beside it.
func keepsDelegation(ctx context.Context, r surroundings, removed Record) error {
	if removed.Type != "NS" {
		return nil
	}
	left, err := r.Records(ctx, RecordQuery{Name: removed.Name})
	if err != nil {
		return err
	}
	has := func(rrtype string) bool {
		return slices.ContainsFunc(left, func(r Record) bool { return r.Type == rrtype })
	}
	if has("DS") && !has("NS") {
		return Refuse(ErrConflict, "%s has DS records, which stand beside NS records only. Delete those first.", removed.Name)
	}
	return nil
}

// dropGlue deletes the addresses of a nameserver below a delegation that has one NS record less, if no other one names it. While
// the name is delegated nobody would be told them any more, and after that they would say where the other side's nameserver was.
func dropGlue(ctx context.Context, e *edit, ns Record) (note string, err error) {
	if ns.Type != "NS" || ns.Target == ns.Name || !within(ns.Target, ns.Name) {
		return "", nil
	}
	pointing, err := e.RecordsTo(ctx, ns.Target)
	if err != nil || slices.ContainsFunc(pointing, func(r Record) bool { return r.Type == "NS" }) {
		return "", err
	}
	found, err := e.Records(ctx, RecordQuery{Name: ns.Target})
	if err != nil {
		return "", err
	}
	for _, r := range found {
		if !glue(r, []Record{ns}) {
			continue
		}
		if err := e.DeleteRecord(ctx, r.ID); err != nil {
			return "", err
		}
		e.touchSet(r)
		note = fmt.Sprintf("The addresses of %s have gone with it: no NS record names it any more.", ns.Target)
	}
	return note, nil
}
