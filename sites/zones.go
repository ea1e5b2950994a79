package sites

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ZoneDetail is a zone with what the store knows of it besides.
type ZoneDetail struct {
	Zone
	Keys    []KeyDetail // by role and age; none while the zone is not signed
	Records int         // that people have entered
}

// Zones lists the zones, the main one first, for admins.
func (s *Service) Zones(ctx context.Context, actor Actor) ([]Zone, error) {
	if err := adminOnly(actor); err != nil {
		return nil, err
	}
	return s.store.Zones(ctx)
}

// Zone returns one zone, for admins.
func (s *Service) Zone(ctx context.Context, actor Actor, name string) (ZoneDetail, error) {
	if err := adminOnly(actor); err != nil {
		return ZoneDetail{}, err
	}
	zone, err := findZone(ctx, s.store, name)
	if err != nil {
		return ZoneDetail{}, err
	}
	keys, err := signingKeys(ctx, s.store, zone)
	if err != nil {
		return ZoneDetail{}, err
	}
	detail := ZoneDetail{Zone: zone}
	if detail.Keys, err = keyDetails(zone.Name, keys); err != nil {
		return ZoneDetail{}, err
	}
	detail.Records, err = s.store.CountRecords(ctx, zone.ID, 0)
	return detail, err
}

// signingKeys are a zone's keys, none while it is not signed.
func signingKeys(ctx context.Context, r ZoneReader, zone Zone) ([]ZoneKey, error) {
	if !zone.Signed {
		return nil, nil
	}
	return r.ZoneKeys(ctx, zone.ID)
}

func findZone(ctx context.Context, r ZoneReader, name string) (Zone, error) {
	zone, err := r.Zone(ctx, CanonicalHost(strings.TrimSpace(name)))
	if errors.Is(err, ErrNotFound) {
		return Zone{}, Refuse(ErrNotFound, "There is no zone %q here.", name)
	}
	return zone, err
}

// NewZone is what a further zone is created from. Primaries are for a secondary zone, which must have some.
type NewZone struct {
	Name      string
	Kind      ZoneKind // ZonePrimary or ZoneSecondary
	Primaries []Primary
}

// AddZone has the DNS server answer for a further zone. A primary zone is signed from the beginning.
func (s *Service) AddZone(ctx context.Context, actor Actor, in NewZone) (ZoneDetail, error) {
	if err := adminOnly(actor); err != nil {
		return ZoneDetail{}, err
	}
	name, sentence := parseDomain(in.Name)
	if sentence != "" {
		return ZoneDetail{}, RefuseField(ErrInvalid, "name", "%s", sentence)
	}
	if in.Kind != ZonePrimary && in.Kind != ZoneSecondary {
		return ZoneDetail{}, RefuseField(ErrInvalid, "kind", "The kind must be primary or secondary.")
	}
	zone := Zone{Name: name, Kind: in.Kind, Signed: in.Kind == ZonePrimary, Primaries: in.Primaries}
	err := s.commit(ctx, eventBy(actor, "zone.add", name, string(in.Kind)+zone.describePrimaries()), func(e *edit) error {
		if err := apartFromOthers(ctx, e, name, 0); err != nil {
			return err
		}
		if err := zone.validate(ctx, e); err != nil {
			return err
		}
		id, err := insertZone(ctx, e, zone)
		if err != nil {
			return err
		}
		e.touchZone(id)
		return touchDomains(ctx, e, name)
	})
	if err != nil {
		return ZoneDetail{}, err
	}
	return s.Zone(ctx, actor, name)
}

// touchDomains has the sites published whose domains lie in a new zone: from now on berth answers for those.
func touchDomains(ctx context.Context, e *edit, zone string) error {
	all, err := e.Domains(ctx, 0)
	for _, d := range all {
		if d.State != DomainWaiting && within(d.Name, zone) {
			e.touch(d.Site)
		}
	}
	return err
}

// apartFromOthers refuses a zone that is, contains or lies in a hosted one: a name belongs to one zone only.
func apartFromOthers(ctx context.Context, r ZoneReader, name string, except ZoneID) error {
	zones, err := r.Zones(ctx)
	if err != nil {
		return err
	}
	for _, z := range zones {
		switch {
		case z.ID == except:
		case z.Name == name:
			return RefuseField(ErrTaken, "name", "The zone %s is here already.", name)
		case within(name, z.Name):
			return RefuseField(ErrConflict, "name", "%s lies in the zone %s, which is here already. Enter its records there.", name, z.Name)
		case within(z.Name, name):
			return RefuseField(ErrConflict, "name", "%s contains the zone %s, which is here already. A zone inside another one cannot be hosted beside it.", name, z.Name)
		}
	}
	return nil
}

// ZoneUpdate holds what can be changed of a zone; nil fields stay as they are.
type ZoneUpdate struct {
	Signed    *bool
	Peers     *[]Peer
	Primaries *[]Primary
	// DSRemoved says that the parent's DS records have been removed and their TTL has passed. Where the parent cannot be
	// asked, signing is turned off with it only.
	DSRemoved bool
}

