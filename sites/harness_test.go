package sites_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"berth/dnsserver/zonefile"
	"berth/sites"
	"berth/sites/sqlite"
)

const zone = "sites.example.org"

// berth is a running Service over a real store, with a runtime and an applier that a test can look into.

type berth struct {
	*sites.Service
	t       *testing.T
	dir     string
	store   *sqlite.Store
	runtime *stage
	edge    *edge
	fault   *faultyStore
	ann     sites.Actor // an owner with room for two sites
	bob     sites.Actor // another owner
	root    sites.Actor // an admin
	stop    func()
}

func boot(t *testing.T) *berth { return bootIn(t, t.TempDir(), newStage(), zone) }

func bootIn(t *testing.T, dir string, runtime *stage, zone string) *berth {
	t.Helper()
	return bootWith(t, dir, runtime, zone, func(*sites.Config) {})
}

// bootWith boots with a configuration that the test has the last word on.
func bootWith(t *testing.T, dir string, runtime *stage, zone string, configure func(*sites.Config)) *berth {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "berth.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	b := &berth{t: t, dir: dir, store: store, runtime: runtime, edge: newEdge(), fault: &faultyStore{Store: store}}
	cfg := sites.Config{
		Store: b.fault, Runtime: runtime, Drainer: b.edge, Appliers: []sites.Applier{b.edge}, Unpack: unpack,
		Zone: zone, ReservedHosts: []string{"control." + zone, "ns1." + zone}, DataDir: dir, Syntax: zonefile.Syntax{},
		MaxUpload: 1 << 10, KeepReleases: 3, DrainTimeout: time.Second, Heal: 10 * time.Millisecond, Logger: log,
	}
	configure(&cfg)
	b.Service, err = sites.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		store.Close()
	})
	t.Cleanup(b.stop)
	<-b.Booted()
	b.ann = b.account("ann", sites.RoleOwner, sites.Quota{Sites: 2, Bytes: 100})
	b.bob = b.account("bob", sites.RoleOwner, sites.DefaultQuota)
	b.root = b.account("root", sites.RoleAdmin, sites.Quota{})
	return b
}

