package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"berth/proxy/cache"
	"berth/sites"
)

// Config is what a Proxy is made of. All fields are required, unless they say otherwise.
type Config struct {
	Zone      string       // without trailing dot
	PanelHost string       // the host that Panel answers
	Panel     http.Handler // sees requests as they came, without forwarding headers, which are forged at this point
	// HTTPSPort is where the HTTP listener and the panel's other names redirect to; 443 is left out of the URL.
	HTTPSPort int
	HTTPPort  int // where Reach looks for this process; 0: 80
	// GetCertificate goes by the ServerName alone, and gives certificates with Leaf.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// HTTPChallenge is what a CA finds for a token that it has given for the host, over HTTP only; false: nothing.
	HTTPChallenge func(host, token string) (string, bool)
	// Static returns a handler for the files of a release. The handler is dropped, not closed, when the release is no
	// longer published: requests may still run on it.
	Static func(root string) (http.Handler, error)
	Pages  Pages
	// CacheBytes bounds what responses of sites may take in memory; with 0 none is kept.
	CacheBytes int64
	Logger     *slog.Logger
	Hits       HitSink // nil: nobody is told

	// TrustedProxies are the networks of gateways whose X-Forwarded-For and X-Forwarded-Proto are believed; may be empty.
	TrustedProxies []netip.Prefix
	// Balancers are the networks of balancers whose connections of TCP begin by the PROXY protocol; may be empty.
	Balancers []netip.Prefix
	// TicketFile is where the keys of TLS sessions are kept over restarts; empty: they are not.
	TicketFile string
}

// Proxy routes visitors' requests to sites and to the panel. It is a sites.Applier and a sites.Drainer.
type Proxy struct {
	zone           string
	www            string
	panelHost      string
	panel          http.Handler
	portSuffix     string // of redirects: "" or ":8443"
	getCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	httpChallenge  func(host, token string) (string, bool)
	pages          Pages
	log            *slog.Logger
	limits         limits
	cache          *cache.Cache
	gateways       networks
	balancers      networks
	tickets        *tickets
	offer          []string // of HTTP/3, as Alt-Svc; set by Serve

	gate      *gate
	table     *table
	logins    *logins
	files     quota    // requests that are answered from a release's files
	strangers sampler  // of the log lines about balancers that do not introduce their clients
	scarcity  sampler  // of the log lines about requests that the limits leave without an answer
	requests  inflight // all requests on HTTPS, upgraded connections among them
	served    atomic.Uint64
	retries   atomic.Uint64
	failures  atomic.Uint64

	httpPort   int
	selfChecks selfChecks
	responses  responses // of sites
	hits       *hits     // nil: nobody is told
}

var (
	_ sites.Applier = (*Proxy)(nil)
	_ sites.Drainer = (*Proxy)(nil)
)

// limits bound what one client or instance can hold up.
type limits struct {
	header      time.Duration // for a TLS handshake, and for a request's header
	idle        time.Duration // a connection between requests
	stall       time.Duration // one blocked read of a body or write of a response
	headerBytes int           // of all fields together; what a hosted site stuffs into the zone's cookies must fit
	streams     int           // concurrent HTTP/2 streams of one connection
	shutdown    time.Duration
	descriptors

	dial     time.Duration // to an instance
	queue    time.Duration // for a connection to an instance while all that it may have are in use
	response time.Duration // from a request sent to the first byte of the instance's answer
	keep     time.Duration // an idle connection to an instance
	rest     time.Duration // for an unreachable instance that another source can stand in for
	check    time.Duration // between two checks of an instance
	answer   time.Duration // that an instance may take to answer a check
	outlier  outlier
}

func defaultLimits() limits {
	return limits{
		header:      10 * time.Second,
		idle:        2 * time.Minute,
		stall:       time.Minute,
		headerBytes: 128 << 10,
		streams:     128,
		shutdown:    20 * time.Second,
		descriptors: shares(openFiles()),

		dial:     2 * time.Second,
		queue:    10 * time.Second,
		response: 2 * time.Minute,
		keep:     30 * time.Second,
		rest:     time.Second,
		check:    10 * time.Second,
		answer:   5 * time.Second,
		outlier:  outlier{faults: 5, window: 30 * time.Second, misses: 2, first: 10 * time.Second, most: 5 * time.Minute},
	}
}

