package http2

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// requestContext is done when the stream was reset, the connection has ended, or the handler has returned. It costs nothing until
// somebody asks for Done or AfterFunc.
type requestContext struct {
	stream *stream

	mu    sync.Mutex
	err   error
	done  chan struct{}
	after map[*func()]struct{}
}

func (c *requestContext) Deadline() (time.Time, bool) { return c.stream.conn.base.Deadline() }

func (c *requestContext) Value(key any) any {
	if key == http.LocalAddrContextKey {
		return c.stream.conn.net.LocalAddr()
	}
	return c.stream.conn.base.Value(key)
}

func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

// AfterFunc is what package context looks for, to spare a goroutine that waits.
func (c *requestContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go f()
		return func() bool { return false }
	}
	if c.after == nil {
		c.after = make(map[*func()]struct{})
	}
	c.after[&f] = struct{}{}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, there := c.after[&f]
		delete(c.after, &f)
		return there
	}
}

func (c *requestContext) cancel(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	if c.done != nil {
		close(c.done)
	}
	for f := range c.after {
		go (*f)()
	}
	c.after = nil
}

var _ context.Context = (*requestContext)(nil)
