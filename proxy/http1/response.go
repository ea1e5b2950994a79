package http1

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// response is what a handler writes. Its methods but Header may be called concurrently.
type response struct {
	conn    *conn
	request *http.Request
	body    *requestBody // of the request; nil: it has none
	life    life
	header  http.Header // the connection's: it is used again for the next response

	mu       sync.Mutex
	status   int // 0 until it is said
	begun    bool
	out      *output // likewise
	held     []byte  // of the body, while its length is to be found out
	length   int64   // of the body, as declared; below 0: not known
	sent     int64   // bytes of the body that the handler has written
	chunked  bool
	last     bool // the connection ends with it
	broken   error
	trailers []string // that are announced

	hijacked bool
	over     atomic.Bool // what is written now would be the next response's
}

// errShort is for responses that have less of a body than their header says.
var errShort = errors.New("the response is shorter than it was declared")

// errOver is for handlers that go on writing after they have returned.
var errOver = errors.New("the response is over")

// respond has the handler answer. What panics is cut off.
func (c *conn) respond(r *http.Request) *response {
	clear(c.header)
	w := &response{conn: c, header: c.header, length: -1, last: r.Close, out: &c.out}
	w.life.Context, w.life.conn = c.ctx, c
	r.RemoteAddr, r.TLS = c.remote, c.tls
	if r.Body != http.NoBody {
		w.body = newRequestBody(w, r)
		w.life.coming = true
		r.Body = w.body
		c.unbound()
	}
	w.request = r.WithContext(&w.life)
	defer w.finish()
	w.handle()
	return w
}

// handle reports a panic as a response that breaks off.
func (w *response) handle() {
	defer func() {
		switch cause := recover(); cause {
		case nil:
			return
		case http.ErrAbortHandler:
		default:
			w.conn.server.Log.Printf("http: panic serving %v: %v\n%s", w.conn.remote, cause, debug.Stack())
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.broken = http.ErrAbortHandler
	}()
	w.conn.server.Handler.ServeHTTP(w, w.request)
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(status)
}

func (w *response) writeHeader(status int) {
	switch {
	case status < 100 || status > 999:
		panic("http1: invalid status " + strconv.Itoa(status))
	case w.hijacked || w.over.Load() || w.status != 0:
	case status < http.StatusOK && status != http.StatusSwitchingProtocols:
		w.inform(status)
	default:
		w.status = status
		w.out.begin(status)
		w.writeFields()
	}
}

// inform sends an interim response.
func (w *response) inform(status int) {
	if !w.request.ProtoAtLeast(1, 1) {
		return // knows no such thing
	}
	if w.body != nil && status == http.StatusContinue {
		w.body.expects.Store(false)
	}
	w.out.begin(status)
	for name, values := range w.header {
		if name != "Content-Length" && name != "Transfer-Encoding" {
			w.out.field(name, values)
		}
	}
	w.out.text("\r\n")
	w.fail(w.out.flush())
}

// goAhead tells a client to send the body that it holds back.
func (w *response) goAhead() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status == 0 && !w.hijacked && !w.over.Load() {
		w.out.text("HTTP/1.1 100 Continue\r\n\r\n")
		w.fail(w.out.flush())
	}
}

// fail keeps the first error. Nobody reads what is written after it, nor waits for the handler.
func (w *response) fail(err error) {
	if err != nil && w.broken == nil {
		w.broken = err
		w.conn.cancel()
	}
}

func (w *response) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.write(p)
}

func (w *response) write(p []byte) (int, error) {
	switch {
	case w.hijacked:
		return 0, http.ErrHijacked
	case w.over.Load():
		return 0, errOver
	case w.status == 0:
		w.writeHeader(http.StatusOK)
	}
	switch {
	case w.broken != nil:
		return 0, w.broken
	case len(p) == 0:
		return 0, nil
	case !bodyAllowed(w.status):
		return 0, http.ErrBodyNotAllowed
	case w.length >= 0 && w.sent+int64(len(p)) > w.length:
		return 0, http.ErrContentLength
	}
	w.sniff(p)
	w.sent += int64(len(p))
	switch {
	case w.request.Method == http.MethodHead:
		return len(p), nil
	case !w.begun && w.length < 0 && len(w.held)+len(p) <= mostHeld:
		w.held = append(w.held, p...)
		return len(p), nil
	}
	w.begin()
	w.fail(w.emit(p))
	if w.broken != nil {
		return 0, w.broken
	}
	return len(p), nil
}

