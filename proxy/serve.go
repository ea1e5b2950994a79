package proxy

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
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
	plain, secure, quic := p.plainServer(base), p.secureServer(base), p.quicServer(base)
	p.offer = offerOf(on.QUIC)

	failed := make(chan error, len(on.Plain)+len(on.Secure)+len(on.QUIC))
	var accepting sync.WaitGroup
	for _, l := range on.Plain {
		accepting.Go(func() { failed <- serve(plain, p.entrance(l, nil, plain.ErrorLog)) })
	}
	config := p.secureTLS()
	for _, l := range on.Secure {
		accepting.Go(func() { failed <- serve(secure, p.entrance(l, config, secure.ErrorLog)) })
	}
	for _, socket := range on.QUIC {
		accepting.Go(func() { failed <- quic.listen(socket, p.quicTLS()) })
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
	p.shutDown(ctx, abort, quic, plain, secure)
	accepting.Wait()
	return err
}

func serve(server *http.Server, l net.Listener) error {
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	}
	return nil
}

func (p *Proxy) shutDown(ctx context.Context, abort func(), quic *quicServer, servers ...*http.Server) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.limits.shutdown)
	defer cancel()
	var closing sync.WaitGroup
	stops := []func(context.Context) error{quic.shutDown}
	for _, server := range servers {
		stops = append(stops, server.Shutdown)
	}
	for _, stop := range stops {
		closing.Go(func() {
			if stop(ctx) != nil {
				p.log.Warn("requests did not end in time and are cut off", "requests", p.requests.count())
			}
		})
	}
	closing.Wait()
	abort()
	for _, server := range servers {
		_ = server.Close() // the listeners are closed already; this is for the connections
	}
	p.cache.Close()
	p.awaitHandlers(ctx)
	quic.close()
}

// awaitHandlers waits for what abort has told to end; a handler that does not listen cannot hold up the process.
func (p *Proxy) awaitHandlers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := p.requests.wait(ctx); err != nil {
		p.log.Warn("requests go on after they were cut off", "requests", p.requests.count())
	}
}

// frameSize is what a frame of HTTP/2 may hold: the least that there is, and what clients use. Each connection keeps as much.
const frameSize = 16 << 10

func (p *Proxy) secureServer(base context.Context) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Server{
		Handler:           http.HandlerFunc(p.serveSecure),
		Protocols:         protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: p.limits.streams, MaxReadFrameSize: frameSize},
		ReadHeaderTimeout: p.limits.header,
		IdleTimeout:       p.limits.idle,
		MaxHeaderBytes:    p.limits.headerBytes,
		ConnState:         p.gate.changed,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       knownConn,
		ErrorLog:          log.New(newServerLog(p.log), "", 0),
	}
}

// plainServer mostly redirects, and nothing of that may take long; see unhurried for what else it does.
func (p *Proxy) plainServer(base context.Context) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:        http.HandlerFunc(p.servePlain),
		Protocols:      protocols,
		ReadTimeout:    p.limits.header,
		WriteTimeout:   p.limits.header,
		IdleTimeout:    p.limits.idle,
		MaxHeaderBytes: p.limits.headerBytes,
		ConnState:      p.gate.changed,
		BaseContext:    func(net.Listener) context.Context { return base },
		ErrorLog:       log.New(newServerLog(p.log), "", 0),
	}
}

// knownConn is a ConnContext of http.Server.
func knownConn(ctx context.Context, conn net.Conn) context.Context {
	c := connOf(conn)
	if c == nil {
		return ctx
	}
	if strict, ok := conn.(*strictConn); ok {
		c.tls = strict.tls
	}
	return withAdmission(ctx, c.admission)
}
