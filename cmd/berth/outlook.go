package main

import (
	"context"
	"net/netip"

	"berth/dnsserver/lookup"
	"berth/proxy"
	"berth/sites"
)

// outlook is how custom domains look from outside, as a sites.DomainLook.
type outlook struct {
	cfg  *config
	edge *proxy.Proxy
}

// Look asks the world's DNS about a name.
func (o outlook) Look(ctx context.Context, name string) (sites.DomainView, error) {
	resolver, err := o.cfg.resolver()
	if err != nil {
		return sites.DomainView{}, err
	}
	return lookup.Look(ctx, lookup.Config{Resolver: resolver, Zone: o.cfg.Zone}, name)
}

// Reach asks an address of this server who is there.
func (o outlook) Reach(ctx context.Context, name string, addr netip.Addr) sites.Reach {
	return o.edge.Reach(ctx, name, addr)
}
