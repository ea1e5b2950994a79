package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"time"
)

// entrance accepts connections and makes them ready for requests: a balancer says whose they are, the gate admits them, and
// TLS is set up. A connection that takes its time over that holds up no other.
type entrance struct {
	net.Listener
	proxy  *Proxy
	config *tls.Config // nil: without TLS
	// converse answers what comes on a connection until it ends. state is nil without TLS.
	converse func(conn net.Conn, a *admission, state *tls.ConnectionState)

	handshakes sampler // of those that failed
	failures   sampler // to accept

	closed  context.Context
	close   context.CancelFunc
	working sync.WaitGroup // connections that are not ready
}

type converse = func(net.Conn, *admission, *tls.ConnectionState)

func (p *Proxy) entrance(l net.Listener, config *tls.Config, then converse) *entrance {
	e := &entrance{
		Listener: l, proxy: p, config: config, converse: then,
		handshakes: sampler{every: time.Second}, failures: sampler{every: 10 * time.Second},
	}
	e.closed, e.close = context.WithCancel(context.Background())
	return e
}

// shut takes no more connections, and returns when none is left that is not ready.
func (e *entrance) shut() {
	e.close()
	_ = e.Listener.Close() // which is all that can be done about it
	e.working.Wait()
}

// run returns nil once the entrance is shut, or what the listener fails with for good.
func (e *entrance) run() error {
	var pause time.Duration
	for {
		conn, err := e.Listener.Accept()
		switch {
		case e.closed.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("serve on %s: %w", e.Addr(), err)
		case err != nil:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			e.failed(err)
			e.rest(pause)
		default:
			pause = 0
			e.working.Add(1)
			go e.receive(conn)
		}
	}
}

// failed logs that there are connections that cannot be accepted, such as for want of descriptors.
func (e *entrance) failed(err error) {
	if omitted, due := e.failures.due(time.Now()); due {
		e.proxy.log.Error("connections cannot be accepted", "error", err, "omitted", omitted)
	}
}

func (e *entrance) rest(pause time.Duration) {
	select {
	case <-time.After(pause):
	case <-e.closed.Done():
	}
}

// receive makes a connection ready and serves it.
func (e *entrance) receive(conn net.Conn) {
	ready := sync.OnceFunc(e.working.Done)
	defer ready()
	c := e.admitted(conn)
	if c == nil {
		return
	}
	defer e.contain(c)
	if e.config == nil {
		ready()
		e.converse(c, c.admission, nil)
		return
	}
	if over, state := e.secure(c); state != nil {
		ready()
		e.converse(over, c.admission, state)
	}
}

// contain keeps a panic to the connection that it comes of, as net/http does. Those of handlers do not get here.
func (e *entrance) contain(c *clientConn) {
	if cause := recover(); cause != nil {
		e.proxy.log.Error("a connection's panic", "client", c.RemoteAddr(), "cause", cause, "stack", string(debug.Stack()))
		_ = c.Close()
	}
}

// admitted is a connection as its client's, or nil where there is nothing to serve; it is closed then.
func (e *entrance) admitted(conn net.Conn) *clientConn {
	if e.proxy.balancers.contain(addrOf(conn.RemoteAddr())) {
		if conn = e.introduced(conn); conn == nil {
			return nil
		}
	}
	c := e.proxy.gate.admit(&pacedConn{Conn: conn, stall: e.proxy.limits.stall}, time.Now())
	if c == nil {
		_ = conn.Close()
	}
	return c
}

// within has a step of limited time with a connection, which the entrance's end ends, too.
func (e *entrance) within(conn net.Conn, step func() error) error {
	defer context.AfterFunc(e.closed, func() { _ = conn.Close() })()
	_ = conn.SetDeadline(time.Now().Add(e.proxy.limits.header)) // fails on no connection of TCP
	err := step()
	_ = conn.SetDeadline(time.Time{})
	return err
}

// secure sets up TLS. Where that fails the connection is closed, and there is no state.
func (e *entrance) secure(c *clientConn) (securedConn, *tls.ConnectionState) {
	conn := secured(c, e.config)
	ctx := withAdmission(e.closed, c.admission)
	if err := e.within(conn, func() error { return conn.HandshakeContext(ctx) }); err != nil {
		e.unsecured(c, err)
		explainTLS(err)
		_ = c.Close()
		return conn, nil
	}
	state := conn.ConnectionState()
	return conn, &state
}

// unsecured notes a failed handshake, of which every scanner makes thousands.
func (e *entrance) unsecured(c net.Conn, err error) {
	if e.closed.Err() != nil {
		return
	}
	if omitted, due := e.handshakes.due(time.Now()); due {
		e.proxy.log.Debug("TLS handshake failed", "client", c.RemoteAddr(), "error", err, "omitted", omitted)
	}
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
