package sites

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// maxRepairs bounds how many sites are repaired at a time: after an upgrade all of them may need it at once.
const maxRepairs = 4

// Config is what a Service is made of. All fields are required unless a default is named.
type Config struct {
	Store   Store
	Runtime Runtime
	// InProcess says that Runtime serves releases in this process, so that one instance of a site does what several would.
	InProcess bool
	Drainer   Drainer
	Appliers  []Applier
	// Unpack extracts the zip at archive into dir, which does not exist yet. A fault of the archive is a *Refusal.
	Unpack func(ctx context.Context, archive, dir string) (Manifest, error)
	Zone   string // without trailing dot
	Syntax Syntax // of records
	Parent Parent // asked during rollovers; nil: key-signing keys are confirmed by hand
	// ReservedHosts are host names that no site may take, such as the panel's and the nameservers'.
	ReservedHosts []string
	DataDir       string
	MaxUpload     int64            // bytes of an uploaded zip
	Now           func() time.Time // clock of keys' plans; default time.Now
	ZSKLifetime   time.Duration    // how long a zone-signing key signs before it is replaced; at least 30 days, default 90
	KeepReleases  int              // releases kept per site; default 10
	MostInstances int              // that an owner may give a site; admins may give MaxInstances, the default
	DrainTimeout  time.Duration    // how long requests in flight may hold up a stop; default 30 s
	Heal          time.Duration    // how often everything is compared and published again; default 1 min
	KeepEvents    time.Duration    // how long the audit log is kept; default 400 days
	Logger        *slog.Logger

	// Domains looks at custom domains; nil: nobody does, and only those in zones that are kept here become active.
	Domains        DomainLook
	Addresses      []netip.Addr    // that the world reaches this server at: custom domains must lead there
	Authorities    func() []string // names of the certificate authorities in CAA records (RFC 8659), as far as they are known; may be nil
	DomainInterval time.Duration   // between two looks at an active custom domain; default 6 h
}

// Service carries out the use cases.
type Service struct {
	store         Store
	runtime       Runtime
	inProcess     bool
	drainer       Drainer
	appliers      []Applier
	unpack        func(ctx context.Context, archive, dir string) (Manifest, error)
	names         *Names
	zone          string
	syntax        Syntax
	parent        Parent
	now           func() time.Time
	zskLifetime   time.Duration
	reserved      map[string]bool // hosts whose addresses are berth's own
	content       content
	maxUpload     int64
	keepReleases  int
	mostInstances int
	drainTimeout  time.Duration
	heal          time.Duration
	keepEvents    time.Duration
	log           *slog.Logger

	domains *domainWatch

	publishing sync.Mutex    // held from commit to publish, so that changes are applied in the order of revisions
	edits      atomic.Uint64 // commits that have changed what is published; see overtaken
	conditions conditions
	watchers   watchers
	admission  admission     // of uploads
	logins     logins        // of sites
	repairs    chan struct{} // room for the starts that reconciliation asks for
	work       work
	booted     chan struct{} // closed when the first full change has been applied
	settled    chan struct{} // closed after the first reconciliation
	wake       chan struct{} // asks for a reconciliation
}

