package http1

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// requestBody is what a client sends after the header.
type requestBody struct {
	response *response
	expects  atomic.Bool  // the client waits to be told to send it
	ended    atomic.Bool  // it was read to its end
	left     atomic.Int64 // bytes to come; below 0: that is not known
	closed   atomic.Bool  // for the handler
	failed   atomic.Bool  // it is malformed, or did not come in time

	mu   sync.Mutex
	from io.Reader
}

func newRequestBody(w *response, r *http.Request) *requestBody {
	b := &requestBody{response: w, from: r.Body}
	b.left.Store(r.ContentLength)
	b.expects.Store(r.ProtoAtLeast(1, 1) && expectsContinue(r))
	return b
}

func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	if b.expects.CompareAndSwap(true, false) {
		b.response.goAhead()
	}
	n, err := b.read(p)
	switch {
	case err == nil || err == io.EOF:
	case b.closed.Load():
		err = http.ErrBodyReadAfterClose
	default:
		b.failed.Store(true)
	}
	return n, err
}

func (b *requestBody) read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if b.left.Load() >= 0 {
		b.left.Add(-int64(n))
	}
	if err == io.EOF {
		b.ended.Store(true)
		b.response.life.bodyEnded()
	}
	return n, err
}

// Close ends a Read that is under way: its client may never send more. What is left of the body stays for drain.
func (b *requestBody) Close() error {
	b.closed.Store(true)
	if !b.mu.TryLock() {
		_ = b.response.conn.readUntil(longAgo) // fails on a closed connection, as the Read does
		b.mu.Lock()
		_ = b.response.conn.readUntil(time.Time{})
	}
	b.mu.Unlock()
	return nil
}

// whole reports whether the next request can be reached without much reading.
func (b *requestBody) whole() bool {
	left := b.left.Load()
	return b.ended.Load() || !b.failed.Load() && !b.expects.Load() && left >= 0 && left <= mostDrained
}

// drain reads what nobody has read, and reports whether the next request follows.
func (b *requestBody) drain() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	for total := 0; !b.ended.Load() && total <= mostDrained; {
		n, err := b.read(buf[:])
		total += n
		if err != nil && err != io.EOF {
			return false
		}
	}
	return b.ended.Load()
}
