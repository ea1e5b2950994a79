package transfer

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// limits bounds what other nameservers may cost.
type limits struct {
	transfersOut int           // at once
	perPeer      int           // of these, to one address
	wait         time.Duration // for one of them to end
	transfersIn  int           // at once
	notifies     int           // unanswered NOTIFY messages at once
	journals     int           // that are read or written at once

	notifyWindow   time.Duration // for changes to come together in one NOTIFY
	notifyAttempts int
	answer         time.Duration // for the answer to a datagram; doubled with each attempt at a NOTIFY

	records  int           // of a zone that comes in
	bytes    int           // of its messages
	connect  time.Duration // to a primary
	stall    time.Duration // between two messages of a stream
	transfer time.Duration // of a whole zone

	shortest time.Duration // time between refreshes, whatever the SOA record says
	rest     time.Duration // after a refresh, before NOTIFY can have another one
	longest  time.Duration
	first    time.Duration // after the first failure to get a zone at all; doubled with each further one
	settle   time.Duration // between two writes of the file of a secondary zone
}

func defaultLimits() limits {
	return limits{
		transfersOut: 20, perPeer: 4, wait: 10 * time.Second, transfersIn: 10, notifies: 64, journals: 4,
		notifyWindow: time.Second, notifyAttempts: 5, answer: 2 * time.Second,
		records: 5_000_000, bytes: 1 << 30, connect: 5 * time.Second, stall: 20 * time.Second, transfer: 30 * time.Minute,
		shortest: time.Second, rest: 2 * time.Second, longest: 28 * 24 * time.Hour, first: 5 * time.Second, settle: time.Minute,
	}
}

// gate lets a bounded number through at a time, in all and per address.
type gate struct {
	room    chan struct{}
	perPeer int
	mu      sync.Mutex
	peers   map[netip.Addr]int
}

func newGate(all, perPeer int) gate {
	return gate{room: make(chan struct{}, all), perPeer: perPeer, peers: make(map[netip.Addr]int)}
}

// enter waits until there is room; an address that has its share already does not wait.
func (g *gate) enter(ctx context.Context, peer netip.Addr, wait time.Duration) bool {
	g.mu.Lock()
	if g.peers[peer] >= g.perPeer {
		g.mu.Unlock()
		return false
	}
	g.peers[peer]++
	g.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case g.room <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	g.giveBack(peer)
	return false
}

func (g *gate) leave(peer netip.Addr) {
	<-g.room
	g.giveBack(peer)
}

func (g *gate) giveBack(peer netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.peers[peer]--; g.peers[peer] == 0 {
		delete(g.peers, peer)
	}
}
