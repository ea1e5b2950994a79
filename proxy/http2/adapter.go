// Package http2 is for now net/http's server.
package http2

import (
	"context"
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"reflect"
	"sync"
	"time"
)

type Server struct {
	Handler        http.Handler
	MaxStreams     uint32
	MaxHeaderBytes int
	HeaderTimeout  time.Duration
	IdleTimeout    time.Duration
	State          func(net.Conn, http.ConnState)
	Log            *log.Logger

	once  sync.Once
	h     *http.Server
	conns sync.Map
}

type dead struct{}

func (dead) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (dead) Close() error              { return nil }
func (dead) Addr() net.Addr            { return &net.TCPAddr{} }

func (s *Server) init() {
	s.once.Do(func() {
		pr := new(http.Protocols)
		pr.SetHTTP2(true)
		s.h = &http.Server{Handler: s.Handler, Protocols: pr, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: int(s.MaxStreams), MaxReadFrameSize: 16 << 10},
			ReadHeaderTimeout: s.HeaderTimeout, IdleTimeout: s.IdleTimeout, MaxHeaderBytes: s.MaxHeaderBytes, ErrorLog: s.Log,
			ConnState: func(c net.Conn, st http.ConnState) {
				if v, ok := s.conns.Load(c); ok {
					s.State(v.(net.Conn), st)
				}
			},
		}
		s.h.Serve(dead{})
	})
}

type handler struct {
	http.Handler
	ctx context.Context
}

func (h handler) BaseContext() context.Context { return h.ctx }

func (s *Server) Serve(ctx context.Context, conn net.Conn, st *tls.ConnectionState) {
	s.init()
	tc := reflect.ValueOf(conn).Field(0).Interface().(*tls.Conn)
	s.conns.Store(tc, conn)
	defer s.conns.Delete(tc)
	s.h.TLSNextProto["h2"](s.h, tc, handler{s.Handler, ctx})
	conn.Close()
}
func (s *Server) Shutdown(ctx context.Context) error { s.init(); return s.h.Shutdown(ctx) }
func (s *Server) Close() error                       { return s.h.Close() }
