package origin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// ErrBusy means that no connection came free in time.
var ErrBusy = errors.New("all connections to the origin are in use")

// Config says how an origin is reached, and what it may hold up. All fields are required.
type Config struct {
	Dial           func(ctx context.Context) (net.Conn, error)
	MaxConns       int           // connections at a time
	MaxIdle        int           // connections that are kept for later
	KeepIdle       time.Duration // for how long they are kept
	Queue          time.Duration // for how long a request waits for a connection, before ErrBusy
	Response       time.Duration // from the end of the request to the first byte of the response
	MaxHeaderBytes int64         // of a response
}

// Transport sends requests to one origin, whatever host they name.
type Transport struct {
	cfg Config

	mu      sync.Mutex
	idle    []*conn // the last used last
	open    int     // connections, those being dialled among them
	waiting waiters
	expiry  *time.Timer // closes what has been idle for too long; nil until something is idle
}

// New returns a Transport without connections.
func New(cfg Config) *Transport { return &Transport{cfg: cfg} }

// Do sends a request, of a client's or of a server's kind, and returns the final response as soon as its header is there; the
// body must be closed, and unless it is http.NoBody it can be waited for (see body). After a 101 it is an io.ReadWriteCloser.
// Interim responses go to interim, which may be nil. The request's body may still be read until it is closed. A request that found
// a kept connection closed under it is sent once more where nothing can come of that: it is idempotent (RFC 9110 section 9.2.2)
// and has no body. Hop-by-hop fields are the caller's to drop; framing is written anew.
func (t *Transport) Do(req *http.Request, interim func(status int, header http.Header)) (*http.Response, error) {
	ctx := req.Context()
	for {
		c, reused, err := t.take(ctx)
		if err != nil {
			closeBody(req)
			return nil, err
		}
		res, err := c.exchange(req, interim)
		if err == nil {
			return res, nil
		}
		t.drop(c)
		if reused && !c.answered && repeatable(req) && ctx.Err() == nil {
			continue
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, err
	}
}

// repeatable reports whether a request may be sent a second time without knowing what became of the first.
func repeatable(req *http.Request) bool {
	if hasBody(req) {
		return false
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// hasBody goes by the length, as for requests of servers: -1 stands for one that is not known.
func hasBody(req *http.Request) bool {
	return req.Body != nil && req.Body != http.NoBody && req.ContentLength != 0
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// take returns a connection for one request, and whether it was used before.
func (t *Transport) take(ctx context.Context) (c *conn, reused bool, err error) {
	for {
		c, dial, wait := t.try()
		if wait != nil {
			if c, err = t.await(ctx, wait); err != nil {
				return nil, false, err
			}
			dial = c == nil
		}
		switch {
		case dial:
			c, err = t.dial(ctx)
			return c, false, err
		case c.alive():
			return c, true, nil
		}
		t.drop(c)
	}
}

// try finds an idle connection, or room for a new one, or a place in the queue.
func (t *Transport) try() (c *conn, dial bool, wait *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last := len(t.idle) - 1; last >= 0 {
		c = t.idle[last]
		t.idle[last] = nil
		t.idle = t.idle[:last]
		return c, false, nil
	}
	if t.open < t.cfg.MaxConns {
		t.open++
		return nil, true, nil
	}
	return nil, false, t.waiting.add()
}

func (t *Transport) dial(ctx context.Context) (*conn, error) {
	raw, err := t.cfg.Dial(ctx)
	if err != nil {
		t.vacate()
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, err
	}
	return newConn(t, raw), nil
}

// await waits for a connection that is handed over, or for the right to dial one, for which it returns nil.
func (t *Transport) await(ctx context.Context, w *waiter) (*conn, error) {
	timer := time.NewTimer(t.cfg.Queue)
	defer timer.Stop()
	select {
	case c := <-w.turn:
		return c, nil
	case <-timer.C:
		t.leave(w)
		return nil, ErrBusy
	case <-ctx.Done():
		t.leave(w)
		return nil, context.Cause(ctx)
	}
}

// leave takes a waiter out of the queue. What it was handed meanwhile goes to the next.
func (t *Transport) leave(w *waiter) {
	t.mu.Lock()
	waited := t.waiting.remove(w)
	t.mu.Unlock()
	if waited {
		return
	}
	if c := <-w.turn; c != nil {
		t.keep(c)
		return
	}
	t.vacate()
}

// keep takes back a connection on which another request can be sent.
func (t *Transport) keep(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting.hand(c) {
		return
	}
	if len(t.idle) >= t.cfg.MaxIdle {
		t.closeLocked(c)
		return
	}
	c.since = time.Now()
	t.idle = append(t.idle, c)
	if t.expiry == nil {
		t.expiry = time.AfterFunc(t.cfg.KeepIdle, t.expire)
	}
}

// drop closes a connection.
func (t *Transport) drop(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closeLocked(c)
}

func (t *Transport) closeLocked(c *conn) {
	_ = c.Conn.Close()
	t.vacateLocked()
}

// vacate leaves the room of a connection to the one who has waited longest, if there is one.
func (t *Transport) vacate() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.vacateLocked()
}

func (t *Transport) vacateLocked() {
	if !t.waiting.hand(nil) {
		t.open--
	}
}

// expire closes what has been idle for too long. One timer serves all connections of the origin, and none runs while
// nothing is idle.
func (t *Transport) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	oldest := time.Now().Add(-t.cfg.KeepIdle)
	old := 0
	for old < len(t.idle) && !t.idle[old].since.After(oldest) {
		t.closeLocked(t.idle[old])
		old++
	}
	t.idle = append(t.idle[:0:0], t.idle[old:]...)
	t.expiry = nil
	if len(t.idle) > 0 {
		t.expiry = time.AfterFunc(time.Until(t.idle[0].since.Add(t.cfg.KeepIdle)), t.expire)
	}
}

// CloseIdleConnections closes the connections that are kept for later.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.idle {
		t.closeLocked(c)
	}
	t.idle = nil
	if t.expiry != nil {
		t.expiry.Stop()
		t.expiry = nil
	}
}