// New returns a Proxy that routes nothing but the panel until the first Apply.
func New(cfg Config) *Proxy { return newProxy(cfg, defaultLimits()) }

func newProxy(cfg Config, lim limits) *Proxy {
	zone := sites.CanonicalHost(cfg.Zone)
	p := &Proxy{
		zone:           zone,
		www:            "www." + zone,
		panelHost:      sites.CanonicalHost(cfg.PanelHost),
		panel:          cfg.Panel,
		getCertificate: cfg.GetCertificate,
		httpChallenge:  cfg.HTTPChallenge,
		pages:          cfg.Pages,
		log:            cfg.Logger,
		limits:         lim,
		cache:          cache.New(cfg.CacheBytes, cfg.Logger),
		gateways:       cfg.TrustedProxies,
		balancers:      cfg.Balancers,
		tickets:        newTickets(cfg.TicketFile, cfg.Logger, time.Now()),
		gate:           newGate(lim.descriptors, cfg.Logger),
		logins:         newLogins(),
		files:          quota{most: int64(lim.files)},
		scarcity:       sampler{every: 10 * time.Second},
		strangers:      sampler{every: 10 * time.Second},
		hits:           newHits(cfg.Hits),
	}
	if cfg.HTTPSPort != 443 {
		p.portSuffix = ":" + strconv.Itoa(cfg.HTTPSPort)
	}
	if p.httpPort = cfg.HTTPPort; p.httpPort == 0 {
		p.httpPort = 80
	}
	p.table = newTable(newUpstreams(zone, lim, cfg.Logger), cfg.Static, p.cache)
	return p
}

// Apply has requests that begin from now on routed by the change. It costs what the change names.
func (p *Proxy) Apply(ch sites.Change) { p.table.apply(ch) }

// Drain returns when no request is in flight at addr, upgraded connections among them, or with ctx's error. No new one
// begins at an address that is not published.
func (p *Proxy) Drain(ctx context.Context, addr netip.AddrPort) error {
	if err := p.table.upstreams.drain(ctx, addr); err != nil {
		return fmt.Errorf("drain instance %s: %w", addr, err)
	}
	return nil
}

// Trouble is why requests to the instance at addr are not answered, as far as has been seen.
func (p *Proxy) Trouble(addr netip.AddrPort) sites.InstanceTrouble {
	return p.table.upstreams.trouble(addr, p.limits.rest)
}

// Route is where requests for a host go now.
func (p *Proxy) Route(host string) sites.Route {
	rt := p.table.find(sites.CanonicalHost(host))
	if rt == nil {
		return sites.Route{}
	}
	return sites.Route{Site: rt.site.Name, Itself: rt.files != nil}
}

// Stats is what the status page shows of the proxy.
type Stats struct {
	Hosts     int    // names that route to a site
	Instances int    // addresses that are published or still have requests in flight
	Draining  int    // those of Instances that are no longer published
	LeftOut   int    // those of Instances that get no requests for a while, since they fail
	InFlight  int    // requests now
	Served    uint64 // requests since the start
	Retries   uint64 // requests that were sent to another instance when the first did not answer, since the start
	Failures  uint64 // requests that no instance could answer, since the start
	Cache     cache.Stats
	Unlogged  uint64 // requests that the sink of hits was too slow for, since the start
}

// Stats reads the counters.
func (p *Proxy) Stats() Stats {
	s := Stats{
		Hosts:    p.table.size(),
		InFlight: p.requests.count(),
		Served:   p.served.Load(),
		Retries:  p.retries.Load(),
		Failures: p.failures.Load(),
		Cache:    p.cache.Stats(),
	}
	if p.hits != nil {
		s.Unlogged = p.hits.dropped.Load()
	}
	s.Instances, s.Draining, s.LeftOut = p.table.upstreams.counts()
	return s
}
