package cache

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// flight is one request to the origin that several may wait for. The body is kept as it comes, so that each reads it at a
// speed of its own.
type flight struct {
	key      key
	variant  string
	outdated atomic.Bool // by an unsafe request that has succeeded meanwhile
	waiting  atomic.Int64

	mu      sync.Mutex
	changed chan struct{} // closed at the next change
	phase   phase
	answer  *stored     // complete only when landed
	header  http.Header // of the answer, as it is sent on
	body    []byte
	flushes int   // that the origin has asked for
	whole   int64 // the announced length of the body, or -1
	cancel  context.CancelFunc
	left    bool // the client that leads has gone
	timer   *time.Timer
}

type phase int

const (
	asked  phase = iota
	coming       // a response that will be kept
	landed       // it has come as a whole
	passed       // it is for its own request only
	broken       // it ended too early
)

func newFlight(k key, variant string) *flight {
	return &flight{key: k, variant: variant, changed: make(chan struct{}), whole: -1, cancel: func() {}}
}

// progress is what a flight has to show, and a channel that is closed when that is no longer so.
type progress struct {
	phase   phase
	answer  *stored
	whole   int64
	rest    []byte // of the body, from where it was asked for
	flushes int
	changed <-chan struct{}
}

func (f *flight) progress(from int) progress {
	f.mu.Lock()
	defer f.mu.Unlock()
	return progress{f.phase, f.answer, f.whole, f.body[min(from, len(f.body)):], f.flushes, f.changed}
}

// advance needs f.mu.
func (f *flight) advance() {
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *flight) begin(answer *stored, header http.Header, whole int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.phase, f.answer, f.header, f.whole = coming, answer, header, whole
	f.advance()
}

func (f *flight) add(p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.body = append(f.body, p...)
	f.advance()
}

// flush has what has come so far sent on.
func (f *flight) flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flushes++
	f.advance()
}

// end says how the flight ended; only the first says so.
func (f *flight) end(how phase, answer *stored) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.phase != asked && f.phase != coming {
		return
	}
	f.phase, f.answer = how, answer
	if how == passed && f.left {
		f.cancel()
	}
	f.advance()
}

// grace is how long a response is still waited for that nobody reads.
const grace = 30 * time.Second

// depart returns the request that goes to the origin: it does not end when the client that leads goes, as long as others
// wait, or what comes will be kept. The caller calls arrive when the origin has returned.
func (f *flight) depart(r *http.Request) (_ *http.Request, arrive func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	f.mu.Lock()
	f.cancel = cancel
	f.mu.Unlock()
	stop := context.AfterFunc(r.Context(), f.deserted)
	return r.WithContext(ctx), func() {
		stop()
		cancel()
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.timer != nil {
			f.timer.Stop()
		}
	}
}

// deserted is called when the client that leads has gone, and from time to time thereafter.
func (f *flight) deserted() {
	f.mu.Lock()
	defer f.mu.Unlock()
	again := f.left
	f.left = true
	switch {
	case f.phase == passed, again && f.waiting.Load() == 0:
		f.cancel()
	case f.phase == asked || f.phase == coming:
		f.timer = time.AfterFunc(grace, f.deserted)
	}
}

var (
	errBroken     = errors.New("the origin's response ended too early")
	errEnough     = errors.New("nobody reads this")
	errHandedBack = errors.New("the response is not kept and goes on by itself")
)

// stream writes the body as it comes. It returns errHandedBack when all that was kept is written and the rest will not be.
func (f *flight) stream(ctx context.Context, w http.ResponseWriter) error {
	control := http.NewResponseController(w)
	written, flushes := 0, 0
	for {
		p := f.progress(written)
		// Its end is sent when it is kept: who has seen all of it finds it from then on.
		last := p.phase == coming && p.whole >= 0 && int64(written+len(p.rest)) >= p.whole
		switch {
		case len(p.rest) > 0 && !last:
			if _, err := w.Write(p.rest); err != nil {
				return err
			}
			written += len(p.rest)
			continue
		case p.phase == landed:
			return nil
		case p.phase == passed:
			return errHandedBack
		case p.phase == broken:
			return errBroken
		}
		if flushes < p.flushes {
			flushes = p.flushes
			if err := control.Flush(); err != nil {
				return err
			}
			continue // more may have come
		}
		select {
		case <-p.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// flights are those that others may join.
type flights struct {
	mu    sync.Mutex
	byKey map[key][]*flight
}

// board returns the flight of a key and variant. When there is none it makes one, which the caller leads and lands.
func (fs *flights) board(k key, variant string) (_ *flight, leads bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.byKey[k] {
		if f.variant == variant {
			return f, false
		}
	}
	f := newFlight(k, variant)
	fs.byKey[k] = append(fs.byKey[k], f)
	return f, true
}

// replace has a new flight joined instead of one that takes too long, and returns nil when that has been done already.
func (fs *flights) replace(slow *flight) *flight {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	i := slices.Index(fs.byKey[slow.key], slow)
	if i < 0 {
		return nil
	}
	f := newFlight(slow.key, slow.variant)
	fs.byKey[slow.key][i] = f
	return f
}

func (fs *flights) land(f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	left := slices.DeleteFunc(fs.byKey[f.key], func(other *flight) bool { return other == f })
	if len(left) == 0 {
		delete(fs.byKey, f.key)
	} else {
		fs.byKey[f.key] = left
	}
}

// outdate keeps what is coming from being kept, and from being joined by requests that begin now.
func (fs *flights) outdate(k key) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.byKey[k] {
		f.outdated.Store(true)
	}
	delete(fs.byKey, k)
}

// cancel ends all that can be joined.
func (fs *flights) cancel() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, all := range fs.byKey {
		for _, f := range all {
			f.mu.Lock()
			f.cancel()
			f.mu.Unlock()
		}
	}
}
