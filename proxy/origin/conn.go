package origin

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is a connection to the origin; one request at a time uses it.
type conn struct {
	net.Conn
	transport *Transport
	in        *bufio.Reader
	out       *bufio.Writer
	limit     limitedReader
	answered  bool        // the origin has sent something since the request began
	until     time.Time   // reads may wait, if that is a moment only; else zero
	writable  time.Time   // writes may wait
	cut       atomic.Bool // it was interrupted, for good
	since     time.Time   // idle; guarded by Transport.mu

	socket syscall.RawConn // nil: there is none to look at
	look   func(fd uintptr)
	silent bool // what look has found
}

const (
	inBuffer  = 8 << 10 // a small page with its header, in one read
	outBuffer = 4 << 10
)

func newConn(t *Transport, raw net.Conn) *conn {
	c := &conn{Conn: raw, transport: t}
	c.limit = limitedReader{conn: c}
	c.in = bufio.NewReaderSize(&c.limit, inBuffer)
	c.out = bufio.NewWriterSize(c, outBuffer)
	if under, ok := raw.(syscall.Conn); ok {
		c.socket, _ = under.SyscallConn() // else it is used unseen
	}
	c.look = c.peek
	return c
}

var (
	errHeaderTooLarge = errors.New("the header of the response is too large")
	errTooManyInterim = errors.New("too many interim responses")
	errNoStatus       = errors.New("the response has a status below 100")
)

// limitedReader bounds what is read while a header is.
type limitedReader struct {
	conn    *conn
	bounded bool
	left    int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.bounded {
		if l.left <= 0 {
			return 0, errHeaderTooLarge
		}
		p = p[:min(int64(len(p)), l.left)]
	}
	n, err := l.conn.Conn.Read(p)
	l.left -= int64(n)
	l.conn.answered = l.conn.answered || n > 0
	return n, err
}

// alive reports whether a kept connection is still open and silent. It looks without waiting. An origin that closes a connection
// while it is idle has told so by now; what it has sent beyond its last response must not pass for the next one.
func (c *conn) alive() bool {
	return c.socket == nil || c.socket.Control(c.look) == nil && c.silent
}

func (c *conn) peek(fd uintptr) {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	c.silent = err == syscall.EAGAIN
}

// Write bounds how long the origin may take over what it is sent: at least half as long as it may take to answer. The deadline is
// set now and then only, which spares most requests a timer.
func (c *conn) Write(p []byte) (int, error) {
	limit := c.transport.cfg.Response
	if now := time.Now(); c.writable.Sub(now) < limit/2 {
		c.writable = now.Add(limit)
		err := c.SetWriteDeadline(c.writable)
		c.stayCut()
		if err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// exchange sends the request and returns the response as soon as its header is there. After an error the connection is
// of no further use.
func (c *conn) exchange(req *http.Request, interim func(int, http.Header)) (*http.Response, error) {
	c.answered = false
	c.limit.bounded, c.limit.left = true, c.transport.cfg.MaxHeaderBytes
	w := watch{conn: c, ctx: req.Context()}
	if hasBody(req) {
		w.begin()
		_ = c.unbound() // fails on a closed connection, as what follows does
	}
	sent, err := c.send(req)
	if err == nil && sent == nil {
		err = w.first()
	}
	if err == nil {
		var res *http.Response
		if res, err = c.receive(&w, req, sent, interim); err == nil {
			c.attach(&w, res, sent)
			return res, nil
		}
	}
	w.end()
	return nil, err
}

// interrupt ends what reads from and writes to the connection, from now on.
func (c *conn) interrupt() {
	c.cut.Store(true)
	_ = c.SetDeadline(time.Unix(1, 0)) // fails on a closed connection, which nobody waits for
}

// stayCut is for when a deadline was set that may have lifted an interruption.
func (c *conn) stayCut() {
	if c.cut.Load() {
		c.interrupt()
	}
}

// readBy has reads wait until then at most; the zero time: for as long as it takes.
func (c *conn) readBy(deadline time.Time) error {
	err := c.SetReadDeadline(deadline)
	c.stayCut()
	return err
}

// unbound lets reads wait for as long as it takes.
func (c *conn) unbound() error {
	c.until = time.Time{}
	return c.readBy(time.Time{})
}

// await bounds the time until the response, once the request is sent.
func (c *conn) await(limit time.Duration) error {
	c.until = time.Time{}
	return c.readBy(time.Now().Add(limit))
}

// readWithin bounds how long reads may wait from now on. Where the bound is nearly that already it stays, which spares most
// requests a timer.
func (c *conn) readWithin(limit time.Duration) error {
	until := time.Now().Add(limit)
	if early := until.Sub(c.until); early >= 0 && early < limit/8 {
		return nil
	}
	c.until = until
	return c.readBy(until)
}

const mostInterim = 8

// receive reads responses up to the final one, and hands on those before it.
func (c *conn) receive(w *watch, req *http.Request, sent *sending, interim func(int, http.Header)) (*http.Response, error) {
	for range mostInterim {
		res, err := http.ReadResponse(c.in, req)
		if err != nil {
			return nil, sent.fault(err)
		}
		if res.StatusCode < http.StatusContinue {
			return nil, errNoStatus
		}
		if res.StatusCode == http.StatusSwitchingProtocols || res.StatusCode >= http.StatusOK {
			c.limit.bounded = false
			return res, c.arrived(w, res, sent)
		}
		if interim != nil {
			interim(res.StatusCode, res.Header)
		}
		if sent == nil {
			w.begin()
			if err := c.await(c.transport.cfg.Response); err != nil {
				return nil, err
			}
		}
		if res.StatusCode == http.StatusContinue {
			sent.proceed() // after the hand-over: where that tells the client, reading the body must not tell it again
		}
	}
	return nil, errTooManyInterim
}

// arrived lifts the bound on the time until the response: its body may take as long as it needs. One that is there already needs
// nothing.
func (c *conn) arrived(w *watch, res *http.Response, sent *sending) error {
	sent.respond()
	if !w.begun && res.StatusCode != http.StatusSwitchingProtocols &&
		(res.Body == http.NoBody || res.ContentLength >= 0 && res.ContentLength <= int64(c.in.Buffered())) {
		return nil
	}
	w.begin()
	return c.unbound()
}

// attach has the connection follow the response's body: with its end it is free for another request, or closed.
func (c *conn) attach(w *watch, res *http.Response, sent *sending) {
	if res.StatusCode == http.StatusSwitchingProtocols {
		res.Body = &upgraded{conn: c, watch: *w}
		return
	}
	b := &body{ReadCloser: res.Body, conn: c, sent: sent, watch: *w, last: res.Close}
	if res.Body == http.NoBody {
		b.finish(true)
		return
	}
	res.Body = b
}
