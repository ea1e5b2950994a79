package sites

import "net/netip"

// Change is what the one writer hands to the appliers after a commit. It and all it points to are immutable.
//
// Sites, RRSets and Zones replace what an applier holds under the same keys (host name; owner name and type; zone name);
// Gone lists host names that no longer route, GoneZones zones that are no longer answered for, with all their
// records. When Full is set the Change is the whole state, and an applier drops whatever it holds that the Change does not name.
type Change struct {
	Revision  int64
	Full      bool
	Sites     []Published
	Gone      []string
	RRSets    []RRSet
	Zones     []PublishedZone
	GoneZones []string
}

// Published is a site as the servers see it.
type Published struct {
	ID        SiteID
	Name      string
	Owner     AccountID
	Hosts     []string // lower-case, without trailing dot; its own name first, then the custom domains that are proven
	Lapsed    []string // those of Hosts that do not lead here any more: no certificate is ordered for them
	State     State
	Release   int              // active release, 0 for none
	Root      string           // directory of the active release where berth itself can serve it, else empty
	Content   string           // directory of the active release, whoever serves it; empty: there is none
	Instances []netip.AddrPort // addresses of the serving instances; none: in this process, or not at all
	Options   Options
	// HealthPath is what instances are asked for to see whether they answer; empty means "/".
	HealthPath string
}

// RRSet is a set of DNS records that an owner or admin has entered. Empty Data means the set is gone.
type RRSet struct {
	Name string // absolute, lower-case, without trailing dot
	Type string // such as "MX"
	TTL  uint32 // seconds
	Data []string
}

// Applier is a server that follows the published state. Apply is called by one goroutine at a time in the order
// of revisions; it must neither block nor fail, and slow work is queued behind it.
type Applier interface {
	Apply(Change)
}
