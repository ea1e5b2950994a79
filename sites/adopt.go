package sites

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// adoptZone makes the main zone's row at first start, and moves hosts and records over when the data directory was last used
// with another zone.
func (s *Service) adoptZone(ctx context.Context) error {
	main, err := s.mainZone(ctx, s.store)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if main.Name == s.zone {
		return nil
	}
	event := eventBy(System, "zone.set", s.zone, "")
	_, err = s.store.Write(ctx, event, func(tx Tx) error {
		if err := apartFromOthers(ctx, tx, s.zone, main.ID); err != nil {
			return fmt.Errorf("--zone %s: %w Start with the former --zone and delete the other one first", s.zone, err)
		}
		if main.ID == 0 {
			_, err := insertZone(ctx, tx, Zone{Name: s.zone, Kind: ZoneMain, Signed: true})
			return err
		}
		moved, err := s.renameRecords(ctx, tx, main)
		if err != nil {
			return err
		}
		event.Detail = fmt.Sprintf("was %s", main.Name)
		if moved > 0 {
			event.Detail += fmt.Sprintf("; %d DNS records have moved along, names in their data are as they were", moved)
		}
		main.Name = s.zone
		return errors.Join(tx.UpdateZone(ctx, main), s.renameOwnHosts(ctx, tx))
	})
	return err
}

func (s *Service) mainZone(ctx context.Context, r ZoneReader) (Zone, error) {
	zones, err := r.Zones(ctx)
	if err != nil {
		return Zone{}, err
	}
	if len(zones) == 0 || zones[0].Kind != ZoneMain {
		return Zone{}, ErrNotFound
	}
	return zones[0], nil
}

// insertZone adds a zone with the keys that it needs if it is signed.
func insertZone(ctx context.Context, tx Tx, zone Zone) (ZoneID, error) {
	id, err := tx.InsertZone(ctx, zone)
	if err != nil || !zone.Signed {
		return id, err
	}
	return id, insertKeys(ctx, tx, id)
}

// insertKeys gives a zone its first keys. They sign at once: resolvers hold nothing of the zone that they would not fit.
func insertKeys(ctx context.Context, tx Tx, zone ZoneID) error {
	now := time.Now()
	for _, role := range []KeyRole{KeySigning, ZoneSigning} {
		key, err := newZoneKey(zone, role, now)
		if err != nil {
			return err
		}
		if _, err := tx.InsertZoneKey(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// renameRecords keeps records at their place relative to the main zone, as their sites' hosts.
func (s *Service) renameRecords(ctx context.Context, tx Tx, main Zone) (int, error) {
	records, err := tx.Records(ctx, RecordQuery{Zone: main.ID})
	if err != nil {
		return 0, err
	}
	if within(s.zone, main.Name) {
		slices.Reverse(records) // what lies deeper makes room first
	}
	for _, r := range records {
		name := strings.TrimSuffix(r.Name, main.Name) + s.zone
		if len(name) > maxNameLength {
			return 0, fmt.Errorf("--zone %s: the record at %s cannot move along, as its name would be too long", s.zone, r.Name)
		}
		r.Name = name
		if err := tx.UpdateRecord(ctx, r); err != nil {
			return 0, err
		}
	}
	return len(records), nil
}

func (s *Service) renameOwnHosts(ctx context.Context, tx Tx) error {
	hosts, err := tx.HostsOf(ctx, 0)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if h.Kind != HostOwn {
			continue
		}
		site, err := tx.SiteByID(ctx, h.Site)
		if err != nil {
			return err
		}
		if err := tx.DeleteHost(ctx, h.Name); err != nil {
			return err
		}
		if err := tx.InsertHost(ctx, Host{Name: s.names.Host(site.Name), Site: site.ID, Kind: HostOwn}); err != nil {
			return err
		}
	}
	return nil
}

// warnOfShadows logs records that were entered before their name became berth's own by configuration: they are not answered, or
// have the name out of reach.
func (s *Service) warnOfShadows(ctx context.Context) error {
	main, err := findZone(ctx, s.store, s.zone)
	if err != nil {
		return err
	}
	for _, host := range slices.Sorted(maps.Keys(s.reserved)) {
		records, err := s.store.Records(ctx, RecordQuery{Name: host})
		if err != nil {
			return err
		}
		for _, r := range records {
			var refusal *Refusal
			if err := s.leavesBerths(place{zone: main}, r); errors.As(err, &refusal) {
				s.log.Warn("a record is not answered: its name has become this server's own; delete it, or give the server another name", "record", r.describe())
			}
		}
		cut, _, err := delegationOf(ctx, s.store, main, host)
		if err != nil {
			return err
		}
		if cut != "" && cut != host {
			s.log.Warn("a name of this server cannot be reached: it lies below a name that is delegated to others", "name", host, "delegated", cut)
		}
	}
	return nil
}
