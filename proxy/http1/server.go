package http1

import (
	"context"
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves connections. Its fields do not change after the first Serve; all but State are required.
type Server struct {
	Handler        http.Handler
	MaxHeaderBytes int           // of a request's line and header; a little more passes
	HeaderTimeout  time.Duration // for a request's header once it has begun, and for a new connection until then
	IdleTimeout    time.Duration // between requests
	// State is told when a connection waits for another request or its client's end (StateIdle), has a request (StateActive), and
	// is a handler's own (StateHijacked).
	State func(net.Conn, http.ConnState)
	Log   *log.Logger // of handlers that panic, but for http.ErrAbortHandler

	draining atomic.Bool // connections end with the request that they serve

	mu      sync.Mutex
	conns   map[*conn]struct{}
	serving sync.WaitGroup
}

// Serve answers the requests that come on a connection until it ends, which closes it. What a handler has taken over is the
// handler's to close. The contexts of requests derive from ctx. state is nil where there is no TLS.
func (s *Server) Serve(ctx context.Context, on net.Conn, state *tls.ConnectionState) {
	c := newConn(ctx, s, on, state)
	defer c.cancel()
	if !s.enter(c) {
		c.cut()
		return
	}
	defer s.leave(c)
	c.serve()
}

func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	if s.conns == nil {
		s.conns = make(map[*conn]struct{})
	}
	s.conns[c] = struct{}{}
	s.serving.Add(1)
	return true
}

// leave is for connections that have ended, or are a handler's own.
func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.conns[c]; there {
		delete(s.conns, c)
		s.serving.Done()
	}
}

// Shutdown closes connections that wait for a request, has the others end with the one that they serve, and returns when all
// have, or with ctx's error. It does not wait for what handlers have taken over.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining.Store(true)
	for c := range s.conns {
		c.dismiss()
	}
	s.mu.Unlock()
	over := make(chan struct{})
	go func() {
		s.serving.Wait()
		close(over)
	}()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes all connections, whatever they are at. It does not wait for handlers.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining.Store(true)
	for c := range s.conns {
		c.cut()
	}
}

func (s *Server) tell(c net.Conn, state http.ConnState) {
	if s.State != nil {
		s.State(c, state)
	}
}
