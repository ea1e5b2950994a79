package zone

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"berth/sites"

	"github.com/miekg/dns"
)

// enter puts a set that people have entered in place of the one with its name and type. A faulty one is logged
// and counts as gone.
func (u *update) enter(in sites.RRSet) {
	n, err := u.zone.origin.parse(in.Name)
	if err != nil || !n.inside {
		return // another zone's, if anybody's
	}
	rrtype := strings.ToUpper(in.Type)
	if sameSet(u.zone.refused[setKey{n.key, rrtype}], in) {
		return
	}
	var held *entered
	if e := u.tree.root.get(n.key); e != nil {
		held = e.people.of(dns.StringToType[rrtype])
	}
	if held != nil && sameSet(held.source, in) {
		return
	}
	set := u.zone.enteredSet(n, in)
	if set == nil && held == nil {
		return
	}
	u.put(n, dns.StringToType[rrtype], in, set)
}

// enteredSet returns what an entered set means, nil if nothing.
func (z *Zone) enteredSet(n name, in sites.RRSet) *Set {
	key := setKey{n.key, strings.ToUpper(in.Type)}
	delete(z.refused, key)
	if len(in.Data) == 0 {
		return nil
	}
	set, err := z.checkedSet(n, in)
	if err != nil {
		z.log.Warn("a record set is not served", "name", in.Name, "type", in.Type, "error", err)
		z.refused[key] = in
	}
	return set
}

func (z *Zone) checkedSet(n name, in sites.RRSet) (*Set, error) {
	switch rrtype := strings.ToUpper(in.Type); {
	case n.wildcard() && rrtype == "NS":
		return nil, errors.New("a wildcard cannot be delegated") // RFC 4592 section 4.2
	case n.key == "" && (rrtype == "CNAME" || rrtype == "DS"):
		return nil, fmt.Errorf("the zone's apex cannot have a %s record", rrtype)
	case rrtype == "DNSKEY" || rrtype == "CDS" || rrtype == "CDNSKEY":
		return nil, fmt.Errorf("%s records are made from the zone's keys", rrtype)
	}
	return z.origin.parseSet(in)
}

// put replaces the entered set of a type at a name, or removes it where set is nil.
func (u *update) put(n name, rrtype uint16, source sites.RRSet, set *Set) {
	u.change(n, func(e *entry) {
		e.people = e.people.with(func(p *people) { p.enter(rrtype, source, set) })
	})
}

func sameSet(a, b sites.RRSet) bool {
	return a.Name == b.Name && a.Type == b.Type && a.TTL == b.TTL && slices.Equal(a.Data, b.Data)
}

// dropUnnamed removes the hosts and entered sets that a full change does not name.
func (u *update) dropUnnamed(ch sites.Change) {
	hosts, sets := u.zone.namedIn(ch)
	base := u.tree.root
	for e := range base.all() {
		if e.site && !hosts[e.name.key] {
			u.change(e.name, func(e *entry) { e.site = false })
		}
		if e.people == nil {
			continue
		}
		for _, in := range e.people.entered {
			if !sets[setKey{e.name.key, dns.TypeToString[in.set.Type]}] {
				u.put(e.name, in.set.Type, sites.RRSet{}, nil)
			}
		}
	}
	maps.DeleteFunc(u.zone.refused, func(key setKey, _ sites.RRSet) bool { return !sets[key] })
}

// namedIn returns the keys of what a change names.
func (z *Zone) namedIn(ch sites.Change) (hosts map[string]bool, sets map[setKey]bool) {
	hosts, sets = make(map[string]bool, len(ch.Sites)), make(map[setKey]bool, len(ch.RRSets))
	for _, site := range ch.Sites {
		for _, host := range site.Hosts {
			if n, err := z.origin.parse(host); err == nil && n.inside {
				hosts[n.key] = true
			}
		}
	}
	for _, set := range ch.RRSets {
		if n, err := z.origin.parse(set.Name); err == nil && n.inside {
			sets[setKey{n.key, strings.ToUpper(set.Type)}] = true
		}
	}
	return hosts, sets
}
