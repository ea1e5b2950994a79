package panel

import (
	"context"
	"net/netip"
	"strings"
	"sync"

	"berth/sites"
)

// edge routes every name of the zone to the site of that name.
type edge struct {
	mu      sync.Mutex
	failing netip.AddrPort
}

// fail has an instance fail.
func (e *edge) fail(addr netip.AddrPort) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failing = addr
}

func (e *edge) Trouble(addr netip.AddrPort) sites.InstanceTrouble {
	e.mu.Lock()
	defer e.mu.Unlock()
	if addr != e.failing {
		return sites.InstanceTrouble{}
	}
	return sites.InstanceTrouble{Kind: sites.TroubleCheck}
}

func (e *edge) Route(host string) sites.Route {
	name, ok := strings.CutSuffix(host, "."+testZone)
	if !ok {
		return sites.Route{}
	}
	return sites.Route{Site: name, Itself: true}
}

func (e *edge) Reach(context.Context, string, netip.Addr) sites.Reach { return sites.ReachHere }
