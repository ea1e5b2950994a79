package sites

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// Bounds of what can be entered.
const (
	maxSetRecords  = 100
	maxSetBytes    = 32 << 10 // of data; a signed answer must fit in a message of 64 KiB
	maxSiteRecords = 200      // of one site, for owners
	maxAliases     = 16       // CNAME records followed in a chain
)

const challengeLabel = "_acme-challenge" // RFC 8555 section 8.4

// addressTypes say where a name's services are. Where berth itself serves the name they are its own.
var addressTypes = []string{"A", "AAAA", "HTTPS", "SVCB"}

// reservedHosts are the names of the zone whose addresses berth answers itself.
func reservedHosts(zone string, hosts []string) map[string]bool {
	reserved := map[string]bool{zone: true}
	for _, host := range hosts {
		if host = CanonicalHost(host); within(host, zone) {
			reserved[host] = true
		}
	}
	return reserved
}

// admit refuses a record that does not go with what else is in the zone.
func (s *Service) admit(ctx context.Context, r surroundings, actor Actor, at place, record Record) error {
	if err := s.leavesBerths(at, record); err != nil {
		return err
	}
	if err := policies(actor, at, record); err != nil {
		return err
	}
	if err := s.wildcard(ctx, r, at, record); err != nil {
		return err
	}
	for _, rule := range []func(context.Context, surroundings, place, Record) error{s.delegation, aloneAsAlias, aloneAsNullMX, aloneInAliasMode, aimsAtNoAlias} {
		if err := rule(ctx, r, at, record); err != nil {
			return err
		}
	}
	return nil
}

// leavesBerths refuses records that berth makes itself. They are of kind ErrReserved.
func (s *Service) leavesBerths(at place, r Record) error {
	refuse := func(field, format string, args ...any) error { return RefuseField(ErrReserved, field, format, args...) }
	moves := slices.Contains([]string{"CNAME", "NS", "DS"}, r.Type)
	switch {
	case at.zone.Kind == ZoneMain && slices.Contains(strings.Split(r.Name, "."), challengeLabel):
		return refuse("name", "%s is where certificates are ordered from; nobody can enter records there.", r.Name)
	case r.Name == at.zone.Name && r.Type == "NS":
		return refuse("type", "The NS records of %s itself are this server's nameservers; they follow from its configuration.", r.Name)
	case r.Name == at.zone.Name && r.Type == "DS":
		return refuse("type", "The DS records of %s are entered in the zone above it.", r.Name)
	case r.Name == at.zone.Name && r.Type == "CNAME":
		return RefuseField(ErrInvalid, "type", "A zone's own name cannot be a CNAME (RFC 1034 section 3.6.2). Enter A and AAAA records instead.")
	case r.Name == at.host && (moves || slices.Contains(addressTypes, r.Type)):
		return refuse("type", "%s is a site's name: its addresses are this server's, and no %s record can be entered there.", r.Name, r.Type)
	case s.reserved[r.Name] && (moves || slices.Contains(addressTypes, r.Type)):
		return refuse("type", "%s is a name of this server's own: its addresses follow from the configuration, and no %s record can be entered there.", r.Name, r.Type)
	case r.Name == "www."+s.zone && moves:
		return refuse("type", "%s is a name of this server's own. Only its addresses can be replaced, by A and AAAA records.", r.Name)
	}
	return nil
}

// answersItself reports whether berth answers a record that leavesBerths has refused with data of its own, so that nothing is
// missing without the record.
func answersItself(zone Zone, r Record) bool {
	switch r.Type {
	case "A", "AAAA", "HTTPS":
		return true
	case "NS":
		return r.Name == zone.Name
	}
	return false
}

// policies refuses owners' CAA records at a site's own name: they would replace the operator's, by which the site's certificate
// is issued (RFC 8659 section 3).
func policies(actor Actor, at place, r Record) error {
	if r.Type != "CAA" || r.Name != at.host || actor.Admin() {
		return nil
	}
	return RefuseField(ErrForbidden, "type", "Who may issue the certificate of %s is for admins to say, by CAA records there. You can enter them at names below it.", r.Name)
}

// wildcard refuses wildcards that would break a promise.
func (s *Service) wildcard(ctx context.Context, records surroundings, at place, r Record) error {
	above, ok := strings.CutPrefix(r.Name, "*.")
	switch {
	case !ok:
		return nil
	case r.Type == "NS" || r.Type == "DS":
		return RefuseField(ErrInvalid, "name", "A wildcard cannot be delegated (RFC 4592 section 4.2). Delegate each name.")
	case above == s.zone && (r.Type == "CNAME" || slices.Contains(addressTypes, r.Type)):
		return RefuseField(ErrInvalid, "name", "Directly below %s a name exists if and only if its site does, so %s can have no address.", s.zone, r.Name)
	case at.zone.Kind != ZoneMain || r.Type != "TXT" && r.Type != "CNAME":
		return nil
	}
	certified := above == "www."+s.zone || s.reserved[above]
	if !certified {
		_, err := records.Host(ctx, above)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		certified = err == nil
	}
	if certified {
		return RefuseField(ErrInvalid, "name", "%s would answer for %s.%s, too, where certificates are ordered from, so it can have no %s record. Enter the names that you need one by one.",
			r.Name, challengeLabel, above, r.Type)
	}
	return nil
}

