package zone

import (
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// Zone is what is known of one delegated domain. Queries read current; everything else belongs to writers.
type Zone struct {
	apex    name
	origin  origin
	offers  offers
	soa     dns.SOA // but for the serial
	log     *slog.Logger
	now     func() time.Time
	current atomic.Pointer[Snapshot]

	writing sync.Mutex
	refused map[setKey]sites.RRSet // entered sets that were found faulty, so that each is logged once
	signed  bool
	keys    []*key   // as planned
	ring    *keyring // what the plan says for the time of the last look; nil for an unsigned zone
	behind  behind
}

// setKey names a set of Records: key of its owner and type.
type setKey struct {
	owner  string
	rrtype string
}

// Snapshot is the zone at one time. It is immutable.
type Snapshot struct {
	root     *node
	index    *index // of root
	hashes   *node  // of NSEC3 records, by the label of their owner's hash; nil where the zone is not secondary
	apex     name
	names    int    // entries in the tree
	soa      *Set   // nil until the first full change: only then is known what does not exist
	soaSigs  []byte // as in Placed
	negative *Set   // the SOA record as it goes with denials, if its TTL is another then
	nsec3    *hash  // how names are hashed; nil where NSEC proves what does not exist
	revision int64  // of the last change that touched the zone's content; the serial

	ds      []sites.DS
	journal journal
	renewAt time.Time
}

// New returns a zone that knows its own names. Until the first full change it denies nothing: see Snapshot.Lookup.
func New(cfg Config) (*Zone, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	wire, err := PackName(cfg.Name)
	if err != nil {
		return nil, fmt.Errorf("zone %q: %w", cfg.Name, err)
	}
	z := &Zone{origin: origin(wire), log: cfg.Logger, now: cfg.Now, refused: make(map[setKey]sites.RRSet)}
	z.apex = z.origin.name(wire)
	if err := z.makeOffers(cfg); err != nil {
		return nil, err
	}
	z.soa = dns.SOA{
		Hdr: dns.RR_Header{Rrtype: dns.TypeSOA, Class: dns.ClassINET},
		Ns:  dns.Fqdn(cfg.Nameservers[0]), Mbox: mailboxName(cfg.Contact),
		Refresh: soaRefresh, Retry: soaRetry, Expire: soaExpire, Minttl: soaMinimum,
	}
	z.current.Store(&Snapshot{root: &node{}, apex: z.apex})
	return z, z.addOwn(cfg)
}

// addOwn adds the names that exist for berth's own sake.
func (z *Zone) addOwn(cfg Config) error {
	roles := make(map[string]role)
	if cfg.Main {
		roles["www."+cfg.Name] = roleWWW
		roles[cfg.PanelHost] = roleHost
	}
	for _, host := range cfg.Nameservers {
		roles[host] = roleNameserver
	}
	roles[cfg.Name] = roleApex
	u := z.begin()
	for host, r := range roles {
		n, err := z.origin.parse(host)
		if err != nil {
			return fmt.Errorf("host %q: %w", host, err)
		}
		if n.inside {
			u.change(n, func(e *entry) { e.role = r })
		}
	}
	u.commit(0, false)
	return nil
}

// Apply carries out a change.
func (z *Zone) Apply(ch sites.Change) {
	z.writing.Lock()
	defer z.writing.Unlock()
	u := z.begin()
	known := ch.Full
	for _, published := range ch.Zones {
		if sites.CanonicalHost(published.Name) == z.Name() {
			known = true
			z.setKeys(published)
			u.follow()
		}
	}
	if ch.Full {
		u.dropUnnamed(ch)
	}
	for _, host := range ch.Gone {
		u.setSite(host, false)
	}
	for _, site := range ch.Sites {
		for _, host := range site.Hosts {
			u.setSite(host, true)
		}
	}
	for _, set := range ch.RRSets {
		u.enter(set)
	}
	u.commit(ch.Revision, known)
}

// SetChallenge adds or removes a TXT value at a name of the zone. A revision that is not greater than the serial counts
// as the next one.
func (z *Zone) SetChallenge(host, value string, present bool, revision int64) error {
	n, err := z.origin.parse(host)
	if err != nil || !n.inside {
		return fmt.Errorf("the name %q is not in the zone", host)
	}
	z.writing.Lock()
	defer z.writing.Unlock()
	u := z.begin()
	u.change(n, func(e *entry) {
		e.people = e.people.with(func(p *people) { p.challenge(value, present) })
	})
	u.commit(revision, false)
	return nil
}

// SetIssuers says by CAA records at the apex which authorities may issue certificates for the zone, in presentation format
// (RFC 8659 section 4.1.1). CAA records that people have entered there stand in their place.
func (z *Zone) SetIssuers(caa []string, revision int64) {
	z.writing.Lock()
	defer z.writing.Unlock()
	in := sites.RRSet{Name: "the apex", Type: "CAA", TTL: issuerTTL, Data: caa}
	var set *Set
	if len(caa) > 0 {
		var err error
		if set, err = z.origin.parseSet(in); err != nil {
			z.log.Error("the authorities that issue certificates are not named", "error", err)
			return
		}
	}
	if set.equal(z.offers.issuers) {
		return
	}
	z.offers.issuers = set
	u := z.begin()
	u.change(z.apex, func(*entry) {})
	u.commit(revision, false)
}

// Current is the zone as it is now.
func (z *Zone) Current() *Snapshot { return z.current.Load() }

// AppendKey appends the key for Snapshot.Lookup of a name in wire form and lower case; it reports whether the name is in
// the zone at all.
func (z *Zone) AppendKey(key, wire []byte) ([]byte, bool) {
	n, inside := z.origin.below(wire)
	if !inside {
		return key, false
	}
	return appendKey(key, wire[:n]), true
}

// Serial is that of the zone's SOA record.
func (z *Snapshot) Serial() uint32 { return uint32(z.revision) }

// DS is what the zone's parent should say of its keys; nothing for an unsigned zone.
func (z *Snapshot) DS() []sites.DS { return z.ds }

// All yields the zone's records but SOA in canonical order (RFC 4034 section 6.1), and then those of
// type NSEC3.
func (z *Snapshot) All() iter.Seq[Placed] {
	return func(yield func(Placed) bool) {
		for _, tree := range []*node{z.root, z.hashes} {
			if tree == nil {
				continue
			}
			for e := range tree.all() {
				for i := range e.count() {
					if !yield(e.placed(i, true)) {
						return
					}
				}
			}
		}
	}
}

// Names is the number of names that exist.
func (z *Snapshot) Names() int { return z.names }