// UpdateZone changes a zone.
//
// Turning signing off makes a zone bogus, that is unreachable for whoever validates, as long as the parent has a DS record of
// it or caches hold one. It is refused while the parent has one, and where the parent cannot be asked without DSRemoved; who turns
// it off must have had the DS record removed and waited for its TTL. The keys are kept for when it is turned on again.
func (s *Service) UpdateZone(ctx context.Context, actor Actor, name string, u ZoneUpdate) (ZoneDetail, error) {
	if err := adminOnly(actor); err != nil {
		return ZoneDetail{}, err
	}
	zone, err := findZone(ctx, s.store, name)
	if err != nil {
		return ZoneDetail{}, err
	}
	unsigns := u.Signed != nil && !*u.Signed && zone.Signed
	if unsigns {
		// The parent is asked before the transaction, which must not wait for the network.
		if err := s.withoutDS(ctx, zone.Name, u.DSRemoved); err != nil {
			return ZoneDetail{}, err
		}
	}
	event := eventBy(actor, "zone.update", zone.Name, "")
	err = s.commit(ctx, event, func(e *edit) error {
		if zone, err = findZone(ctx, e, zone.Name); err != nil {
			return err
		}
		before := zone
		zone.apply(u)
		if err := zone.validate(ctx, e); err != nil {
			return err
		}
		event.Detail = zone.describe(u)
		e.touchZone(zone.ID)
		if before.Signed && !zone.Signed && !unsigns {
			return RefuseField(ErrConflict, "signed", "Signing of %s was turned on meanwhile. Look at the zone, then try again.", zone.Name)
		}
		if zone.Signed != before.Signed {
			if err := haveKeys(ctx, e, zone); err != nil {
				return err
			}
		}
		return e.UpdateZone(ctx, zone)
	})
	if err != nil {
		return ZoneDetail{}, err
	}
	return s.Zone(ctx, actor, zone.Name)
}

func (z *Zone) apply(u ZoneUpdate) {
	z.Signed = *orElse(u.Signed, &z.Signed)
	z.Peers = *orElse(u.Peers, &z.Peers)
	z.Primaries = *orElse(u.Primaries, &z.Primaries)
}

// haveKeys gives a signed zone keys, unless it has some from when it was signed before: those of an unsigned zone are kept, so
// that whoever still holds a DS record finds them again.
func haveKeys(ctx context.Context, tx Tx, zone Zone) error {
	if !zone.Signed {
		return nil
	}
	keys, err := tx.ZoneKeys(ctx, zone.ID)
	if err != nil || len(keys) > 0 {
		return err
	}
	return insertKeys(ctx, tx, zone.ID)
}

func (z *Zone) describe(u ZoneUpdate) string {
	var said []string
	if u.Signed != nil {
		said = append(said, map[bool]string{true: "signed", false: "not signed"}[z.Signed])
	}
	if u.Peers != nil {
		names := make([]string, len(z.Peers))
		for i, p := range z.Peers {
			names[i] = p.Name
		}
		said = append(said, "peers: "+strings.Join(names, ", "))
	}
	if u.Primaries != nil {
		said = append(said, strings.TrimSpace(z.describePrimaries()))
	}
	return strings.Join(said, "; ")
}

func (z *Zone) describePrimaries() string {
	if len(z.Primaries) == 0 {
		return ""
	}
	addrs := make([]string, len(z.Primaries))
	for i, p := range z.Primaries {
		addrs[i] = p.Addr.String()
	}
	return " from " + strings.Join(addrs, ", ")
}

// DeleteZone has the DNS server answer for the zone no more, and drops its records and keys. The main zone stays, and so does
// one that hosts of sites lie in.
func (s *Service) DeleteZone(ctx context.Context, actor Actor, name string) error {
	if err := adminOnly(actor); err != nil {
		return err
	}
	event := eventBy(actor, "zone.delete", CanonicalHost(name), "")
	return s.commit(ctx, event, func(e *edit) error {
		zone, err := findZone(ctx, e, name)
		if err != nil {
			return err
		}
		if zone.Kind == ZoneMain {
			return Refuse(ErrConflict, "%s is the zone that sites are names of; it cannot be deleted.", zone.Name)
		}
		host, err := e.HostWithin(ctx, zone.Name)
		if err == nil {
			return Refuse(ErrConflict, "The zone %s cannot be deleted while %s is a host of a site. Take the host from the site first.", zone.Name, host.Name)
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		records, err := e.CountRecords(ctx, zone.ID, 0)
		if err != nil {
			return err
		}
		event.Detail = fmt.Sprintf("with %d records", records)
		e.withdrawZone(zone.Name)
		return e.DeleteZone(ctx, zone.ID)
	})
}

// named returns the TSIG keys that the zone's peers and primaries name.
func (z *Zone) named(all []TSIGKey) []TSIGKey {
	var named []TSIGKey
	for _, key := range all {
		if z.names(key.Name) {
			named = append(named, key)
		}
	}
	return named
}

// names reports whether a peer or primary of the zone has the TSIG key.
func (z *Zone) names(key string) bool {
	return slices.ContainsFunc(z.Peers, func(p Peer) bool { return p.Key == key }) ||
		slices.ContainsFunc(z.Primaries, func(p Primary) bool { return p.Key == key })
}
