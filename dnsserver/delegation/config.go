package delegation

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// Config is how the world is asked.
type Config struct {
	Resolver netip.AddrPort // recursive; it finds the parent and its nameservers
	// Timeout is how long an answer is waited for, twice over UDP; default 1.5 s. A whole check takes 15 s at most.
	Timeout time.Duration
	// Dial connects to a nameserver over "udp" or "tcp"; default: as net.Dialer does.
	Dial func(ctx context.Context, network string, addr netip.AddrPort) (net.Conn, error)
}

const (
	defaultTimeout = 1500 * time.Millisecond
	overall        = 15 * time.Second
	port           = 53

	maxParents   = 6  // addresses of the parent's nameservers that are asked
	maxServers   = 13 // nameservers of the zone that are asked
	maxAddresses = 4  // of each
	maxAtOnce    = 8  // questions that are open at a time
	maxDepth     = 8  // zones between the one that the resolver knows and the parent
)

func (c Config) withDefaults() Config {
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	return c
}

// Zone is what the world should be told. Names may be with or without trailing dot.
type Zone struct {
	Name        string
	Nameservers []string
	Glue        map[string][]netip.Addr // addresses of the nameservers at or below the zone
	DS          []sites.DS              // empty: the zone is not signed
}

// canonical returns the zone with its names in lower case and without trailing dot.
func (z Zone) canonical() Zone {
	names := make([]string, len(z.Nameservers))
	for i, name := range z.Nameservers {
		names[i] = sites.CanonicalHost(name)
	}
	glue := make(map[string][]netip.Addr, len(z.Glue))
	for name, addrs := range z.Glue {
		glue[sites.CanonicalHost(name)] = addrs
	}
	return Zone{sites.CanonicalHost(z.Name), names, glue, z.DS}
}

// SystemResolver is the first resolver that the machine is set up with (resolv.conf(5)).
func SystemResolver() (netip.AddrPort, error) {
	const path = "/etc/resolv.conf"
	conf, err := dns.ClientConfigFromFile(path)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("read %s: %w", path, err)
	}
	for _, server := range conf.Servers {
		if addr, err := netip.ParseAddr(server); err == nil {
			return netip.AddrPortFrom(addr, port), nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("%s names no resolver", path)
}