// aloneAsAlias keeps a CNAME record the only one at its name (RFC 1034 section 3.6.2).
func aloneAsAlias(ctx context.Context, r surroundings, _ place, record Record) error {
	others, err := r.Records(ctx, RecordQuery{Name: record.Name})
	if err != nil {
		return err
	}
	for _, other := range others {
		switch {
		case other.Type == "CNAME" && record.Type == "CNAME" && other.Data != record.Data:
			return RefuseField(ErrConflict, "type", "%s is a CNAME already, and a name can have only one. Change that one.", record.Name)
		case other.Type == "CNAME" && record.Type != "CNAME":
			return RefuseField(ErrConflict, "type", "%s is a CNAME, and nothing else can stand beside it. Delete the CNAME first.", record.Name)
		case other.Type != "CNAME" && record.Type == "CNAME":
			return RefuseField(ErrConflict, "type", "%s has %s records, and a CNAME must be alone at its name. Delete them first.", record.Name, other.Type)
		}
	}
	return nil
}

// aloneAsNullMX keeps a null MX record the only one (RFC 7505 section 3).
func aloneAsNullMX(ctx context.Context, r surroundings, _ place, record Record) error {
	if record.Type != "MX" {
		return nil
	}
	others, err := r.Records(ctx, RecordQuery{Name: record.Name, Type: record.Type})
	if err != nil {
		return err
	}
	for _, other := range others {
		if (other.Target == "") != (record.Target == "") {
			return RefuseField(ErrConflict, "data", "An MX record that points at no host says that %s takes no mail, so it must be the only one.", record.Name)
		}
	}
	return nil
}

// aloneInAliasMode keeps an HTTPS or SVCB record with priority 0 the only one: clients ignore all beside it (RFC 9460 section 2.4.1).
func aloneInAliasMode(ctx context.Context, r surroundings, _ place, record Record) error {
	if record.Type != "HTTPS" && record.Type != "SVCB" {
		return nil
	}
	others, err := r.Records(ctx, RecordQuery{Name: record.Name, Type: record.Type})
	if err != nil {
		return err
	}
	alias := func(r Record) bool { return strings.HasPrefix(r.Data, "0 ") }
	for _, other := range others {
		if other.Data != record.Data && (alias(other) || alias(record)) {
			return RefuseField(ErrConflict, "data", "An %s record with priority 0 is an alias, so it must be the only one of %s.", record.Type, record.Name)
		}
	}
	return nil
}

// aimsAtNoAlias keeps MX, NS and SRV records from pointing at a CNAME (RFC 2181 section 10.3, RFC 2782), and CNAME records from
// going in a circle.
func aimsAtNoAlias(ctx context.Context, r surroundings, _ place, record Record) error {
	if record.Type == "CNAME" {
		pointing, err := r.RecordsTo(ctx, record.Name)
		if err != nil {
			return err
		}
		for _, other := range pointing {
			if other.aims() {
				return RefuseField(ErrConflict, "name", "%s cannot be a CNAME: the %s record of %s points at it, and that must have addresses of its own.", record.Name, other.Type, other.Name)
			}
		}
		return endsSomewhere(ctx, r, record)
	}
	if !record.aims() {
		return nil
	}
	aliases, err := r.Records(ctx, RecordQuery{Name: record.Target, Type: "CNAME"})
	if err == nil && len(aliases) > 0 {
		err = RefuseField(ErrConflict, "data", "%s is a CNAME, and %s records must point at a name with addresses. Use %s.", record.Target, record.Type, aliases[0].Target)
	}
	return err
}

// aims reports whether the record's target must have addresses of its own.
func (r Record) aims() bool {
	return r.Target != "" && (r.Type == "MX" || r.Type == "NS" || r.Type == "SRV")
}

func endsSomewhere(ctx context.Context, r surroundings, record Record) error {
	next := record.Target
	for range maxAliases {
		if next == record.Name {
			return RefuseField(ErrInvalid, "data", "This CNAME leads back to %s itself.", record.Name)
		}
		aliases, err := r.Records(ctx, RecordQuery{Name: next, Type: "CNAME"})
		if err != nil || len(aliases) == 0 {
			return err
		}
		next = aliases[0].Target
	}
	return RefuseField(ErrInvalid, "data", "The CNAME records from %s on form a chain of more than %d. Point at its end.", record.Target, maxAliases)
}

// room refuses a record that is there already, and bounds sets and what an owner can enter for a site.
func room(ctx context.Context, r surroundings, actor Actor, record Record, set []Record) error {
	if slices.ContainsFunc(set, func(other Record) bool { return other.Data == record.Data }) {
		return RefuseField(ErrTaken, "data", "%s has this %s record already.", record.Name, record.Type)
	}
	if len(set) >= maxSetRecords {
		return RefuseField(ErrQuota, "data", "%s has %d %s records, and a set can have no more.", record.Name, len(set), record.Type)
	}
	size := len(record.Data)
	for _, other := range set {
		size += len(other.Data)
	}
	if size > maxSetBytes {
		return RefuseField(ErrQuota, "data", "The %s records of %s would be over %d bytes together, more than fits into an answer.", record.Type, record.Name, maxSetBytes)
	}
	if actor.Admin() || record.Site == 0 {
		return nil
	}
	count, err := r.CountRecords(ctx, 0, record.Site)
	if err == nil && count >= maxSiteRecords {
		err = Refuse(ErrQuota, "The site has %d records, and no more can be entered. Delete some, or ask an admin.", count)
	}
	return err
}
