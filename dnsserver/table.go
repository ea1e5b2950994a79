package dnsserver

import (
	"iter"
	"log/slog"
	"maps"
	"strings"

	"berth/dnsserver/zone"
	"berth/sites"

	"github.com/miekg/dns"
)

// hosted is a zone with what the last change said of it. It is immutable; the zone in it is not.
type hosted struct {
	*zone.Zone
	published sites.PublishedZone
}

func (h *hosted) secondary() bool { return h.published.Kind == sites.ZoneSecondary }

// table is the zones that the server answers for. It is immutable.
type table struct {
	main   *hosted
	byWire map[string]*hosted // by apex in wire form and lower case, the main zone among them
	byName map[string]*hosted // the same, by name
}

func newTable(main *hosted) *table {
	t := &table{byWire: make(map[string]*hosted), byName: make(map[string]*hosted)}
	t.put(main)
	t.main = main
	return t
}

// find returns the zone whose apex is the longest suffix of the question's name, and nil where there is none. It finds
// where the name belongs in the zone.
func (t *table) find(q *query) *hosted {
	h := t.main
	if len(t.byWire) > 1 {
		if h = t.suffix(q.name); h == nil {
			return nil
		}
	}
	key, inside := h.AppendKey(q.keyRoom[:0], q.name)
	if !inside {
		return nil
	}
	q.key = key
	return h
}

func (t *table) suffix(wire []byte) *hosted {
	for at := 0; at < len(wire); at += int(wire[at]) + 1 {
		if h := t.byWire[string(wire[at:])]; h != nil { // the compiler makes no string of it
			return h
		}
	}
	return nil
}

// named returns the zone that a name in presentation format belongs to.
func (t *table) named(name string) *hosted {
	for name = sites.CanonicalHost(name); name != ""; {
		if h := t.byName[name]; h != nil {
			return h
		}
		_, name, _ = strings.Cut(name, ".")
	}
	return nil
}

// at returns the zone with the name as its apex.
func (t *table) at(name string) *hosted { return t.byName[sites.CanonicalHost(name)] }

func (t *table) all() iter.Seq[*hosted] { return maps.Values(t.byName) }

// put and drop are for a table that is being made.
func (t *table) put(h *hosted) {
	name := sites.CanonicalHost(h.published.Name)
	t.byWire[wireName(name)], t.byName[name] = h, h
}

func (t *table) drop(h *hosted) {
	name := sites.CanonicalHost(h.published.Name)
	delete(t.byWire, wireName(name))
	delete(t.byName, name)
}

func (t *table) clone() *table {
	return &table{main: t.main, byWire: maps.Clone(t.byWire), byName: maps.Clone(t.byName)}
}

// wireName is the wire form of a name that a zone has been made of; empty for what is no name.
func wireName(name string) string {
	wire, _ := zone.PackName(dns.Fqdn(name))
	return wire
}

// tableChange carries a change over to the table and to the zones in it.
type tableChange struct {
	next  *table
	fresh map[*zone.Zone]bool // made for this change: to them it is everything that there is
	parts map[*zone.Zone]*sites.Change
}

// zoneMaker makes the zone that a change names for the first time.
type zoneMaker func(sites.PublishedZone) (*zone.Zone, error)

// follow makes the table that a change leads to.
func (t *table) follow(ch sites.Change, newZone zoneMaker, log *slog.Logger) *tableChange {
	c := &tableChange{next: t, fresh: make(map[*zone.Zone]bool)}
	if ch.Full || len(ch.Zones)+len(ch.GoneZones) > 0 {
		c.next = t.clone()
		c.dropZones(ch)
		for _, published := range ch.Zones {
			if err := c.putZone(published, newZone); err != nil {
				log.Error("a zone is not served", "zone", published.Name, "error", err)
			}
		}
	}
	c.split(ch)
	return c
}

func (c *tableChange) dropZones(ch sites.Change) {
	for _, name := range ch.GoneZones {
		if h := c.next.at(name); h != nil && h != c.next.main {
			c.next.drop(h)
		}
	}
	if !ch.Full {
		return
	}
	named := make(map[string]bool, len(ch.Zones))
	for _, published := range ch.Zones {
		named[sites.CanonicalHost(published.Name)] = true
	}
	for name, h := range c.next.byName {
		if h != c.next.main && !named[name] {
			c.next.drop(h)
		}
	}
}

func (c *tableChange) putZone(published sites.PublishedZone, newZone zoneMaker) error {
	next := &hosted{published: published}
	switch before := c.next.at(published.Name); {
	case before != nil && (before == c.next.main || before.secondary() == next.secondary()):
		next.Zone = before.Zone
	default:
		z, err := newZone(published)
		if err != nil {
			return err
		}
		next.Zone = z
		c.fresh[z] = true
	}
	if next.Zone == c.next.main.Zone {
		c.next.main = next
	}
	c.next.put(next)
	return nil
}

// split gives each zone the part of the change that concerns it. A secondary zone has none: its content comes from elsewhere.
func (c *tableChange) split(ch sites.Change) {
	c.parts = make(map[*zone.Zone]*sites.Change)
	if len(c.next.byName) == 1 {
		c.parts[c.next.main.Zone] = &ch
		return
	}
	for h := range c.next.all() {
		if ch.Full || c.fresh[h.Zone] {
			c.part(h, ch)
		}
	}
	for _, published := range ch.Zones {
		if part := c.part(c.next.at(published.Name), ch); part != nil {
			part.Zones = append(part.Zones, published)
		}
	}
	for _, site := range ch.Sites {
		var last *sites.Change
		for _, host := range site.Hosts {
			if part := c.part(c.next.named(host), ch); part != nil && part != last {
				part.Sites = append(part.Sites, site)
				last = part
			}
		}
	}
	for _, host := range ch.Gone {
		if part := c.part(c.next.named(host), ch); part != nil {
			part.Gone = append(part.Gone, host)
		}
	}
	for _, set := range ch.RRSets {
		if part := c.part(c.next.named(set.Name), ch); part != nil {
			part.RRSets = append(part.RRSets, set)
		}
	}
}

func (c *tableChange) part(h *hosted, ch sites.Change) *sites.Change {
	if h == nil || h.secondary() {
		return nil
	}
	part := c.parts[h.Zone]
	if part == nil {
		part = &sites.Change{Revision: ch.Revision, Full: ch.Full || c.fresh[h.Zone]}
		c.parts[h.Zone] = part
	}
	return part
}
