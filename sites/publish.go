package sites

import (
	"context"
	"errors"
	"net/netip"
)

// republish publishes a site whose condition has changed while the store has not.
func (s *Service) republish(ctx context.Context, id SiteID) {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	revision, err := s.store.Revision(ctx)
	if err == nil {
		var found []siteHosts
		if found, err = readSites(ctx, s.store, []SiteID{id}); err == nil {
			s.apply(Change{Revision: revision, Sites: s.publishedAll(found)})
			s.watchers.notify(found[0].site.Name)
		}
	}
	if err != nil && !errors.Is(err, ErrNotFound) && ctx.Err() == nil {
		s.log.Error("publishing a site failed; the next full change repairs it", "site", id, "error", err)
	}
}

// publishAll hands everything to the appliers. Other changes wait for the reading only when they come too thick.
func (s *Service) publishAll(ctx context.Context) error {
	for range maxAttempts {
		since := s.edits.Load()
		all, err := readEverything(ctx, s.store)
		if err != nil {
			return err
		}
		err = s.publishFull(ctx, func() (outcome, error) { return all, s.overtaken(since) })
		if !errors.Is(err, errOvertaken) {
			return err
		}
	}
	return s.publishFull(ctx, func() (outcome, error) { return readEverything(ctx, s.store) })
}

// publishFull applies a full change with what read returns, which no other change can overtake.
func (s *Service) publishFull(ctx context.Context, read func() (outcome, error)) error {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	revision, err := s.store.Revision(ctx)
	if err != nil {
		return err
	}
	all, err := read()
	if err != nil {
		return err
	}
	s.apply(Change{Revision: revision, Full: true, Sites: s.publishedAll(all.sites), Zones: all.zones, RRSets: all.sets})
	return nil
}

func readEverything(ctx context.Context, r Reader) (all outcome, err error) {
	if all.sites, err = readAllSites(ctx, r); err != nil {
		return all, err
	}
	if all.zones, err = readAllZones(ctx, r); err != nil {
		return all, err
	}
	records, err := r.Records(ctx, RecordQuery{})
	all.sets = rrsets(records)
	return all, err
}

func (s *Service) apply(ch Change) {
	for _, a := range s.appliers {
		a.Apply(ch)
	}
}

type siteHosts struct {
	site  Site
	hosts []Host
}

func readSites(ctx context.Context, r SiteReader, ids []SiteID) ([]siteHosts, error) {
	found := make([]siteHosts, 0, len(ids))
	for _, id := range ids {
		site, err := r.SiteByID(ctx, id)
		if err != nil {
			return nil, err
		}
		hosts, err := r.Hosts(ctx, id)
		if err != nil {
			return nil, err
		}
		found = append(found, siteHosts{site, hosts})
	}
	return found, nil
}

func readAllSites(ctx context.Context, r SiteReader) ([]siteHosts, error) {
	all, err := r.Sites(ctx, 0)
	if err != nil {
		return nil, err
	}
	hosts, err := r.HostsOf(ctx, 0)
	if err != nil {
		return nil, err
	}
	bySite := grouped(hosts, func(h Host) SiteID { return h.Site })
	found := make([]siteHosts, len(all))
	for i, site := range all {
		found[i] = siteHosts{site, bySite[site.ID]}
	}
	return found, nil
}

func (s *Service) publishedAll(all []siteHosts) []Published {
	if len(all) == 0 {
		return nil
	}
	out := make([]Published, len(all))
	for i, sh := range all {
		out[i] = s.published(sh)
	}
	return out
}

