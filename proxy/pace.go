package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// The slowest upload that is taken for one: each byte received allows so much more waiting, up to the stall limit.
const perByte = time.Second / 512

// paced bounds how long a client may hold up reads of its request's body and, over HTTP/2, writes of the response
// (pacedConn does that for whole connections). Transfers take as long as they need while they move. The caller defers
// done, after which the writer must not be used.
func paced(w http.ResponseWriter, r *http.Request, stall time.Duration) (_ http.ResponseWriter, _ *http.Request, done func()) {
	reads, writes := noWatchdog, noWatchdog
	if r.ProtoMajor >= 2 {
		w, writes = paceWrites(w, stall)
	}
	if r.Body != nil && r.Body != http.NoBody {
		r, reads = paceReads(w, r, stall)
	}
	return w, r, func() { reads(); writes() }
}

func noWatchdog() {}

func paceWrites(w http.ResponseWriter, stall time.Duration) (http.ResponseWriter, func()) {
	control := http.NewResponseController(w)
	dog := &watchdog{bite: func(past time.Time) { _ = control.SetWriteDeadline(past) }}
	return &pacedWriter{ResponseWriter: w, control: control, dog: dog, stall: stall}, dog.retire
}

func paceReads(w http.ResponseWriter, r *http.Request, stall time.Duration) (*http.Request, func()) {
	control := http.NewResponseController(w)
	body := &pacedBody{ReadCloser: r.Body, stall: stall, allowance: stall}
	body.dog = &watchdog{bite: func(past time.Time) {
		body.fault.Store(http.StatusRequestTimeout)
		_ = control.SetReadDeadline(past)
	}}
	// The server looks at its own request's body when a response begins, so that must stay what it was.
	replaced := *r
	replaced.Body = body
	return &replaced, body.dog.retire
}

// watchdog interrupts one blocking call at a time by setting a deadline that has passed.
type watchdog struct {
	bite func(past time.Time)

	mu      sync.Mutex
	timer   *time.Timer
	watches bool
	retired bool
}

func (d *watchdog) watch(limit time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.retired {
		return
	}
	d.watches = true
	if d.timer == nil {
		d.timer = time.AfterFunc(limit, d.fire)
	} else {
		d.timer.Reset(limit)
	}
}

func (d *watchdog) rest() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watches = false
	if d.timer != nil {
		d.timer.Stop()
	}
}

// retire waits for a bite that is under way: the response must not be touched once its handler has returned.
func (d *watchdog) retire() {
	d.rest()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.retired = true
}

func (d *watchdog) fire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.watches && !d.retired {
		d.bite(time.Now().Add(-time.Second))
	}
}

// pacedBody is a request's body that the client must keep coming. Only time spent waiting for the client counts, not
// that between reads.
type pacedBody struct {
	io.ReadCloser
	dog       *watchdog
	stall     time.Duration
	allowance time.Duration
	begun     atomic.Bool // some of it was read, or tried to
	ended     atomic.Bool // it was read to its end
	bound     int64       // bytes that it may have, 0 for any number
	received  int64
	fault     atomic.Int32 // status that says what was wrong with the body, 0 for nothing
}

func (b *pacedBody) Read(buf []byte) (int, error) {
	b.begun.Store(true)
	begin := time.Now()
	b.dog.watch(max(b.allowance, 0))
	n, err := b.ReadCloser.Read(buf)
	b.dog.rest()
	if b.received += int64(n); b.bound > 0 && b.received > b.bound {
		b.fault.CompareAndSwap(0, http.StatusRequestEntityTooLarge)
		return 0, errTooLarge
	}
	b.allowance = min(b.allowance+time.Duration(n)*perByte-time.Since(begin), b.stall)
	switch err {
	case nil, http.ErrBodyReadAfterClose: // that is nobody's fault
	case io.EOF:
		b.ended.Store(true)
	default:
		b.fault.CompareAndSwap(0, http.StatusBadRequest)
	}
	return n, err
}

// errTooLarge ends a body that is larger than the site takes.
var errTooLarge = errors.New("the body is too large")

// Close leaves a body open that nobody has read from: the next instance may. The server closes it with the request.
func (b *pacedBody) Close() error {
	if !b.begun.Load() {
		return nil
	}
	return b.ReadCloser.Close()
}

// bodyFault is the status to answer with when the request failed for its body, else 0.
func bodyFault(r *http.Request) int {
	if body, ok := r.Body.(*pacedBody); ok {
		return int(body.fault.Load())
	}
	return 0
}

// pacedWriter is a response that the client must keep taking.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	dog     *watchdog
	stall   time.Duration
}

func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *pacedWriter) Write(buf []byte) (int, error) {
	w.dog.watch(w.stall)
	defer w.dog.rest()
	return w.ResponseWriter.Write(buf)
}

func (w *pacedWriter) FlushError() error {
	w.dog.watch(w.stall)
	defer w.dog.rest()
	return w.control.Flush()
}

// Flush makes it an http.Flusher, which handlers may look for.
func (w *pacedWriter) Flush() { _ = w.FlushError() }
