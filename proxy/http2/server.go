package http2

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

// Server serves HTTP/2. Its fields are not changed after the first Serve.
type Server struct {
	Handler http.Handler

	// MaxStreams bounds the requests of one connection that are served at a time, those among them whose stream was reset.
	// 0 stands for 100.
	MaxStreams uint32
	// MaxHeaderBytes bounds the header of a request; 0 stands for http.DefaultMaxHeaderBytes.
	MaxHeaderBytes int
	// MaxBodies bounds the memory of what has come of requests' bodies and was not read, in bytes, beyond 64 KiB for each
	// connection. 0 stands for 256 MiB.
	MaxBodies int64
	// HeaderTimeout bounds the wait for the client's preface and settings, and for each header once it has begun. 0: it is not
	// bounded.
	HeaderTimeout time.Duration
	// IdleTimeout bounds the wait for a request while there is none, and that for the client to take the end of a response whose
	// handler has returned. 0: they are not bounded.
	IdleTimeout time.Duration

	// State is told when the first of a connection's requests begins (http.StateActive) and when the last has ended
	// (http.StateIdle). It must return at once. It may be nil.
	State func(net.Conn, http.ConnState)
	// Log gets what handlers panic with; nil stands for the standard logger.
	Log *log.Logger

	crew  crew
	pools pools
	clock clock
	wide  atomic.Int64 // bytes that windows are opened by, beyond what each connection has

	mu      sync.Mutex
	conns   map[*conn]struct{}
	closing bool
	drained chan struct{} // closed when it is closing and there are no connections
}

// Serve answers on conn, of which tls is the state, until it has ended and its handlers have returned. It closes conn. Requests'
// contexts derive from ctx. A Write on conn must not take for ever.
func (s *Server) Serve(ctx context.Context, conn net.Conn, tls *tls.ConnectionState) {
	c := newConn(ctx, s, conn, tls)
	if !s.enter(c) {
		c.stopClock()
		c.cut()
		return
	}
	defer s.leave(c)
	c.serve()
}

// Shutdown has clients open no more streams, and returns when all Serve calls have, or ctx is done.
func (s *Server) Shutdown(ctx context.Context) error {
	conns, drained := s.close()
	for _, c := range conns {
		c.shutDown()
	}
	select {
	case <-drained:
		s.crew.dismiss()
		s.crew.working.Wait()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close cuts all connections off. It does not wait for Serve to return.
func (s *Server) Close() error {
	conns, _ := s.close()
	for _, c := range conns {
		c.cut()
	}
	s.crew.dismiss()
	return nil
}

// close lets no more connections in, and returns those that there are.
func (s *Server) close() ([]*conn, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	if s.drained == nil {
		s.drained = make(chan struct{})
		if len(s.conns) == 0 {
			close(s.drained)
		}
	}
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns, s.drained
}

func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	if s.conns == nil {
		s.conns = make(map[*conn]struct{})
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.drained != nil && len(s.conns) == 0 {
		close(s.drained) // nobody enters any more, so this is once
	}
}

func (s *Server) logf(format string, args ...any) {
	if s.Log != nil {
		s.Log.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}