func (s *Service) published(sh siteHosts) Published {
	ownHostFirst(sh.hosts)
	p := Published{
		ID: sh.site.ID, Name: sh.site.Name, Owner: sh.site.Owner, Release: sh.site.Active, Options: sh.site.Options, HealthPath: sh.site.HealthPath,
		Hosts: make([]string, len(sh.hosts)),
	}
	for i, h := range sh.hosts {
		p.Hosts[i] = h.Name
		if h.Lapsed {
			p.Lapsed = append(p.Lapsed, h.Name)
		}
		if h.Lapsed && h.Name == p.Options.Canonical {
			p.Options.Canonical = "" // visitors would be sent away
		}
	}
	p.State, _ = s.conditions.state(sh.site)
	if sh.site.Active != 0 {
		p.Content = s.content.dir(sh.site.ID, sh.site.Active)
	}
	if sh.site.Template == TemplateStatic {
		p.Root = p.Content
	}
	p.Instances = s.addresses(sh.site)
	return p
}

// addresses is where the active release is served from, if by instances of its own.
func (s *Service) addresses(site Site) []netip.AddrPort {
	if site.Desired == DesiredStopped {
		return nil
	}
	var addrs []netip.AddrPort
	for _, instance := range s.conditions.instances(site.ID) {
		if instance.Addr.IsValid() {
			addrs = append(addrs, instance.Addr)
		}
	}
	return addrs
}

// readAllZones returns all zones, the signed ones with their keys.
func readAllZones(ctx context.Context, r Reader) ([]PublishedZone, error) {
	zones, err := r.Zones(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := r.ZoneKeys(ctx, 0)
	if err != nil {
		return nil, err
	}
	secrets, err := r.TSIGKeys(ctx)
	if err != nil {
		return nil, err
	}
	byZone := make(map[ZoneID][]ZoneKey)
	for _, k := range keys {
		byZone[k.Zone] = append(byZone[k.Zone], k)
	}
	all := make([]PublishedZone, len(zones))
	for i, z := range zones {
		all[i] = PublishedZone{Zone: z, TSIG: z.named(secrets)}
		if z.Signed {
			all[i].Keys = byZone[z.ID]
		}
	}
	return all, nil
}

// readZones returns some zones, the signed ones with their keys.
func readZones(ctx context.Context, r Reader, ids []ZoneID) ([]PublishedZone, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	secrets, err := r.TSIGKeys(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]PublishedZone, len(ids))
	for i, id := range ids {
		zone, err := r.ZoneByID(ctx, id)
		if err != nil {
			return nil, err
		}
		keys, err := signingKeys(ctx, r, zone)
		if err != nil {
			return nil, err
		}
		all[i] = PublishedZone{Zone: zone, Keys: keys, TSIG: zone.named(secrets)}
	}
	return all, nil
}

// readSets returns the sets of records as they are; one that has no records any more has no data.
func readSets(ctx context.Context, r RecordReader, keys []setKey) ([]RRSet, error) {
	var sets []RRSet
	for _, key := range keys {
		records, err := r.Records(ctx, RecordQuery{Name: key.name, Type: key.rrtype})
		if err != nil {
			return nil, err
		}
		if len(records) == 0 {
			sets = append(sets, RRSet{Name: key.name, Type: key.rrtype})
			continue
		}
		sets = append(sets, rrsets(records)...)
	}
	return sets, nil
}

// emptied are the sets of records that are all deleted.
func emptied(records []Record) []RRSet {
	sets := rrsets(records)
	for i, set := range sets {
		sets[i] = RRSet{Name: set.Name, Type: set.Type}
	}
	return sets
}

// rrsets groups records by name and type; the smallest TTL of a set is the set's (RFC 2181 section 5.2).
func rrsets(records []Record) []RRSet {
	index := make(map[setKey]int)
	var sets []RRSet
	for _, r := range records {
		k := setKey{r.Name, r.Type}
		i, ok := index[k]
		if !ok {
			i = len(sets)
			index[k] = i
			sets = append(sets, RRSet{Name: r.Name, Type: r.Type, TTL: r.TTL})
		}
		sets[i].Data = append(sets[i].Data, r.Data)
		sets[i].TTL = min(sets[i].TTL, r.TTL)
	}
	return sets
}
