package delegation

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// Check compares what the world is told of the zone with what it should be. What is wrong, be it that the parent cannot be
// asked, is in the result; an error says that the zone has no name that could be delegated, or that ctx is done.
func Check(ctx context.Context, cfg Config, zone Zone) (sites.Delegation, error) {
	zone = zone.canonical()
	if _, ok := dns.IsDomainName(zone.Name); !ok || zone.Name == "" {
		return sites.Delegation{}, fmt.Errorf("check the delegation of %q: not a zone's name", zone.Name)
	}
	if len(zone.Nameservers) == 0 {
		return sites.Delegation{}, errors.New("check the delegation: the zone has no nameservers")
	}
	if within(zone.Name, "localhost") {
		return sites.Delegation{State: sites.DelegationLocal}, nil
	}
	bounded, cancel := context.WithTimeout(ctx, overall)
	defer cancel()
	c := &check{Config: cfg.withDefaults(), zone: zone}
	result := c.run(bounded)
	if err := over(ctx); err != nil {
		return sites.Delegation{}, fmt.Errorf("check the delegation of %s: %w", zone.Name, err)
	}
	return result, nil
}

// check is one look at a zone.
type check struct {
	Config
	zone     Zone
	view     view
	findings []sites.Finding
}

func (c *check) find(kind sites.FindingKind, server, format string, args ...any) {
	c.findings = append(c.findings, sites.Finding{Kind: kind, Server: server, Sentence: fmt.Sprintf(format, args...)})
}

// over is ctx's error, also in the moment after its deadline in which ctx does not know yet and the connections do.
func over(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

func (c *check) run(ctx context.Context) sites.Delegation {
	var err error
	c.view, err = c.look(ctx, c.zone.Name)
	switch {
	case err != nil && c.view.parent == "":
		c.find(sites.FindingUnreachable, "", "The parent zone of %s was not found: the resolver %s gives no answer that tells it.", c.zone.Name, c.Resolver)
		return c.result(sites.DelegationUnknown)
	case err != nil:
		c.find(sites.FindingUnreachable, "", "No nameserver of %s gives an answer of use. Check again later.", c.parentName())
		return c.result(sites.DelegationUnknown)
	case !c.delegatedHere():
		return c.result(sites.DelegationMissing)
	}
	c.compareNameservers()
	if !c.view.both {
		c.compareGlue()
	}
	visits := c.visitAll(ctx, c.zone.Name, c.view)
	answering := slices.IndexFunc(visits, func(v visit) bool { return v.answers })
	var keys []*dns.DNSKEY
	if answering >= 0 && c.strangeDS() {
		keys = c.keysOf(ctx, netip.AddrPortFrom(visits[answering].addr, port), c.zone.Name)
	}
	secure := c.compareDS(keys)
	unasked := false
	for _, v := range visits {
		unasked = unasked || v.unasked
		if v.sentence != "" {
			c.find(v.kind, v.host, "%s", v.sentence)
		}
	}
	switch {
	case !secure || answering < 0 && !unasked:
		return c.result(sites.DelegationBroken)
	case len(c.findings) > 0:
		return c.result(sites.DelegationPartly)
	}
	return c.result(sites.DelegationGood)
}

func (c *check) result(state sites.DelegationState) sites.Delegation {
	return sites.Delegation{State: state, Parent: c.view.parent, Findings: c.findings}
}

func (c *check) parentName() string {
	if c.view.parent == "." {
		return "the root zone"
	}
	return c.view.parent
}

// delegatedHere finds whether the parent leads to at least one of the zone's nameservers.
func (c *check) delegatedHere() bool {
	right := strings.Join(c.zone.Nameservers, ", ")
	switch {
	case len(c.view.nameservers) == 0:
		c.find(sites.FindingNotDelegated, "", "There are no NS records of %s in %s. Enter these nameservers at the registrar: %s.", c.zone.Name, c.parentName(), right)
		return false
	case !slices.ContainsFunc(c.view.nameservers, func(host string) bool { return slices.Contains(c.zone.Nameservers, host) }):
		c.find(sites.FindingNotDelegated, "", "%s is delegated elsewhere, to %s. Enter these nameservers at the registrar instead: %s.",
			c.zone.Name, strings.Join(c.view.nameservers, ", "), right)
		return false
	}
	return true
}

func (c *check) compareNameservers() {
	for _, host := range c.zone.Nameservers {
		if !slices.Contains(c.view.nameservers, host) {
			c.find(sites.FindingNameserver, host, "The nameserver %s of the zone is not among those that %s names. Add it at the registrar.", host, c.parentName())
		}
	}
	for _, host := range c.view.nameservers {
		if !slices.Contains(c.zone.Nameservers, host) {
			c.find(sites.FindingNameserver, host, "%s names %s, which is no nameserver of the zone. Remove it at the registrar, or add it to the zone's nameservers.", upperFirst(c.parentName()), host)
		}
	}
}

// compareGlue compares the addresses of nameservers that can be found by the parent's word alone.
func (c *check) compareGlue() {
	for _, host := range c.view.nameservers {
		want, have := c.zone.Glue[host], c.view.glue[host]
		if !slices.Contains(c.zone.Nameservers, host) || !within(host, c.zone.Name) {
			continue
		}
		lacking, strange := without(want, have), without(have, want)
		switch {
		case len(want) > 0 && len(strange) > 0:
			c.find(sites.FindingWrongGlue, host, "%s says that %s has the address %s. Correct it at the registrar to %s.", upperFirst(c.parentName()), host, list(strange), list(want))
		case len(lacking) > 0:
			c.find(sites.FindingMissingGlue, host, "%s lacks the address %s of %s. Enter it at the registrar, as glue or as the address of a host of the domain.", upperFirst(c.parentName()), list(lacking), host)
		case len(have) == 0:
			c.find(sites.FindingMissingGlue, host, "%s has no address of %s, without which nobody finds it. Enter it at the registrar, as glue or as the address of a host of the domain.", upperFirst(c.parentName()), host)
		}
	}
}

// without returns those of a that are not in b.
func without(a, b []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(a), func(addr netip.Addr) bool { return slices.Contains(b, addr) })
}

func list(addrs []netip.Addr) string {
	texts := make([]string, len(addrs))
	for i, addr := range addrs {
		texts[i] = addr.String()
	}
	slices.Sort(texts)
	return strings.Join(texts, " and ")
}

func upperFirst(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
