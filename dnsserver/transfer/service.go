package transfer

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"

	"berth/dnsserver/zone"
	"berth/sites"
)

// Config is what a Service is made of.
type Config struct {
	Dir      string           // of the files of secondary zones; empty: they are not kept
	Journals string           // directory of the journals of other zones; empty: they are not kept
	Now      func() time.Time // default time.Now
	Dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	Logger   *slog.Logger // default: nothing is logged
}

// Service speaks with other nameservers about the zones that it is told of.
type Service struct {
	cfg    Config
	log    *slog.Logger
	limits limits
	out    gate          // transfers out
	in     chan struct{} // transfers in, room for each
	asking chan struct{} // NOTIFY messages whose answers are waited for
	disk   chan struct{} // journals that are read or written, room for each

	mu      sync.Mutex
	zones   map[string]*held   // by apex in wire form
	leaving map[string]*tenure // by apex, those that have been told to end last
	keys    map[string]*keyUse // by name in wire form
	running context.Context    // nil: Run has not begun or has ended
	work    sync.WaitGroup

	refusals refusals
	counts   counts
}

// refusals are logged once a second at most: whoever is refused must not fill the log.
type refusals struct {
	mu     sync.Mutex
	next   time.Time
	unseen int // not logged since the last one
}

func (s *Service) noteRefusal(why string, args ...any) {
	r, now := &s.refusals, s.cfg.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.next) {
		r.unseen++
		return
	}
	s.log.Warn(why, append(args, "unseen", r.unseen)...)
	r.next, r.unseen = now.Add(time.Second), 0
}

// keyUse is a key and how many zones name it.
type keyUse struct {
	key   *key
	zones int
}

// held is a zone that the service has been told of.
type held struct {
	*zone.Zone
	service *Service
	wire    string
	follow  *follower // of a secondary zone
	journal *journal  // of another one; nil where none is kept
	tenure  *tenure   // of either

	mu        sync.Mutex
	published sites.PublishedZone
	ctx       context.Context // of the zone's goroutines; nil while none may run
	cancel    context.CancelFunc
	told      bool   // peers have been told of a serial
	serial    uint32 // which
	pending   bool   // something has changed since
	notifying bool   // a goroutine tells the peers
	targets   map[netip.AddrPort]*target
	served    map[netip.Addr]sites.PeerStatus
}

// New returns a service without zones.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	l := defaultLimits()
	return &Service{
		cfg: cfg, log: cfg.Logger, limits: l,
		out: newGate(l.transfersOut, l.perPeer), in: make(chan struct{}, l.transfersIn), asking: make(chan struct{}, l.notifies),
		disk:  make(chan struct{}, l.journals),
		zones: make(map[string]*held), leaving: make(map[string]*tenure), keys: make(map[string]*keyUse),
	}
}

