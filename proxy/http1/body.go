package http1

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// requestBody is what a client sends after the header.
type requestBody struct {
	response *response
	expects  atomic.Bool  // the client waits to be told to send it
	ended    atomic.Bool  // it was read to its end
	left     atomic.Int64 // bytes to come; below 0: that is not known

	mu     sync.Mutex
	from   io.Reader
	closed bool
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
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	if b.expects.CompareAndSwap(true, false) {
		b.response.goAhead()
	}
	return b.read(p)
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

// Close waits for a Read that is under way. What is left of the body stays for drain.
func (b *requestBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// whole reports whether the next request can be reached without much reading.
func (b *requestBody) whole() bool {
	left := b.left.Load()
	return b.ended.Load() || !b.expects.Load() && left >= 0 && left <= mostDrained
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
