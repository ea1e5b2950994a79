package cache

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"berth/proxy/compress"

	"github.com/maypok86/otter/v2"
)

// Cache keeps responses in memory, up to a bound.
type Cache struct {
	most       int64 // bytes; 0: nothing is kept
	largest    int64 // bytes of a body
	patience   time.Duration
	now        func() time.Time
	compressor *compress.Compressor

	made     sync.Once
	entries  atomic.Pointer[entries] // nil until something is to be kept
	pending  atomic.Int64            // bytes of bodies that are still coming
	lent     lent
	encoders chan struct{} // a place for each body that is encoded at a time
	flights  flights
	words    [outcomes][]string // Cache-Status of each outcome

	sweeps   atomic.Uint64 // spaces that have ended
	sweeping atomic.Bool
	behind   behind

	hits, misses, stale, bytes atomic.Uint64
}

type entries = otter.Cache[key, *resource]

// Origin answers a request that the cache cannot. It may be called in another goroutine, after the request that it is
// called for has been answered.
type Origin func(w http.ResponseWriter, r *http.Request)

const (
	largestBody  = 8 << 20
	mostEncoding = 2 // bodies at a time: it is work for a processor
	mostStreams  = 64
)

// New returns a Cache of up to so many bytes; with 0 it keeps nothing and only encodes. It takes hardly any memory before it
// has something to keep. The logger gets what origins panic with that no request waits for.
func New(bytes int64, logger *slog.Logger) *Cache { return newCache(bytes, logger, time.Now) }

func newCache(bytes int64, logger *slog.Logger, now func() time.Time) *Cache {
	c := &Cache{
		most:       bytes,
		lent:       lent{most: bytes},
		largest:    min(largestBody, bytes/16),
		patience:   5 * time.Second,
		now:        now,
		compressor: compress.New(mostStreams),
		encoders:   make(chan struct{}, mostEncoding),
	}
	for o := range outcomes {
		c.words[o] = []string{outcome(o).status()}
	}
	c.flights.byKey = make(map[key][]*flight)
	c.behind.log = logger
	c.behind.ctx, c.behind.cancel = context.WithCancel(context.Background())
	return c
}

// store returns the entries, which are made when the first is to be kept.
func (c *Cache) store() *entries {
	c.made.Do(func() {
		c.entries.Store(otter.Must(&otter.Options[key, *resource]{
			MaximumWeight: uint64(c.most),
			Weigher:       weigh,
			Executor:      func(work func()) { work() }, // so that the bound holds when a request has ended
		}))
	})
	return c.entries.Load()
}

// find returns what is known under the key, or nil.
func (c *Cache) find(k key) *resource {
	all := c.entries.Load()
	if all == nil || k.space.over.Load() {
		return nil
	}
	res, _ := all.GetIfPresent(k)
	return res
}

// keep has the response found from now on, unless the space is over or the flight has been told that it is outdated.
func (c *Cache) keep(k key, st *stored, f *flight) {
	c.change(k, func(res *resource) *resource { return res.with(st) })
	if k.space.over.Load() || f.outdated.Load() {
		c.store().Invalidate(k)
	}
}

// change replaces what is known under the key.
func (c *Cache) change(k key, next func(*resource) *resource) {
	if c.most <= 0 || k.space.over.Load() {
		return
	}
	if !k.space.used.Load() {
		k.space.used.Store(true)
	}
	c.store().Compute(k.owned(), func(before *resource, found bool) (*resource, otter.ComputeOp) {
		if !found {
			before = nil
		}
		after := next(before)
		if after == nil {
			return nil, otter.InvalidateOp
		}
		return after, otter.WriteOp
	})
}

// forget drops what is known under the key, and keeps what is being fetched now from being kept.
func (c *Cache) forget(k key) {
	c.flights.outdate(k)
	if all := c.entries.Load(); all != nil {
		all.Invalidate(k)
	}
}

// Stats are counters since the start, and what is kept now.
type Stats struct {
	Hits    uint64 // requests answered from what was kept
	Misses  uint64 // requests that could have been, had it been kept
	Stale   uint64 // those of Hits whose answer was past its time
	Entries int
	Bytes   uint64 // that the entries take
	Most    uint64 // that they may take
}

// Stats reads the counters.
func (c *Cache) Stats() Stats {
	s := Stats{Hits: c.hits.Load(), Misses: c.misses.Load(), Stale: c.stale.Load(), Most: uint64(max(0, c.most))}
	if all := c.entries.Load(); all != nil {
		s.Entries, s.Bytes = all.EstimatedSize(), all.WeightedSize()
	}
	return s
}

// Close ends what is done behind requests, and what requests wait for, and waits for the former.
func (c *Cache) Close() {
	c.behind.stop()
	c.flights.cancel()
	c.behind.running.Wait()
}

// background runs work that no request waits for, and reports false when there is too much of it or the cache is closed.
func (c *Cache) background(work func()) bool { return c.behind.run(work) }

// behind counts the goroutines that no request waits for.
type behind struct {
	log    *slog.Logger
	ctx    context.Context // ends with the cache
	cancel context.CancelFunc

	mu      sync.Mutex
	closed  bool
	count   int
	running sync.WaitGroup
}

const mostBehind = 64

func (b *behind) run(work func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.count >= mostBehind {
		return false
	}
	b.count++
	b.running.Go(func() {
		defer b.end()
		work()
	})
	return true
}

// end survives a panic of the work, as a server does those of handlers.
func (b *behind) end() {
	if cause := recover(); cause != nil && cause != http.ErrAbortHandler {
		b.log.Error("a panic behind requests", "cause", cause, "stack", string(debug.Stack()))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count--
}

func (b *behind) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.cancel()
}