// Put tells of a zone, or of what has changed about it. The zone itself is replaced only where another one is given.
func (s *Service) Put(published sites.PublishedZone, z *zone.Zone) {
	wire, err := zone.PackName(published.Name)
	if err != nil {
		s.log.Error("a zone cannot be transferred", "zone", published.Name, "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addKeys(published)
	h := s.zones[wire]
	if h != nil {
		before := h.publishedNow()
		s.removeKeys(before)
		if h.Zone == z && before.Kind == published.Kind {
			h.update(published)
			return
		}
		s.stop(h, (published.Kind == sites.ZoneSecondary) != (h.follow != nil)) // the file is another one then
	}
	h = &held{Zone: z, service: s, wire: wire, published: published, served: make(map[netip.Addr]sites.PeerStatus)}
	switch {
	case published.Kind == sites.ZoneSecondary:
		h.follow = newFollower(h)
		h.tenure = newTenure(h.follow.file.remove)
	case s.cfg.Journals != "":
		h.journal = newJournal(h, s.cfg.Journals)
		h.tenure = newTenure(h.journal.remove)
	}
	h.setTargets()
	s.zones[wire] = h
	if s.running != nil {
		s.start(h)
	}
}

// Drop forgets a zone, and what is kept of a secondary one.
func (s *Service) Drop(name string) {
	wire, err := zone.PackName(name)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.zones[wire]
	if h == nil {
		return
	}
	delete(s.zones, wire)
	s.removeKeys(h.publishedNow())
	s.stop(h, true)
}

// Changed tells that the content of a zone may be another: its peers are notified when the serial is.
func (s *Service) Changed(name string) {
	if h := s.named(name); h != nil {
		h.changed()
	}
}

// Remind notifies the peers of a zone of its serial once more: one that got NOTIFY may have failed to fetch the zone.
func (s *Service) Remind(name string) {
	if h := s.named(name); h != nil {
		h.mu.Lock()
		h.told = false
		h.mu.Unlock()
		h.changed()
	}
}

// Load reads what is kept of the secondary zones, a few at a time, until ctx is done: what is loaded before the first query is not
// answered with SERVFAIL. It is called before Run, if at all.
func (s *Service) Load(ctx context.Context) {
	s.mu.Lock()
	followers := make([]*follower, 0, len(s.zones))
	for _, h := range s.zones {
		if h.follow != nil {
			followers = append(followers, h.follow)
		}
	}
	s.mu.Unlock()
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	var loading sync.WaitGroup
	for _, f := range followers {
		room <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		loading.Go(func() {
			defer func() { <-room }()
			f.load()
		})
	}
	loading.Wait()
}

// Run notifies peers and follows primaries until ctx is done. It returns when all of that has ended. Requests are served
// without it, too.
func (s *Service) Run(ctx context.Context) {
	sweep(s.cfg.Dir)
	sweep(s.cfg.Journals)
	s.mu.Lock()
	s.running = ctx
	for _, h := range s.zones {
		s.start(h)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.running = nil
	s.mu.Unlock()
	s.work.Wait()
}

// start begins a zone's own work. The caller holds s.mu, and the service is running.
func (s *Service) start(h *held) {
	h.mu.Lock()
	h.ctx, h.cancel = context.WithCancel(s.running)
	ctx := h.ctx
	h.mu.Unlock()
	if h.tenure != nil {
		h.tenure.begin(s.leaving[h.wire])
		s.work.Go(func() { h.run(ctx) })
	}
	h.changedWhileRunning()
}

// stop ends a zone's work, without waiting for it; where forget is set, what is kept of the zone goes with it. The caller holds
// s.mu, so that nothing here may wait for a disk that is busy.
func (s *Service) stop(h *held, forget bool) {
	h.mu.Lock()
	if h.cancel != nil {
		h.cancel()
	}
	h.ctx = nil
	h.mu.Unlock()
	if h.tenure != nil && h.tenure.end(forget) {
		s.leaving[h.wire] = h.tenure
	}
}

// run does the work that has a file until ctx is done.
func (h *held) run(ctx context.Context) {
	h.tenure.wait()
	if h.follow != nil {
		h.follow.run(ctx)
	} else {
		h.journal.run(ctx)
	}
	h.tenure.leave()
	s := h.service
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving[h.wire] == h.tenure {
		delete(s.leaving, h.wire)
	}
}

func (h *held) publishedNow() sites.PublishedZone {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.published
}

// update puts other peers and primaries in place. The caller holds the service's mutex.
func (h *held) update(published sites.PublishedZone) {
	h.mu.Lock()
	primaries := !slices.Equal(h.published.Primaries, published.Primaries)
	h.published = published
	fresh := h.setTargets()
	if fresh {
		h.told = false
	}
	h.mu.Unlock()
	if primaries && h.follow != nil {
		h.follow.wake()
	}
	if fresh {
		h.changedWhileRunning()
	}
}

// named returns a zone by its name in presentation format.
func (s *Service) named(name string) *held {
	wire, err := zone.PackName(name)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.zones[wire]
}

// key returns a key by its name in wire form.
func (s *Service) key(name string) *key {
	s.mu.Lock()
	defer s.mu.Unlock()
	if use := s.keys[name]; use != nil {
		return use.key
	}
	return nil
}

// keyNamed returns a key by its name in presentation format. No name is no key.
func (s *Service) keyNamed(name string) (*key, error) {
	if name == "" {
		return nil, nil
	}
	wire, err := zone.PackName(name)
	if err != nil {
		return nil, fmt.Errorf("TSIG key %q: %w", name, err)
	}
	if k := s.key(wire); k != nil {
		return k, nil
	}
	return nil, fault(keyMissing)
}

// addKeys takes the keys that a zone names; the caller holds s.mu.
func (s *Service) addKeys(published sites.PublishedZone) {
	for _, in := range published.TSIG {
		k, err := newKey(in)
		if err != nil {
			s.log.Error("a TSIG key cannot be used", "error", err)
			continue
		}
		use := s.keys[k.name]
		if use == nil {
			use = new(keyUse)
			s.keys[k.name] = use
		}
		use.key = k
		use.zones++
	}
}

func (s *Service) removeKeys(published sites.PublishedZone) {
	for _, in := range published.TSIG {
		k, err := newKey(in)
		if err != nil {
			continue
		}
		if use := s.keys[k.name]; use != nil {
			if use.zones--; use.zones == 0 {
				delete(s.keys, k.name)
			}
		}
	}
}
