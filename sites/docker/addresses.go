package docker

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// widest is the largest network: a Linux bridge holds 1,023 ports, a /22 1,021 instances.
	widest = 22
	// rest is how long an address is left alone after use, so that a late packet or request meets nobody else.
	rest = time.Minute
)

// subnet is one of this installation's networks.
type subnet struct {
	name   string
	prefix netip.Prefix
}

// addresses hands out the addresses of the pool. The engine is their owner: it is asked in survey, and what was handed
// out since is kept here. It is safe for concurrent use.
type addresses struct {
	pool    netip.Prefix
	mu      sync.Mutex
	clock   uint64 // counts changes, to tell what a survey cannot know yet
	subnets []subnet
	held    map[netip.Addr]uint64 // in use, since that count
	pending map[netip.Addr]bool   // handed out for a start that has not ended
	resting map[netip.Addr]time.Time
	last    netip.Addr // addresses are handed out in turn, so that one is not soon used again
}

func newAddresses(pool netip.Prefix) *addresses {
	return &addresses{
		pool: pool.Masked(), held: make(map[netip.Addr]uint64),
		pending: make(map[netip.Addr]bool), resting: make(map[netip.Addr]time.Time),
	}
}

// now is the count to hand to settle with what is read from the engine from here on.
func (a *addresses) now() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.clock
}

// settle takes over what the engine said; since is now() from before it was asked.
func (a *addresses) settle(since uint64, inUse []netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	listed := make(map[netip.Addr]bool, len(inUse))
	for _, addr := range inUse {
		listed[addr] = true
		if _, ok := a.held[addr]; !ok {
			a.held[addr] = since
		}
	}
	for addr, at := range a.held {
		if !listed[addr] && at <= since {
			delete(a.held, addr)
		}
	}
}

// setSubnets names the networks that addresses can be taken from.
func (a *addresses) setSubnets(subnets []subnet) {
	slices.SortFunc(subnets, func(x, y subnet) int { return x.prefix.Addr().Compare(y.prefix.Addr()) })
	a.mu.Lock()
	defer a.mu.Unlock()
	a.subnets = subnets
}

// take hands out an address that is free, and rested unless tired is set. It must be kept or given back.
func (a *addresses) take(tired bool) (netip.Addr, subnet, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for addr, since := range a.resting {
		if time.Since(since) >= rest {
			delete(a.resting, addr)
		}
	}
	// First those after the last one handed out, then from the beginning.
	for _, from := range []netip.Addr{a.last, {}} {
		for _, s := range a.subnets {
			if addr, ok := a.free(s.prefix, from, tired); ok {
				a.last = addr
				a.pending[addr] = true
				return addr, s, true
			}
		}
	}
	return netip.Addr{}, subnet{}, false
}

// free finds the first usable address of the prefix that comes after from.
func (a *addresses) free(prefix netip.Prefix, from netip.Addr, tired bool) (netip.Addr, bool) {
	addr, end := gateway(prefix).Next(), last(prefix)
	if from.IsValid() && from.Compare(addr) >= 0 {
		addr = from.Next()
	}
	for ; addr.Less(end); addr = addr.Next() {
		_, held := a.held[addr]
		_, resting := a.resting[addr]
		if !held && !a.pending[addr] && (tired || !resting) {
			return addr, true
		}
	}
	return netip.Addr{}, false
}

// keep says that an instance has the address now.
func (a *addresses) keep(addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clock++
	a.held[addr] = a.clock
	delete(a.pending, addr)
}

// giveBack says that nothing has the address any more.
func (a *addresses) giveBack(addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.held, addr)
	delete(a.pending, addr)
	a.resting[addr] = time.Now()
}

// nextSubnet is the first piece of the pool that none of the prefixes in use touches.
func nextSubnet(pool netip.Prefix, inUse []netip.Prefix) (netip.Prefix, bool) {
	piece := netip.PrefixFrom(pool.Addr(), max(pool.Bits(), widest))
	for pool.Contains(piece.Addr()) {
		if !slices.ContainsFunc(inUse, piece.Overlaps) {
			return piece, true
		}
		after := last(piece).Next()
		if !after.IsValid() {
			break
		}
		piece = netip.PrefixFrom(after, piece.Bits())
	}
	return netip.Prefix{}, false
}

// gateway is the host's own address in the network.
func gateway(prefix netip.Prefix) netip.Addr { return prefix.Masked().Addr().Next() }

// last is the prefix's last address, the broadcast address.
func last(prefix netip.Prefix) netip.Addr {
	b := prefix.Masked().Addr().As4()
	for bit := prefix.Bits(); bit < 32; bit++ {
		b[bit/8] |= 1 << (7 - bit%8)
	}
	return netip.AddrFrom4(b)
}
