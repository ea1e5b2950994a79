package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"sync"
	"time"
)

// entrance accepts connections that are ready for requests: a balancer has said whose they are, the gate has admitted them, TLS
// is set up, and what they speak is HTTP/2 or strictly HTTP/1. A connection that takes its time over that holds up no other.
type entrance struct {
	net.Listener
	proxy  *Proxy
	config *tls.Config // nil: without TLS
	log    *log.Logger // of failed handshakes

	accepted chan acceptance
	closed   context.Context
	close    context.CancelFunc
	working  sync.WaitGroup
}

type acceptance struct {
	conn net.Conn
	err  error
}

func (p *Proxy) entrance(l net.Listener, config *tls.Config, logger *log.Logger) *entrance {
	e := &entrance{Listener: l, proxy: p, config: config, log: logger, accepted: make(chan acceptance)}
	e.closed, e.close = context.WithCancel(context.Background())
	e.working.Go(e.run)
	return e
}

func (e *entrance) Accept() (net.Conn, error) {
	select {
	case a := <-e.accepted:
		return a.conn, a.err
	case <-e.closed.Done():
		return nil, net.ErrClosed
	}
}

// Close returns when no connection is left that was not accepted.
func (e *entrance) Close() error {
	e.close()
	err := e.Listener.Close()
	e.working.Wait()
	return err
}

func (e *entrance) run() {
	for e.closed.Err() == nil {
		conn, err := e.Listener.Accept()
		switch {
		case err != nil:
			e.hand(nil, err)
		case e.proxy.balancers.contain(addrOf(conn.RemoteAddr())):
			e.working.Go(func() { e.introduce(conn) })
		default:
			e.enter(conn)
		}
	}
}

// hand gives a connection, or why there is none, to whoever accepts.
func (e *entrance) hand(conn net.Conn, err error) {
	select {
	case e.accepted <- acceptance{conn, err}:
	case <-e.closed.Done():
		if conn != nil {
			_ = conn.Close()
		}
	}
}

// within has a step of limited time with a connection, which the listener's end ends, too.
func (e *entrance) within(conn net.Conn, step func() error) error {
	defer context.AfterFunc(e.closed, func() { _ = conn.Close() })()
	_ = conn.SetDeadline(time.Now().Add(e.proxy.limits.header)) // fails on no connection of TCP
	err := step()
	_ = conn.SetDeadline(time.Time{})
	return err
}

// enter has the gate admit a connection and the rest done beside others.
func (e *entrance) enter(conn net.Conn) {
	c := e.proxy.gate.admit(&pacedConn{Conn: conn, stall: e.proxy.limits.stall}, time.Now())
	switch {
	case c == nil:
		_ = conn.Close()
	case e.config == nil:
		e.working.Go(func() { e.hand(&strictConn{Conn: c}, nil) })
	default:
		e.working.Go(func() { e.secure(c) })
	}
}

// secure sets up TLS.
func (e *entrance) secure(c *clientConn) {
	conn := tls.Server(c, e.config)
	ctx := withAdmission(e.closed, c.admission)
	if err := e.within(conn, func() error { return conn.HandshakeContext(ctx) }); err != nil {
		if e.closed.Err() == nil {
			e.log.Printf("http: TLS handshake error from %s: %v", c.RemoteAddr(), err)
		}
		explainTLS(err)
		_ = c.Close()
		return
	}
	state := conn.ConnectionState()
	if protocol := state.NegotiatedProtocol; protocol != "" && protocol != "http/1.1" {
		e.hand(conn, nil) // net/http goes by the protocol
		return
	}
	e.hand(&strictConn{Conn: conn, tls: &state}, nil)
}

// explainTLS tells a client that speaks HTTP on the port for HTTPS.
func explainTLS(err error) {
	var record tls.RecordHeaderError
	if !errors.As(err, &record) || record.Conn == nil || record.RecordHeader[0] < 'A' || record.RecordHeader[0] > 'Z' {
		return
	}
	const answer = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThis port is for HTTPS.\n"
	_, _ = io.WriteString(record.Conn, answer) // a client that has gone needs no answer
}
