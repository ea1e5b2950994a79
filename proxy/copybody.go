package proxy

import (
	"io"
	"net/http"
	"sync"
	"time"
)

const bufferSize = 64 << 10

// buffers are what bodies pass through.
type buffers struct{ pool sync.Pool }

func newBuffers() *buffers {
	return &buffers{sync.Pool{New: func() any { return new([bufferSize]byte) }}}
}

func (b *buffers) get() *[bufferSize]byte { return b.pool.Get().(*[bufferSize]byte) }

func (b *buffers) put(buf *[bufferSize]byte) { b.pool.Put(buf) }

// copyBody passes the body on as it comes: at once where its end is not known, else a moment later at most.
func (up *upstream) copyBody(w http.ResponseWriter, res *http.Response) error {
	switch {
	case res.Body == http.NoBody:
		return nil
	case res.ContentLength < 0:
		return up.edge.buffers.copyFlushed(w, res.Body.(arriving))
	}
	buf := up.edge.buffers.get()
	defer up.edge.buffers.put(buf)
	n, err := res.Body.Read(buf[:])
	if err == io.EOF || int64(n) == res.ContentLength {
		_, err = w.Write(buf[:n])
		return err // it has come whole
	}
	d := drip{ResponseWriter: w}
	defer d.stop()
	for err == nil {
		if _, err := d.Write(buf[:n]); err != nil {
			return err
		}
		n, err = res.Body.Read(buf[:])
	}
	if err != io.EOF {
		return err
	}
	_, err = d.Write(buf[:n])
	return err
}

// arriving is the body of a response, as package origin has them.
type arriving interface {
	io.Reader
	Ready() bool // some of it has come
	Await()      // that
}

// copyFlushed has no buffer while nothing comes, which can be hours.
func (b *buffers) copyFlushed(w http.ResponseWriter, from arriving) error {
	control := http.NewResponseController(w)
	if !from.Ready() {
		if err := control.Flush(); err != nil { // the header must not wait for the body
			return err
		}
	}
	for {
		from.Await()
		n, err := b.pass(w, from)
		if n > 0 {
			if err := control.Flush(); err != nil {
				return err
			}
		}
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// pass passes on what one Read gives, with its error.
func (b *buffers) pass(w io.Writer, from io.Reader) (int, error) {
	buf := b.get()
	defer b.put(buf)
	n, err := from.Read(buf[:])
	if n > 0 {
		if _, err := w.Write(buf[:n]); err != nil {
			return 0, err
		}
	}
	return n, err
}

// dripTime is how long what was written may be held back in the hope of more.
const dripTime = 100 * time.Millisecond

// drip flushes what is written, a moment later.
type drip struct {
	http.ResponseWriter

	mu      sync.Mutex
	timer   *time.Timer
	pending bool
	stopped bool
}

func (d *drip) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.ResponseWriter.Write(p)
	if err != nil || d.pending {
		return n, err
	}
	d.pending = true
	if d.timer == nil {
		d.timer = time.AfterFunc(dripTime, d.flush)
	} else {
		d.timer.Reset(dripTime)
	}
	return n, nil
}

func (d *drip) flush() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pending && !d.stopped {
		d.pending = false
		_ = http.NewResponseController(d.ResponseWriter).Flush() // the next write finds out
	}
}

func (d *drip) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	if d.timer != nil {
		d.timer.Stop()
	}
}
