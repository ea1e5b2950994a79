package dnsserver

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"berth/dnsserver/transfer"
	"berth/dnsserver/zone"
	"berth/sites"
)

// Server is an authoritative DNS server. It follows the published state as a sites.Applier.
type Server struct {
	cfg         Config
	log         *slog.Logger
	stats       shards
	queries     queryLog
	secrets     cookieSecrets
	limiter     *rateLimiter // nil: nothing is limited
	limits      limits
	settling    settling
	tls         *tls.Config
	connections connections
	responders  sync.Pool // of *responder, for TCP

	transfers *transfer.Service // to and from other nameservers

	zones    atomic.Pointer[table]
	changing sync.Mutex // of zones and revision
	revision int64      // the last one heard of
	changed  chan struct{}
}

var _ sites.Applier = (*Server)(nil)

// Config is what a Server is made of.
type Config struct {
	Zone        string       // the main zone, without trailing dot
	Nameservers []string     // host names; those at or below the zone get address records; default ns1.<zone>
	IPv4, IPv6  []netip.Addr // this server's public addresses: of the apex, panel, www, nameservers and every site
	PanelHost   string       // at or below the zone; default the zone's apex
	Contact     string       // mailbox of the SOA records, as user@host; default hostmaster@ the zone concerned
	Sources     []netip.Addr // that NOTIFY and transfers are asked from, the first of each family; default: as the system chooses
	HTTP3       bool         // the HTTPS records of sites name it beside HTTP/2
	DataDir     string       // where the content of secondary zones and the journals of others are kept; empty: they are not
	Logger      *slog.Logger // default: nothing is logged

	// Certificate finds the certificate for a handshake of DNS over TLS.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

	NSID            string         // what the server says of itself to those who ask (RFC 5001); empty: nothing
	RateLimit       int            // answers of one kind per second to one network over UDP, see DefaultRateLimit; 0: no limit
	RateLimitExempt []netip.Prefix // whose queries are not limited, beside those with a valid cookie

	// Revise takes the next revision and runs fn with it, in the order of all changes that are applied; it fails when no revision
	// can be had, and fn has not run then. Default: the server counts on from the last revision that it was given.
	Revise func(ctx context.Context, fn func(revision int64)) error
	// LookupHost finds the addresses of nameservers that are outside their zone, so that challenges can wait for them. Default:
	// such nameservers are not waited for, unless they are peers.
	LookupHost func(ctx context.Context, host string) ([]netip.Addr, error)
	// Now is the clock of signatures and keys. Default time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if len(c.Nameservers) == 0 {
		c.Nameservers = []string{"ns1." + sites.CanonicalHost(c.Zone)}
	}
	return c
}

// New returns a server that knows the main zone's own names. Until the first full change it answers SERVFAIL rather than
// deny a name.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	main, err := zone.New(cfg.zone(cfg.Zone, true))
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Logger, limits: defaultLimits(), settling: defaultSettling(), changed: make(chan struct{}, 1)}
	s.tls = newTLS(cfg.Certificate)
	s.limiter = newRateLimiter(cfg.RateLimit, cfg.RateLimitExempt)
	s.zones.Store(newTable(&hosted{Zone: main, published: sites.PublishedZone{
		Zone: sites.Zone{Name: sites.CanonicalHost(cfg.Zone), Kind: sites.ZoneMain},
	}}))
	s.responders.New = func() any { return s.newResponder() }
	s.transfers = newTransfers(cfg)
	s.transfers.Put(s.zones.Load().main.published, main)
	return s, nil
}

// zone is what a zone of the server is made of.
func (c Config) zone(name string, main bool) zone.Config {
	alpn := []string{"h2"}
	if c.HTTP3 {
		alpn = []string{"h3", "h2"} // the preferred first
	}
	return zone.Config{
		ALPN: alpn,
		Name: name, Main: main, Now: c.Now, Nameservers: c.Nameservers, IPv4: c.IPv4, IPv6: c.IPv6,
		PanelHost: c.PanelHost, Contact: c.Contact, Logger: c.Logger,
	}
}

func (s *Server) newResponder() *responder { return &responder{server: s, counters: s.stats.shard()} }

// Apply makes the change visible to all queries that begin after it has returned, and as a whole within each zone.
func (s *Server) Apply(ch sites.Change) {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.revision = max(s.revision, ch.Revision)
	before := s.zones.Load()
	change := before.follow(ch, s.newZone, s.log)
	for z, part := range change.parts {
		z.Apply(*part)
	}
	s.zones.Store(change.next)
	s.tellTransfers(ch, before, change)
	s.noteChange()
}

func (s *Server) newZone(published sites.PublishedZone) (*zone.Zone, error) {
	if published.Kind == sites.ZoneSecondary {
		return zone.NewSecondary(published.Name, s.log)
	}
	return zone.New(s.cfg.zone(published.Name, false))
}

// noteChange wakes the keeper.
func (s *Server) noteChange() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// revise runs fn with the next revision, in order with Apply.
func (s *Server) revise(ctx context.Context, fn func(revision int64)) error {
	if s.cfg.Revise != nil {
		return s.cfg.Revise(ctx, fn)
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	s.revision++
	fn(s.revision)
	return nil
}

// Sockets are what a Server answers on.
type Sockets struct {
	UDP []net.PacketConn
	TCP []net.Listener
	TLS []net.Listener // of TCP; needs Config.Certificate
}

// Serve answers on the sockets, which it closes, until ctx is done or one of them fails. It returns when every
// query that was read has been answered; a transfer under way is broken off.
func (s *Server) Serve(ctx context.Context, on Sockets) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.transfers.Load(ctx) // before the first query, which would be answered SERVFAIL
	var serving sync.WaitGroup
	failed := make(chan error, len(on.UDP)+len(on.TCP)+len(on.TLS))
	for _, conn := range on.UDP {
		serving.Go(func() {
			defer cancel()
			failed <- s.serveUDP(ctx, conn)
		})
	}
	for via, listeners := range map[transport][]net.Listener{overTCP: on.TCP, overTLS: on.TLS} {
		for _, listener := range listeners {
			serving.Go(func() {
				defer cancel()
				failed <- s.serveTCP(ctx, listener, via)
			})
		}
	}
	serving.Go(func() { s.transfers.Run(ctx) })
	serving.Go(func() { s.keep(ctx) })
	serving.Wait()
	close(failed)
	var errs []error
	for err := range failed {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