// mostHeld is how long a body may be whose length is found out: net/http does that, too.
const mostHeld = 2 << 10

// emit writes a part of the body.
func (w *response) emit(p []byte) error {
	if !w.chunked {
		return w.out.write(p)
	}
	if len(p) == 0 {
		return nil
	}
	w.out.chunk(len(p))
	if err := w.out.write(p); err != nil {
		return err
	}
	return w.out.write([]byte("\r\n"))
}

// ReadFrom copies without allocating.
func (w *response) ReadFrom(from io.Reader) (int64, error) {
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	return io.CopyBuffer(onlyWriter{w}, from, buf[:])
}

type onlyWriter struct{ io.Writer }

// Flush makes it an http.Flusher.
func (w *response) Flush() { _ = w.FlushError() }

func (w *response) FlushError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.hijacked:
		return http.ErrHijacked
	case w.over.Load():
		return errOver
	case w.status == 0:
		w.writeHeader(http.StatusOK)
	}
	w.begin()
	if w.broken == nil {
		w.fail(w.out.flush())
	}
	return w.broken
}

func (w *response) SetReadDeadline(t time.Time) error {
	if w.over.Load() {
		return errOver
	}
	return w.conn.readUntil(t)
}

// SetWriteDeadline is for this response alone.
func (w *response) SetWriteDeadline(t time.Time) error {
	if w.over.Load() { // without the lock, which a write that it is to interrupt has
		return errOver
	}
	w.out.dated.Store(true)
	return w.conn.SetWriteDeadline(t)
}

// EnableFullDuplex changes nothing: a handler may always read while it writes.
func (w *response) EnableFullDuplex() error { return nil }

// Hijack leaves the connection to the handler.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.life.settle()
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.hijacked:
		return nil, nil, http.ErrHijacked
	case w.over.Load():
		return nil, nil, errOver
	}
	w.fail(w.out.flush())
	if w.broken != nil {
		return nil, nil, w.broken
	}
	w.hijacked = true
	c := w.conn
	c.source.raw = true
	_ = c.readUntil(time.Time{}) // on a closed connection the handler finds out
	c.server.tell(c.Conn, http.StateHijacked)
	c.server.leave(c)
	return c.Conn, bufio.NewReadWriter(c.in, bufio.NewWriter(c.Conn)), nil
}

// finish completes what the handler has written.
func (w *response) finish() {
	if w.body != nil {
		_ = w.body.Close()
	}
	w.life.end()
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.over.Store(true)
	if w.hijacked {
		return
	}
	defer w.out.end()
	if w.status == 0 && w.broken == nil {
		w.writeHeader(http.StatusOK)
	}
	w.settleLength()
	w.begin()
	if w.broken != nil {
		return
	}
	if w.chunked {
		w.writeTrailers()
	}
	w.fail(w.out.flush())
	if w.length >= 0 && w.sent < w.length && w.hasBody() {
		w.fail(errShort)
	}
}

// again reports whether another request may follow.
func (w *response) again() bool {
	switch {
	case w.broken != nil || w.last || w.conn.server.draining.Load():
		return false
	case w.body == nil || w.body.ended.Load():
		return true
	}
	w.conn.readWithin(w.conn.server.HeaderTimeout)
	return w.body.drain()
}

// depart closes the connection. A client that still sends gets the time to read what it was told. Of a response that breaks off
// TLS must not say that it is over: some clients could not tell otherwise (RFC 9112 section 9.8).
func (w *response) depart() {
	switch {
	case w.broken != nil:
		w.conn.cut()
	case w.body == nil || w.body.ended.Load():
		_ = w.conn.Conn.Close()
	default:
		w.conn.linger()
	}
}
