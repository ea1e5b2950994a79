package delegation

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"berth/dnsserver/dnsclient"
	"berth/sites"

	"github.com/miekg/dns"
)

// view is what a nameserver of the parent tells the world of the zone.
type view struct {
	parent      string   // without trailing dot, "." for the root
	nameservers []string // none: the zone is not delegated
	glue        map[string][]netip.Addr
	ds          []sites.DS
	dsTTL       time.Duration
	both        bool   // the nameserver has the zone itself, too, so that its answer is not the parent's
	below       string // a zone between the parent and the zone, which must be asked instead
}

// look finds the parent and asks it. The view tells the parent's name even when there is an error.
func (c Config) look(ctx context.Context, zone string) (view, error) {
	parent, err := c.parentOf(ctx, zone)
	if err != nil {
		return view{}, err
	}
	for range maxDepth {
		v, err := c.askParent(ctx, parent, zone)
		if err != nil || v.below == "" {
			v.parent = parent
			return v, err
		}
		parent = v.below
	}
	return view{parent: parent}, errors.New("the delegations above do not end")
}

// parentOf is the closest zone above, as the resolver knows it: the owner of the SOA record that it answers with.
func (c Config) parentOf(ctx context.Context, zone string) (string, error) {
	for above := zone; above != "."; {
		_, rest, _ := strings.Cut(above, ".")
		above = rest
		if above == "" {
			above = "."
		}
		answer, err := c.resolve(ctx, above, dns.TypeSOA)
		if err != nil {
			return "", fmt.Errorf("find the parent of %s: %w", zone, err)
		}
		for _, rr := range slices.Concat(answer.Answer, answer.Ns) {
			if rr.Header().Rrtype == dns.TypeSOA && within(above, rr.Header().Name) {
				return plain(rr.Header().Name), nil
			}
		}
	}
	return "", fmt.Errorf("find the parent of %s: the resolver %s knows of none", zone, c.Resolver)
}

// plain is a name in lower case, without trailing dot unless it is the root.
func plain(name string) string {
	if name == "." {
		return name
	}
	return sites.CanonicalHost(name)
}

// askParent asks several nameservers of the parent at once, and takes the first answer that is of use.
func (c Config) askParent(ctx context.Context, parent, zone string) (view, error) {
	servers, err := c.serversOf(ctx, parent)
	if err != nil {
		return view{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	type result struct {
		view
		err error
	}
	results := make(chan result, len(servers))
	for _, server := range servers {
		go func() {
			v, err := c.viewOf(ctx, netip.AddrPortFrom(server, port), parent, zone)
			results <- result{v, err}
		}()
	}
	best := result{err: fmt.Errorf("the nameservers of %s have no addresses", parent)}
	found := false
	for range servers {
		r := <-results // even when one is found: what was started is waited for
		switch {
		case found:
		case r.err == nil && !r.both:
			best, found = r, true
			cancel()
		case r.err == nil || best.err != nil:
			best = r
		}
	}
	cancel()
	return best.view, best.err
}

// serversOf returns some addresses of the parent's nameservers, those of IPv4 first.
func (c Config) serversOf(ctx context.Context, parent string) ([]netip.Addr, error) {
	answer, err := c.resolve(ctx, parent, dns.TypeNS)
	if err != nil {
		return nil, fmt.Errorf("find the nameservers of %s: %w", parent, err)
	}
	var addrs []netip.Addr
	for _, rr := range answer.Answer {
		if ns, ok := rr.(*dns.NS); ok && len(addrs) < 2*maxParents {
			addrs = append(addrs, c.addresses(ctx, ns.Ns)...)
		}
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("find the nameservers of %s: the resolver %s knows no address of one", parent, c.Resolver)
	}
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return addrs[:min(len(addrs), maxParents)], nil
}

// viewOf asks one nameserver of the parent.
func (c Config) viewOf(ctx context.Context, server netip.AddrPort, parent, zone string) (view, error) {
	q := dnsclient.Question{Name: zone, Type: dns.TypeNS}
	answer, err := c.client().Ask(ctx, server, q)
	if err != nil {
		return view{}, err
	}
	v, err := readReferral(answer, parent, zone)
	if err != nil || v.below != "" || len(v.nameservers) == 0 {
		return v, err
	}
	if v.lacksGlue(zone) { // it may not have fitted
		if whole, err := c.client().Once(ctx, "tcp", server, q); err == nil {
			if again, err := readReferral(whole, parent, zone); err == nil && again.below == "" {
				v = again
			}
		}
	}
	v.ds, v.dsTTL, err = c.dsOf(ctx, server, zone)
	return v, err
}

// readReferral reads what a nameserver of the parent answers to the question for the zone's NS records (RFC 1034 section 4.3.2).
func readReferral(m *dns.Msg, parent, zone string) (view, error) {
	v := view{glue: make(map[string][]netip.Addr)}
	negative := false
	for _, rr := range slices.Concat(m.Answer, m.Ns) {
		owner := rr.Header().Name
		switch rr := rr.(type) {
		case *dns.NS:
			if dnsclient.SameName(owner, zone) {
				v.nameservers = append(v.nameservers, plain(rr.Ns))
			} else if within(zone, owner) && within(owner, parent) && !dnsclient.SameName(owner, parent) && !m.Authoritative {
				v.below = plain(owner)
			}
		case *dns.SOA:
			negative = negative || within(zone, owner)
		}
	}
	switch {
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		return view{}, fmt.Errorf("the answer is %s", dns.RcodeToString[m.Rcode])
	case len(v.nameservers) > 0:
		v.below = ""
	case v.below == "" && (!m.Authoritative || !negative):
		return view{}, errors.New("the answer is without authority")
	}
	v.both = m.Authoritative && len(m.Answer) > 0
	for _, rr := range m.Extra {
		if addr, ok := address(rr); ok {
			owner := plain(rr.Header().Name)
			v.glue[owner] = append(v.glue[owner], addr)
		}
	}
	slices.Sort(v.nameservers)
	return v, nil
}

func (v view) lacksGlue(zone string) bool {
	return slices.ContainsFunc(v.nameservers, func(host string) bool { return within(host, zone) && len(v.glue[host]) == 0 })
}