// New returns a Service that is idle until Run.
func New(cfg Config) (*Service, error) {
	if cfg.ZSKLifetime != 0 && cfg.ZSKLifetime < minZSKLifetime {
		return nil, fmt.Errorf("a zone-signing key must live for at least %s, not %s", minZSKLifetime, cfg.ZSKLifetime)
	}
	files, err := openContent(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	zone := CanonicalHost(cfg.Zone)
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	return &Service{
		store:         cfg.Store,
		runtime:       cfg.Runtime,
		inProcess:     cfg.InProcess,
		drainer:       cfg.Drainer,
		appliers:      cfg.Appliers,
		unpack:        cfg.Unpack,
		names:         NewNames(zone, cfg.ReservedHosts...),
		zone:          zone,
		syntax:        cfg.Syntax,
		parent:        cfg.Parent,
		now:           now,
		zskLifetime:   orDefault(cfg.ZSKLifetime, defaultZSKLifetime),
		reserved:      reservedHosts(zone, cfg.ReservedHosts),
		content:       files,
		maxUpload:     cfg.MaxUpload,
		keepReleases:  orDefault(cfg.KeepReleases, 10),
		mostInstances: orDefault(cfg.MostInstances, MaxInstances),
		drainTimeout:  orDefault(cfg.DrainTimeout, 30*time.Second),
		heal:          orDefault(cfg.Heal, time.Minute),
		keepEvents:    orDefault(cfg.KeepEvents, 400*24*time.Hour),
		log:           cfg.Logger,
		domains:       newDomainWatch(cfg),
		conditions:    newConditions(),
		admission:     newAdmission(),
		repairs:       make(chan struct{}, maxRepairs),
		work:          newWork(),
		wake:          make(chan struct{}, 1),
		booted:        make(chan struct{}),
		settled:       make(chan struct{}),
	}, nil
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// Booted is closed when the first full change has been applied. Before that the servers know nothing, so they
// should not answer yet.
func (s *Service) Booted() <-chan struct{} { return s.booted }

// Settled is closed when the runtime has been looked at for the first time after Booted, whatever came of it.
func (s *Service) Settled() <-chan struct{} { return s.settled }

// Ready reports whether Booted is closed.
func (s *Service) Ready() bool {
	select {
	case <-s.booted:
		return true
	default:
		return false
	}
}

// Runtime describes the runtime; it asks the engine.
func (s *Service) Runtime(ctx context.Context) RuntimeInfo { return s.runtime.Info(ctx) }

// InProcess reports whether releases are served in this process, where one instance does what several would.
func (s *Service) InProcess() bool { return s.inProcess }

// Run boots (heals what a crash left, publishes everything), then keeps the runtime as the store wants it until ctx is
// done. It returns once all background work has ended; instances go on running.
func (s *Service) Run(ctx context.Context) error {
	defer s.work.stop()
	if err := s.boot(ctx); err != nil {
		return fmt.Errorf("boot: %w", err)
	}
	s.work.start(func(ctx context.Context) { s.runtime.Watch(ctx, s.requestReconcile) })
	s.work.start(s.tendKeys)
	s.work.start(s.tendDomains)
	s.work.start(s.tendEvents)
	s.reconcileUntil(ctx)
	return nil
}

func (s *Service) boot(ctx context.Context) error {
	if err := s.adoptZone(ctx); err != nil {
		return err
	}
	if err := s.warnOfShadows(ctx); err != nil {
		return err
	}
	if err := s.recordStart(ctx); err != nil {
		return err
	}
	if err := s.sweepContent(ctx); err != nil {
		return err
	}
	s.adoptInstances(ctx)
	if err := s.publishAll(ctx); err != nil {
		return err
	}
	if err := s.resumeArrivals(ctx); err != nil {
		return err
	}
	close(s.booted)
	return nil
}

// recordStart writes the event of a start. Its revision makes the serials rise over the restart: challenges, which are kept
// nowhere, have gone, so the zones may differ from what secondaries hold under the last serials.
func (s *Service) recordStart(ctx context.Context) error {
	event := eventBy(System, "berth.start", s.zone, "")
	_, err := s.store.Write(ctx, event, func(Tx) error { return nil })
	return err
}

// sweepContent clears away what a crash left on disk.
func (s *Service) sweepContent(ctx context.Context) error {
	releases, err := s.store.Releases(ctx, 0)
	if err != nil {
		return err
	}
	type key struct {
		site   SiteID
		number int
	}
	kept, err := s.store.Arrivals(ctx)
	if err != nil {
		return err
	}
	wanted := make(map[key]bool, len(releases))
	for _, r := range releases {
		wanted[key{r.Site, r.Number}] = r.State != ReleaseFailed
	}
	err = s.content.sweep(func(site SiteID, number int) bool { return wanted[key{site, number}] }, kept)
	if err != nil {
		// What cannot be removed only takes room; it is no reason not to serve.
		s.log.Warn("removing left-over files failed", "error", err)
	}
	return nil
}
