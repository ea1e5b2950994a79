package lookup

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"time"

	"berth/sites"
)

// Config is how the world is asked.
type Config struct {
	Resolver netip.AddrPort // recursive
	Zone     string         // the main zone: aliases are not followed into it
	// Timeout is how long an answer is waited for, twice over UDP; default 1.5 s. A whole look takes 15 s at most.
	Timeout time.Duration
	// Dial connects to a nameserver over "udp" or "tcp"; default: as net.Dialer does.
	Dial func(ctx context.Context, network string, addr netip.AddrPort) (net.Conn, error)
}

const (
	defaultTimeout = 1500 * time.Millisecond
	overall        = 15 * time.Second
	port           = 53
	maxServers     = 3  // nameservers of the domain that are asked
	maxAliases     = 16 // CNAME records in a chain
)

func (c Config) withDefaults() Config {
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.Zone = sites.CanonicalHost(c.Zone)
	return c
}
