package proxy

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"berth/proxy/http1"
	"berth/proxy/http2"
)

// Sockets are what a Proxy answers on.
type Sockets struct {
	Plain  []net.Listener   // for HTTP
	Secure []net.Listener   // for HTTPS
	QUIC   []net.PacketConn // for HTTP/3, on the ports of Secure; none: it is not offered
}

// Serve answers on the sockets, which it closes, until ctx is done or one of them fails. It then takes no more
// connections, lets requests in flight end, cuts off those that do not end in time, and returns when all have ended.
// Upgraded connections, which have no end of their own, are closed once the other requests are done.
func (p *Proxy) Serve(ctx context.Context, on Sockets) error {
	base, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	defer p.relayHits()()
	s := p.servers(base)
	p.offer = offerOf(on.QUIC)

	failed := make(chan error, len(on.Plain)+len(on.Secure)+len(on.QUIC))
	var accepting sync.WaitGroup
	entrances := s.entrances(on)
	for _, e := range entrances {
		accepting.Go(func() { failed <- e.run() })
	}
	for _, socket := range on.QUIC {
		accepting.Go(func() { failed <- s.quic.listen(socket, p.quicTLS()) })
	}
	tending, stopTending := context.WithCancel(base)
	accepting.Go(func() { p.tickets.run(tending) })
	accepting.Go(func() { p.table.upstreams.checkUntil(tending) })

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stopTending()
	for _, e := range entrances {
		e.shut()
	}
	s.shutDown(ctx, abort)
	accepting.Wait()
	return err
}

// servers are those of each protocol.
type servers struct {
	proxy         *Proxy
	base          context.Context // of all requests
	plain, secure *http1.Server
	http2         *http2.Server
	quic          *quicServer
}

func (p *Proxy) servers(base context.Context) *servers {
	return &servers{
		proxy: p, base: base,
		plain: p.http1Server(p.servePlain), secure: p.http1Server(p.serveSecure), http2: p.http2Server(), quic: p.quicServer(base),
	}
}

func (s *servers) entrances(on Sockets) (all []*entrance) {
	for _, l := range on.Plain {
		all = append(all, s.proxy.entrance(l, nil, s.servePlain))
	}
	config := s.proxy.secureTLS()
	for _, l := range on.Secure {
		all = append(all, s.proxy.entrance(l, config, s.serveSecure))
	}
	return all
}

func (s *servers) servePlain(conn net.Conn, a *admission, _ *tls.ConnectionState) {
	s.plain.Serve(withAdmission(s.base, a), conn, nil)
}

// serveSecure goes by what the client has chosen in the handshake.
func (s *servers) serveSecure(conn net.Conn, a *admission, state *tls.ConnectionState) {
	ctx := withAdmission(s.base, a)
	switch state.NegotiatedProtocol {
	case "h2":
		s.http2.Serve(ctx, conn, state)
	case "", "http/1.1":
		s.secure.Serve(ctx, conn, state)
	default:
		_ = conn.Close() // a CA's validation by TLS-ALPN-01 is the handshake alone
	}
}

func (s *servers) shutDown(ctx context.Context, abort func()) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.proxy.limits.shutdown)
	defer cancel()
	var closing sync.WaitGroup
	for _, stop := range []func(context.Context) error{s.quic.shutDown, s.plain.Shutdown, s.secure.Shutdown, s.http2.Shutdown} {
		closing.Go(func() {
			if stop(ctx) != nil {
				s.proxy.log.Warn("requests did not end in time and are cut off", "requests", s.proxy.requests.count())
			}
		})
	}
	closing.Wait()
	abort()
	s.plain.Close()
	s.secure.Close()
	s.http2.Close()
	s.proxy.cache.Close()
	s.proxy.awaitHandlers(ctx)
	s.quic.close()
}

// awaitHandlers waits for what abort has told to end; a handler that does not listen cannot hold up the process.
func (p *Proxy) awaitHandlers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := p.requests.wait(ctx); err != nil {
		p.log.Warn("requests go on after they were cut off", "requests", p.requests.count())
	}
}

func (p *Proxy) http1Server(handler http.HandlerFunc) *http1.Server {
	return &http1.Server{
		Handler:        handler,
		MaxHeaderBytes: p.limits.headerBytes,
		HeaderTimeout:  p.limits.header,
		IdleTimeout:    p.limits.idle,
		State:          p.gate.changed,
		Log:            slog.NewLogLogger(p.log.Handler(), slog.LevelError),
	}
}

func (p *Proxy) http2Server() *http2.Server {
	return &http2.Server{
		Handler:        http.HandlerFunc(p.serveSecure),
		MaxStreams:     uint32(p.limits.streams),
		MaxHeaderBytes: p.limits.headerBytes,
		HeaderTimeout:  p.limits.header,
		IdleTimeout:    p.limits.idle,
		State:          p.gate.changed,
		Log:            slog.NewLogLogger(p.log.Handler(), slog.LevelError),
	}
}
