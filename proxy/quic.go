package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// What a client may have on its way in one QUIC connection before it is read: about what HTTP/2 allows.
const (
	firstWindow      = 256 << 10
	streamWindow     = 1 << 20
	connectionWindow = 2 << 20
)

// manyHandshakes under way have clients prove their address first: that many may be of senders who forge it.
const manyHandshakes = 64

// quicServer answers HTTP/3. It has the streams of a connection accepted here and not by http3.Server, which would let a
// client take for ever over a request's header.
type quicServer struct {
	proxy      *Proxy
	base       context.Context // of all requests
	http       *http3.Server   // what conversations are made of
	handshakes atomic.Int64    // under way

	draining context.Context // done when no more requests are taken
	drain    context.CancelFunc
	conns    inflight
	ended    chan struct{} // closed when the sockets may go
}

func (p *Proxy) quicServer(base context.Context) *quicServer {
	s := &quicServer{proxy: p, base: base, ended: make(chan struct{})}
	s.draining, s.drain = context.WithCancel(context.WithoutCancel(base))
	s.http = &http3.Server{
		Handler:        http.HandlerFunc(s.serve),
		MaxHeaderBytes: p.limits.headerBytes,
		IdleTimeout:    p.limits.idle,
		ConnContext:    s.context,
		Logger:         p.log,
	}
	return s
}

// config bounds one connection. There is no 0-RTT: such requests can be replayed (RFC 8470).
func (s *quicServer) config() *quic.Config {
	lim := s.proxy.limits
	return &quic.Config{
		HandshakeIdleTimeout:           lim.header / 2, // all of it may take twice that
		MaxIdleTimeout:                 lim.idle,
		InitialStreamReceiveWindow:     firstWindow,
		MaxStreamReceiveWindow:         streamWindow,
		InitialConnectionReceiveWindow: firstWindow,
		MaxConnectionReceiveWindow:     connectionWindow,
		MaxIncomingStreams:             int64(lim.streams),
		MaxIncomingUniStreams:          16, // three are needed
	}
}

// listen serves a socket, which it closes, until the server is closed or the socket fails.
func (s *quicServer) listen(socket net.PacketConn, config *tls.Config) error {
	defer socket.Close()
	reset, token := s.proxy.tickets.quicKeys()
	transport := &quic.Transport{
		Conn:                socket,
		StatelessResetKey:   &reset,
		TokenGeneratorKey:   &token,
		VerifySourceAddress: func(net.Addr) bool { return s.pressed() },
		ConnContext:         s.admit,
	}
	defer transport.Close()
	listener, err := transport.Listen(config, s.config())
	if err != nil {
		return fmt.Errorf("serve HTTP/3 on %s: %w", socket.LocalAddr(), err)
	}
	for {
		conn, err := listener.Accept(s.draining)
		switch {
		case s.draining.Err() != nil:
			_ = listener.Close() // new connections are refused; those that are there go on
			<-s.ended
			return nil
		case err != nil:
			return fmt.Errorf("serve HTTP/3 on %s: %w", socket.LocalAddr(), err)
		}
		go s.converse(conn)
	}
}

// pressed reports whether clients must prove their address by a round trip more (Retry, RFC 9000 section 8.1.2).
func (s *quicServer) pressed() bool {
	return s.proxy.gate.crowded(int(s.handshakes.Load()), manyHandshakes)
}

var errRefused = errors.New("there are too many connections")

// admit has the gate count a connection whose handshake begins, until it ends in whatever way. Before the handshake is
// over it cannot be shut to make room.
func (s *quicServer) admit(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	gate := s.proxy.gate
	c := &quicConn{
		server:    s,
		admission: &admission{gate: gate, client: clientOf(info.RemoteAddr)},
		reading:   make(chan struct{}, unreadHeaders),
		serving:   make(chan struct{}, s.proxy.limits.streams),
	}
	if !gate.enter(c.admission, time.Now()) {
		return nil, errRefused
	}
	s.handshakes.Add(1)
	context.AfterFunc(ctx, func() {
		c.shake()
		gate.leave(c.admission)
	})
	return context.WithValue(withAdmission(ctx, c.admission), quicConnKey{}, c), nil
}

// context is that of a connection's requests. Unlike its own, by which it says goodbye, it is done when they are cut off.
func (s *quicServer) context(ctx context.Context, _ *quic.Conn) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	forget := context.AfterFunc(s.base, cancel)
	context.AfterFunc(ctx, func() { forget() })
	return ctx
}

// shutDown takes no more requests and returns when those in flight have ended, or with ctx's error.
func (s *quicServer) shutDown(ctx context.Context) error {
	s.drain()
	s.conns.close()
	return s.conns.wait(ctx)
}

// close lets go of the sockets, after shutDown and once requests have been cut off: their connections say goodbye first.
func (s *quicServer) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.conns.wait(ctx) // a handler that does not listen keeps its connection
	close(s.ended)
}
