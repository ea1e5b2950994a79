package proxy

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"berth/proxy/origin"
	"berth/sites"
)

// upstreams holds the instances that are published, and those that are not but still have requests in flight.
type upstreams struct {
	zone    string
	limits  limits
	buffers *buffers
	logger  *slog.Logger
	dialer  net.Dialer
	conns   quota   // connections to all instances
	sweeps  sampler // of idle ones, to make room

	checks http.Transport

	mu      sync.Mutex
	byAddr  map[netip.AddrPort]*upstream
	checked map[*upstream]struct{} // those of byAddr that have a probe
}

func newUpstreams(zone string, lim limits, logger *slog.Logger) *upstreams {
	u := &upstreams{
		zone:    zone,
		limits:  lim,
		buffers: newBuffers(),
		logger:  logger,
		dialer:  net.Dialer{Timeout: lim.dial},
		conns:   quota{most: int64(lim.instances)},
		sweeps:  sampler{every: time.Second},
		byAddr:  make(map[netip.AddrPort]*upstream),
		checked: make(map[*upstream]struct{}),
	}
	// Checks have connections of their own: they are no requests, and find out whether an instance takes new ones.
	u.checks = http.Transport{DialContext: u.dial, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}
	return u
}

// dial connects to an instance, or returns origin.ErrBusy when there are as many connections as may be.
func (u *upstreams) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if !u.conns.take() {
		u.sweep(time.Now())
		if !u.conns.take() {
			return nil, origin.ErrBusy
		}
	}
	conn, err := u.dialer.DialContext(ctx, network, address)
	if err != nil {
		u.conns.give()
		return nil, err
	}
	return &instanceConn{Conn: conn, quota: &u.conns}, nil
}

// sweep closes the connections that are kept for later, now and then: it looks at every instance.
func (u *upstreams) sweep(now time.Time) {
	if _, due := u.sweeps.due(now); !due {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, up := range u.byAddr {
		up.transport.CloseIdleConnections()
	}
}

// retain returns the upstreams of a site's instances on behalf of its hosts. If there are several, they are asked now and
// then whether they answer.
func (u *upstreams) retain(site sites.Published) group {
	var asked *probe
	if len(site.Instances) > 1 {
		asked = &probe{host: site.Hosts[0], path: cmp.Or(site.HealthPath, "/")}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	members := make(group, len(site.Instances))
	for i, addr := range site.Instances {
		found, ok := u.byAddr[addr]
		if !ok {
			found = u.newUpstream(addr)
			u.byAddr[addr] = found
		}
		found.hosts += len(site.Hosts)
		found.reopen() // it may have been draining
		u.setProbe(found, asked)
		members[i] = found
	}
	return members
}

// setProbe needs u.mu. An instance without others beside it cannot be left out.
func (u *upstreams) setProbe(up *upstream, asked *probe) {
	up.probe.Store(asked)
	if asked != nil {
		u.checked[up] = struct{}{}
		return
	}
	delete(u.checked, up)
	up.letIn()
}

// release undoes the retain of one host. An upstream that no host routes to takes no further requests and goes when
// the last in flight ends.
func (u *upstreams) release(members group) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, up := range members {
		up.hosts--
		if up.hosts > 0 {
			continue
		}
		u.setProbe(up, nil)
		if up.close() {
			delete(u.byAddr, up.addr)
		}
		// Connections that are busy now are closed when they fall idle.
		up.transport.CloseIdleConnections()
	}
}

// forget drops a closed upstream whose last request has ended, unless it is published again.
func (u *upstreams) forget(up *upstream) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !up.closed() || up.count() != 0 {
		return
	}
	if u.byAddr[up.addr] == up {
		delete(u.byAddr, up.addr)
	}
	// A request that was counted before the closing and sent after it has brought the pooling back to life.
	up.transport.CloseIdleConnections()
}

func (u *upstreams) drain(ctx context.Context, addr netip.AddrPort) error {
	u.mu.Lock()
	up := u.byAddr[addr]
	u.mu.Unlock()
	if up == nil {
		return nil
	}
	return up.wait(ctx)
}

// counts counts the upstreams: all, those that drain, and those that are left out.
func (u *upstreams) counts() (all, draining, out int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, up := range u.byAddr {
		if up.closed() {
			draining++
		}
	}
	for up := range u.checked {
		if up.leftOut() {
			out++
		}
	}
	return len(u.byAddr), draining, out
}

// trouble is why requests to addr are not answered, as far as has been seen.
func (u *upstreams) trouble(addr netip.AddrPort, rest time.Duration) sites.InstanceTrouble {
	u.mu.Lock()
	defer u.mu.Unlock()
	up := u.byAddr[addr]
	if up == nil {
		return sites.InstanceTrouble{}
	}
	return up.trouble(rest)
}
