package http2

import (
	"context"
	"errors"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// stream is a request and its response. What follows id and conn is guarded by the connection's mutex.
type stream struct {
	id       uint32
	conn     *conn
	tooLarge bool // the header is
	head     bool // the request has no use for a body

	wake      sync.Cond // waits for a body's data, the stream's window, or the end of either
	err       error     // why nothing can be sent any more
	window    int64     // what may be sent
	incoming  int64     // what the client may still send
	returning int64     // what was read and the client does not know of yet
	tail      int64     // where its last frame of data is; -1: there is none
	whole     bool      // the client has sent all
	headed    bool      // the response's header has gone
	closing   bool      // and with it the end
	returned  bool      // the handler has
	expects   bool      // the client waits to be told to send its body
	readLate  bool      // the deadline has passed
	reads     *deadline
	writes    *deadline
	body      body

	request  *http.Request
	context  requestContext
	response response
}

// finishBlock takes a header for what it is: a trailer, or a request.
func (c *conn) finishBlock() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headerDue = time.Time{}
	b := &c.block
	if s := c.streams[b.id]; s != nil {
		return s.finish(b)
	}
	switch {
	case b.id <= c.last:
		if err := c.known(b.id); err != nil {
			return http2.ConnectionError(http2.ErrCodeStreamClosed)
		}
		return nil
	case c.refusing:
		return c.tolerate() // the client knows that it is not served
	}
	c.last = b.id
	c.chatter.earn(2)
	switch {
	case b.itself:
		return http2.StreamError{StreamID: b.id, Code: http2.ErrCodeProtocol}
	case c.handlers >= c.server.maxStreams():
		return http2.StreamError{StreamID: b.id, Code: http2.ErrCodeRefusedStream}
	}
	return c.openStream(b)
}

// finish takes a request's trailer.
func (s *stream) finish(b *block) error {
	switch {
	case s.whole:
		return http2.StreamError{StreamID: s.id, Code: http2.ErrCodeStreamClosed}
	case !b.end || b.malformed || b.pseudo > 0 || b.tooLarge():
		return http2.StreamError{StreamID: s.id, Code: http2.ErrCodeProtocol}
	}
	for _, f := range b.fields {
		if s.body.trailer == nil {
			s.body.trailer = make(http.Header)
		}
		s.body.trailer.Add(f.Name, f.Value)
	}
	if !s.arrived(nil, 0, true) {
		return http2.StreamError{StreamID: s.id, Code: http2.ErrCodeProtocol}
	}
	return nil
}

// openStream has a request served, or refused for its size.
func (c *conn) openStream(b *block) error {
	s := &stream{id: b.id, conn: c, window: c.opening, incoming: streamWindow, tail: -1, tooLarge: b.tooLarge()}
	s.wake.L = &c.mu
	s.context.stream, s.response.stream = s, s
	switch {
	case c.err != nil:
		return c.err
	case s.tooLarge:
		s.request = unset.WithContext(&s.context)
		s.head = b.method() == http.MethodHead
		s.body.stream, s.body.length, s.whole = s, -1, b.end
		s.body.closed = true
	case b.malformed || !s.newRequest(b):
		return http2.StreamError{StreamID: b.id, Code: http2.ErrCodeProtocol}
	}
	if err := c.base.Err(); err != nil {
		s.context.cancel(err)
	}
	c.streams[s.id] = s
	if c.handlers++; c.handlers == 1 {
		c.idleSince = time.Time{}
		c.tell(http.StateActive)
	}
	c.queued.Add(1)
	c.hand(job{stream: s})
	return nil
}

// serve runs the handler.
func (s *stream) serve() {
	defer s.conn.jobs.Done()
	s.conn.queued.Add(-1)
	whole := false
	defer func() { s.leave(whole) }() // a handler may end its goroutine, too
	whole = s.handle()
}

// handle reports false when the response did not come whole.
func (s *stream) handle() (whole bool) {
	defer func() {
		if err := recover(); err != nil {
			whole = false
			if err != http.ErrAbortHandler {
				s.conn.server.logf("http2: panic serving %s: %v\n%s", s.conn.remote, err, debug.Stack())
			}
		}
	}()
	if s.tooLarge {
		http.Error(&s.response, "431 Request Header Fields Too Large", http.StatusRequestHeaderFieldsTooLarge)
	} else {
		s.conn.server.Handler.ServeHTTP(&s.response, s.request)
	}
	return true
}

// leave ends the response, and the stream with it.
func (s *stream) leave(whole bool) {
	s.context.cancel(context.Canceled)
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	s.returned = true
	whole = whole && s.err == nil && s.response.end() == nil
	s.reads.stop()
	s.writes.stop()
	s.body.closed = true
	s.body.drop()
	switch {
	case s.err != nil: // the client, or what is left of it, knows
	case !whole:
		c.appendReset(s.id, http2.ErrCodeInternal)
	case !s.whole:
		c.appendReset(s.id, http2.ErrCodeNo) // RFC 9113 section 8.1
	default:
		c.completed++
	}
	if s.err == nil {
		s.err = errOver
		delete(c.streams, s.id)
	}
	if c.handlers--; c.handlers == 0 {
		c.rest()
		c.tell(http.StateIdle)
	}
	c.writeOut(nil, everything)
	c.endIfDone()
}

var errOver = errors.New("http2: the handler has returned")

// abandon ends a stream whose handler may go on.
func (s *stream) abandon(err error) {
	if s.err != nil {
		return
	}
	s.err = err
	s.body.fail(err)
	delete(s.conn.streams, s.id)
	s.context.cancel(context.Canceled)
	s.wake.Broadcast()
	s.conn.room.Broadcast()
}

// deadline is a time limit of a stream.
type deadline struct{ timer *time.Timer }

func (d *deadline) stop() {
	if d != nil {
		d.timer.Stop()
	}
}

// newDeadline has passed called, with the connection's mutex held, unless there is another deadline by then.
func (s *stream) newDeadline(t time.Time, at **deadline, passed func()) {
	(*at).stop()
	*at = nil
	switch left := time.Until(t); {
	case t.IsZero() || s.err != nil:
	case left <= 0:
		passed()
	default:
		d := new(deadline)
		*at = d
		d.timer = time.AfterFunc(left, func() {
			s.conn.mu.Lock()
			defer s.conn.mu.Unlock()
			if *at == d && s.err == nil {
				passed()
			}
		})
	}
}

// readsEnd interrupts reads of the body: there is no more time.
func (s *stream) readsEnd() {
	s.readLate = true
	s.wake.Broadcast()
}

// writesEnd resets the stream. If its handler is stuck in writing to the connection, that has to end.
func (s *stream) writesEnd() {
	s.abandon(os.ErrDeadlineExceeded)
	if s.conn.by == s { // what is half written cannot be taken back
		s.conn.hurry()
	}
	s.conn.appendReset(s.id, http2.ErrCodeInternal)
	s.conn.writeSoon()
}
