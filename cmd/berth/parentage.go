package main

import (
	"context"
	"time"

	"berth/dnsserver"
	"berth/dnsserver/delegation"
	"berth/sites"
)

// parentage is what the DNS server and the zones above ours say of our zones. It serves the panel, and rollovers as a sites.Parent.
type parentage struct {
	*dnsserver.Server
	cfg *config
}

// DS asks the zone above for the zone's DS records.
func (p parentage) DS(ctx context.Context, zone string) ([]sites.DS, time.Duration, error) {
	resolver, err := p.cfg.resolver()
	if err != nil {
		return nil, 0, err
	}
	return delegation.DSAtParent(ctx, delegation.Config{Resolver: resolver}, zone)
}

// RegistrarLines are the records to enter at the zone's parent.
func (p parentage) RegistrarLines(zone string) (ns, glue, ds []string) {
	return delegation.RegistrarLines(p.expected(zone))
}

// CheckDelegation compares what the parent tells the world with what it should.
func (p parentage) CheckDelegation(ctx context.Context, zone string) (sites.Delegation, error) {
	resolver, err := p.cfg.resolver()
	if err != nil {
		return sites.Delegation{}, err
	}
	expected := p.expected(zone)
	if len(expected.Nameservers) == 0 {
		return sites.Delegation{}, sites.Refuse(sites.ErrConflict, "%s has not been transferred from its primary yet, so nobody here knows its nameservers.", zone)
	}
	return delegation.Check(ctx, delegation.Config{Resolver: resolver}, expected)
}

// expected is the zone as its parent should know it: as it says of itself.
func (p parentage) expected(zone string) delegation.Zone {
	nameservers, glue := p.Nameservers(zone)
	return delegation.Zone{Name: zone, Nameservers: nameservers, Glue: glue, DS: p.ZoneStatus(zone).DS}
}