func (b *berth) account(name string, role sites.Role, quota sites.Quota) sites.Actor {
	b.t.Helper()
	_, err := b.CreateAccount(b.t.Context(), sites.System, sites.NewAccount{Name: name, Role: role, PasswordHash: "x", Quota: quota})
	if err != nil && !errors.Is(err, sites.ErrTaken) {
		b.t.Fatal(err)
	}
	a, err := b.Account(b.t.Context(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	return sites.Actor{ID: a.ID, Name: a.Name, Role: a.Role, Origin: "192.0.2.1"}
}

func (b *berth) create(name string) sites.SiteStatus {
	b.t.Helper()
	st, err := b.CreateSite(b.t.Context(), b.ann, sites.NewSite{Name: name})
	if err != nil {
		b.t.Fatal(err)
	}
	return st
}

// upload waits until the release serves or has failed.

func (b *berth) upload(name, content string) (sites.Release, error) {
	b.t.Helper()
	r, err := b.Upload(b.t.Context(), b.ann, name, strings.NewReader(content))
	if err != nil {
		return r, err
	}
	b.await(name)
	r, err = b.Release(b.t.Context(), b.ann, name, r.Number)
	if err != nil {
		b.t.Fatal(err)
	}
	return r, nil
}

func (b *berth) await(name string) sites.SiteStatus {
	b.t.Helper()
	st, err := b.Await(b.t.Context(), b.ann, name)
	if err != nil {
		b.t.Fatal(err)
	}
	return st
}

// unpack stands in for package bundle: an archive that says "bad" is refused, any other becomes index.html.

func unpack(_ context.Context, archive, dir string) (sites.Manifest, error) {
	content, err := os.ReadFile(archive)
	if err != nil {
		return sites.Manifest{}, err
	}
	if string(content) == "bad" {
		return sites.Manifest{}, sites.Refuse(sites.ErrInvalid, "The entry x breaks rule y.")
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return sites.Manifest{}, err
	}
	return sites.Manifest{Files: 1, Bytes: int64(len(content))}, os.WriteFile(filepath.Join(dir, "index.html"), content, 0o644)
}

// edge is an applier that remembers what routes where.

type edge struct {
	mu      sync.Mutex
	sites   map[string]sites.Published
	sets    map[string]sites.RRSet // by name and type, such as "hello.sites.example.org MX"
	zones   map[string]sites.PublishedZone
	changes []sites.Change
	last    int64
	wrong   []string
	endless bool               // requests in flight do not end
	onDrain func()             // called with mu held
	onApply func(sites.Change) // likewise
}

func newEdge() *edge {
	return &edge{sites: map[string]sites.Published{}, sets: map[string]sites.RRSet{}, zones: map[string]sites.PublishedZone{}}
}

// faultyStore is the real store, whose next writes can be made to fail at the last moment.

type faultyStore struct {
	*sqlite.Store
	fail    atomic.Bool
	reading atomic.Pointer[func(sites.RecordQuery)] // called before records are read outside a write
	writing atomic.Pointer[func()]                  // called before the next write's transaction begins
}

func (f *faultyStore) Records(ctx context.Context, q sites.RecordQuery) ([]sites.Record, error) {
	if fn := f.reading.Load(); fn != nil {
		(*fn)(q)
	}
	return f.Store.Records(ctx, q)
}

func (f *faultyStore) Write(ctx context.Context, event *sites.Event, fn func(sites.Tx) error) (int64, error) {
	if fn := f.writing.Swap(nil); fn != nil {
		(*fn)()
	}
	return f.Store.Write(ctx, event, func(tx sites.Tx) error {
		if err := fn(tx); err != nil || !f.fail.Load() {
			return err
		}
		return errors.New("the write fails")
	})
}

func (e *edge) Apply(ch sites.Change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ch.Revision < e.last {
		e.wrong = append(e.wrong, fmt.Sprintf("revision %d after %d", ch.Revision, e.last))
	}
	e.last = ch.Revision
	e.changes = append(e.changes, ch)
	if e.onApply != nil {
		e.onApply(ch)
	}
	if ch.Full {
		clear(e.sites)
		clear(e.sets)
		clear(e.zones)
	}
	e.applyZones(ch)
	for _, host := range ch.Gone {
		delete(e.sites, host)
	}
	for _, s := range ch.Sites {
		for _, host := range s.Hosts {
			e.sites[host] = s
		}
	}
}

func (e *edge) applyZones(ch sites.Change) {
	for _, name := range ch.GoneZones {
		delete(e.zones, name)
		maps.DeleteFunc(e.sets, func(_ string, set sites.RRSet) bool { return strings.HasSuffix("."+set.Name, "."+name) })
	}
	for _, z := range ch.Zones {
		e.zones[z.Name] = z
	}
	for _, set := range ch.RRSets {
		key := set.Name + " " + set.Type
		if e.sets[key] = set; len(set.Data) == 0 {
			delete(e.sets, key)
		}
	}
}

// answer is what is published under a name and type, as "TTL data, data"; empty: nothing.
func (e *edge) answer(name, rrtype string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	set, ok := e.sets[name+" "+rrtype]
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d %s", set.TTL, strings.Join(set.Data, ", "))
}

func (e *edge) zone(name string) (sites.PublishedZone, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	z, ok := e.zones[name]
	return z, ok
}

func (e *edge) Drain(ctx context.Context, _ netip.AddrPort) error {
	e.mu.Lock()
	endless := e.endless
	if e.onDrain != nil {
		e.onDrain()
	}
	e.mu.Unlock()
	if !endless {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (e *edge) at(host string) (sites.Published, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, ok := e.sites[host]
	return s, ok
}

// stage is a runtime whose instances are entries of a map.

type stage struct {
	mu      sync.Mutex
	next    int
	running map[string]sites.Instance
	refuse  error         // answer of Start
	room    int           // starts that are not refused yet
	onStart func()        // called with mu held
	hold    chan struct{} // Start waits for it to close, when set
	down    bool          // the engine does not answer
	watched bool          // Watch runs
	listed  int           // calls of Instances
}

func newStage() *stage { return &stage{running: map[string]sites.Instance{}} }

func (s *stage) Start(ctx context.Context, spec sites.Spec) (sites.Instance, error) {
	s.mu.Lock()
	hold := s.hold
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return sites.Instance{}, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil && s.room <= 0 {
		return sites.Instance{}, s.refuse
	}
	s.room--
	if _, err := os.Stat(spec.Root); err != nil {
		return sites.Instance{}, err
	}
	s.next++
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(s.next >> 8), byte(s.next)}), 8080)
	i := sites.Instance{ID: fmt.Sprint(s.next), Site: spec.Site, Release: spec.Release, Addr: addr, Limits: spec.Limits}
	s.running[i.ID] = i
	if s.onStart != nil {
		s.onStart()
	}
	return i, nil
}

// refuseAfter has Start succeed so many times more, and then refuse. It needs mu.
func (s *stage) refuseAfter(room int, err error) { s.refuse, s.room = err, room }

func (s *stage) Stop(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, id)
	return nil
}

func (s *stage) Instances(context.Context) ([]sites.Instance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed++
	if s.down {
		return nil, errors.New("engine down")
	}
	var all []sites.Instance
	for _, i := range s.running {
		all = append(all, i)
	}
	return all, nil
}

func (s *stage) Logs(_ context.Context, id string, _ sites.LogQuery, w io.Writer) error {
	_, err := io.WriteString(w, "log of "+id)
	return err
}

func (s *stage) Watch(ctx context.Context, _ func()) {
	s.set(func() { s.watched = true })
	<-ctx.Done()
	s.set(func() { s.watched = false })
}

func (s *stage) Info(context.Context) sites.RuntimeInfo { return sites.RuntimeInfo{Name: "stage"} }

func (s *stage) set(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

// at finds an instance by its address. It needs mu.
func (s *stage) at(addr netip.AddrPort) sites.Instance {
	for _, i := range s.running {
		if i.Addr == addr {
			return i
		}
	}
	return sites.Instance{}
}

func (s *stage) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.running)
}

// eventually waits for a condition that background work brings about.

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never came true: %s", what)
		}
	}
}
