package proxy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// unreadHeaders is how many headers of one connection may be incomplete at a time: each can take the memory of a full one.
const unreadHeaders = 8

// quicConn is one connection of HTTP/3.
type quicConn struct {
	*admission
	server  *quicServer
	shaken  sync.Once     // the handshake is over
	reading chan struct{} // holds one for each request whose header is incomplete
	serving chan struct{} // holds one for each request until its handler is done: a stream that is reset frees no place
	unread  sync.Map      // by stream: those that reading counts

	mu       sync.Mutex
	requests int
}

type quicConnKey struct{}

func (c *quicConn) shake() { c.shaken.Do(func() { c.server.handshakes.Add(-1) }) }

// converse serves a connection until it ends or the server drains.
func (s *quicServer) converse(conn *quic.Conn) {
	c := conn.Context().Value(quicConnKey{}).(*quicConn)
	c.shake()
	goodbye := func() { _ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") }
	defer goodbye()
	talk, err := s.http.NewRawServerConn(conn)
	if err != nil || !s.conns.enter() {
		return
	}
	defer s.conns.leave()
	c.shut = goodbye
	c.wait() // from here on it can make room for others

	var streams sync.WaitGroup
	streams.Go(func() { c.acceptOneWay(conn, talk) })
	var handlers sync.WaitGroup
	c.acceptRequests(conn, talk, &handlers)
	streams.Go(func() { rejectRequests(conn) })
	handlers.Wait()
	c.linger(conn)
	goodbye()
	streams.Wait()
}

// deliver is how long the end of a response may take to its client: nobody says when it has arrived, and closing the
// connection would stop it.
const deliver = time.Second

// linger waits until the last response can have arrived.
func (c *quicConn) linger(conn *quic.Conn) {
	ended := time.Unix(0, c.waiting.Load())
	limit := max(deliver, 4*conn.ConnectionStats().SmoothedRTT)
	timer := time.NewTimer(time.Until(ended.Add(limit)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-conn.Context().Done():
	case <-c.server.base.Done():
	}
}

// acceptOneWay takes the client's control stream and those of QPACK.
func (c *quicConn) acceptOneWay(conn *quic.Conn, talk *http3.RawServerConn) {
	for {
		str, err := conn.AcceptUniStream(conn.Context())
		if err != nil {
			return
		}
		go talk.HandleUnidirectionalStream(str) // ends with the connection
	}
}

// acceptRequests has requests handled until the connection ends or the server drains.
func (c *quicConn) acceptRequests(conn *quic.Conn, talk *http3.RawServerConn, handlers *sync.WaitGroup) {
	for {
		str, err := conn.AcceptStream(c.server.draining)
		if err != nil {
			return
		}
		if !c.take(conn.Context(), c.reading) || !c.take(conn.Context(), c.serving) {
			reject(str)
			return
		}
		id := str.StreamID()
		c.unread.Store(id, nil)
		_ = str.SetReadDeadline(time.Now().Add(c.server.proxy.limits.header)) // fails on no stream
		handlers.Go(func() {
			talk.HandleRequestStream(str)
			c.headerRead(id) // if it never was
			<-c.serving
		})
	}
}

// take waits for a place, in vain when the connection ends or the server drains.
func (c *quicConn) take(ctx context.Context, places chan<- struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	case <-ctx.Done():
	case <-c.server.draining.Done():
	}
	return false
}

func (c *quicConn) headerRead(id quic.StreamID) {
	if _, there := c.unread.LoadAndDelete(id); there {
		<-c.reading
	}
}

// rejectRequests tells the client of a connection that drains to ask elsewhere (RFC 9114 section 4.1.1).
func rejectRequests(conn *quic.Conn) {
	for {
		str, err := conn.AcceptStream(conn.Context())
		if err != nil {
			return
		}
		reject(str)
	}
}

func reject(str *quic.Stream) {
	str.ReleaseStreamCredit()
	str.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestRejected))
	str.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestRejected))
}

// serve answers a request whose header is complete.
func (s *quicServer) serve(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(quicConnKey{}).(*quicConn)
	if body, ok := r.Body.(interface{ StreamID() quic.StreamID }); ok {
		c.headerRead(body.StreamID())
	}
	c.begin()
	defer c.end()
	control := http.NewResponseController(w)
	settleBody(r)
	_ = control.SetReadDeadline(time.Time{}) // was for the header; both work on every stream
	defer func() { _ = control.SetWriteDeadline(time.Now().Add(s.proxy.limits.stall)) }()
	s.proxy.serveSecure(w, r)
}

func (c *quicConn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	c.admission.serve()
}

func (c *quicConn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.requests--; c.requests == 0 {
		c.wait()
	}
}

// settleBody finds out whether a request of unknown length has a body at all: HTTP/3 tells by the end of the stream alone,
// and others by the header. Methods that usually have one are taken to.
func settleBody(r *http.Request) {
	switch {
	case r.ContentLength == 0:
		r.Body = http.NoBody
		return
	case r.ContentLength > 0, r.Method == http.MethodPost, r.Method == http.MethodPut, r.Method == http.MethodPatch:
		return
	}
	var first [1]byte
	n, err := r.Body.Read(first[:])
	switch {
	case n > 0:
		r.Body = prefixed{io.MultiReader(bytes.NewReader(first[:n]), r.Body), r.Body}
	case err == io.EOF:
		r.Body, r.ContentLength = http.NoBody, 0
	}
}

// prefixed is a body of which something was read.
type prefixed struct {
	io.Reader
	io.Closer
}
