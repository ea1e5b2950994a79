package sites

import (
	"context"
	"errors"
	"slices"
)

// surroundings are what the rules for a record look at. A Reader is such, and so is a ledger.
type surroundings interface {
	Host(ctx context.Context, name string) (Host, error)
	HostWithin(ctx context.Context, name string) (Host, error)
	SiteByID(ctx context.Context, id SiteID) (Site, error)
	Zone(ctx context.Context, name string) (Zone, error)
	Records(ctx context.Context, q RecordQuery) ([]Record, error)
	RecordsWithin(ctx context.Context, name string, limit int) ([]Record, error)
	RecordsTo(ctx context.Context, target string) ([]Record, error)
	CountRecords(ctx context.Context, zone ZoneID, site SiteID) (int, error)
}

// ledger is a zone's records as an import leaves them, in memory: nothing is written until all of the file has been looked at,
// and a preview writes nothing at all. What is no record of the zone is asked of the store, hosts and sites once each, and so is
// the count of a site's records: only owners are bound by that, and they import nothing.
type ledger struct {
	Reader
	zone    Zone
	all     []*Record
	byName  map[string][]*Record
	within  map[string][]string // names with records, by each name that they are at or below
	targets map[string][]*Record
	hosts   map[string]Host // by name; no site where there is none
	sites   map[SiteID]Site
}

func newLedger(r Reader, zone Zone, records []Record) *ledger {
	l := &ledger{
		Reader: r, zone: zone, byName: make(map[string][]*Record), within: make(map[string][]string),
		targets: make(map[string][]*Record), hosts: make(map[string]Host), sites: make(map[SiteID]Site),
	}
	for _, record := range records {
		l.add(record)
	}
	return l
}

func (l *ledger) add(r Record) {
	record := &r
	l.all = append(l.all, record)
	if len(l.byName[r.Name]) == 0 {
		for up := range upwards(r.Name) {
			if up == l.zone.Name {
				break
			}
			l.within[up] = append(l.within[up], r.Name)
		}
	}
	l.byName[r.Name] = append(l.byName[r.Name], record)
	if r.Target != "" {
		l.targets[r.Target] = append(l.targets[r.Target], record)
	}
}

// alignTTL gives all records of the record's set its TTL.
func (l *ledger) alignTTL(r Record) {
	for _, other := range l.byName[r.Name] {
		if other.Type == r.Type {
			other.TTL = r.TTL
		}
	}
}

func (l *ledger) records() []Record { return values(l.all) }

func values(records []*Record) []Record {
	out := make([]Record, len(records))
	for i, r := range records {
		out[i] = *r
	}
	return out
}

func (l *ledger) Zone(_ context.Context, name string) (Zone, error) {
	if name == l.zone.Name {
		return l.zone, nil
	}
	return Zone{}, ErrNotFound
}

func (l *ledger) Host(ctx context.Context, name string) (Host, error) {
	host, known := l.hosts[name]
	if !known {
		var err error
		if host, err = l.Reader.Host(ctx, name); err != nil && !errors.Is(err, ErrNotFound) {
			return host, err
		}
		l.hosts[name] = host
	}
	if host.Site == 0 {
		return Host{}, ErrNotFound
	}
	return host, nil
}

func (l *ledger) SiteByID(ctx context.Context, id SiteID) (Site, error) {
	if site, known := l.sites[id]; known {
		return site, nil
	}
	site, err := l.Reader.SiteByID(ctx, id)
	if err == nil {
		l.sites[id] = site
	}
	return site, err
}

// Records has what the rules ask for: the records of a name, of a type where one is given.
func (l *ledger) Records(ctx context.Context, q RecordQuery) ([]Record, error) {
	if !within(q.Name, l.zone.Name) {
		return l.Reader.Records(ctx, q)
	}
	var found []Record
	for _, r := range l.byName[q.Name] {
		if q.Type == "" || q.Type == r.Type {
			found = append(found, *r)
		}
	}
	return found, nil
}

func (l *ledger) RecordsWithin(_ context.Context, name string, _ int) ([]Record, error) {
	var found []Record
	for _, below := range l.within[name] {
		found = append(found, values(l.byName[below])...)
	}
	return found, nil
}

func (l *ledger) RecordsTo(ctx context.Context, target string) ([]Record, error) {
	found, err := l.Reader.RecordsTo(ctx, target)
	others := slices.DeleteFunc(found, func(r Record) bool { return r.Zone == l.zone.ID })
	return append(others, values(l.targets[target])...), err
}
