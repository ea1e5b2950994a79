package http2

import (
	"io"
	"net/http"
	"os"

	"golang.org/x/net/http2/hpack"
)

// body is a request's body, as much as has come and is not read. All is guarded by the connection's mutex.
type body struct {
	stream   *stream
	queue    queue // what has come and is not read
	length   int64 // that is declared, or -1
	received int64
	err      error // what follows the data; nil: more is to come
	closed   bool
	trailer  http.Header
}

// arrived takes in data of a frame of a size, and reports false when that is not the body that was declared.
func (s *stream) arrived(data []byte, size int64, end bool) bool {
	b := &s.body
	b.received += int64(len(data))
	s.whole = end
	if b.length >= 0 && (b.received > b.length || end && b.received < b.length) {
		return false
	}
	if b.closed || b.length == 0 {
		s.conn.giveBack(size)
	} else {
		s.returning += size - int64(len(data)) // padding, which nobody reads
		s.conn.giveBack(size - int64(len(data)))
		b.queue.put(data, &s.conn.server.pools)
	}
	if end {
		b.err = io.EOF
	}
	s.wake.Broadcast()
	return true
}

// Read waits for data; the first one has the client told to send it, if it asks.
func (b *body) Read(p []byte) (int, error) {
	s := b.stream
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.sayContinue()
	for b.queue.empty() {
		switch {
		case b.closed:
			return 0, http.ErrBodyReadAfterClose
		case b.err != nil:
			b.passTrailer()
			return 0, b.err
		case s.readLate:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		}
		s.wake.Wait()
	}
	n := b.queue.take(p, &s.conn.server.pools)
	s.giveBack(int64(n))
	return n, nil
}

// Close gives up what has not been read.
func (b *body) Close() error {
	b.stream.conn.mu.Lock()
	defer b.stream.conn.mu.Unlock()
	b.closed = true
	b.drop()
	b.stream.wake.Broadcast()
	return nil
}

// drop forgets what has not been read.
func (b *body) drop() {
	c, left := b.stream.conn, 0
	for !b.queue.empty() {
		left += b.queue.drop(&c.server.pools)
	}
	c.giveBack(int64(left))
}

// fail ends a body that has not been read whole.
func (b *body) fail(err error) {
	if b.err == nil || !b.queue.empty() {
		b.err = err
	}
	b.drop()
}

// passTrailer gives the handler the fields that were announced, as net/http does.
func (b *body) passTrailer() {
	for name, values := range b.trailer {
		if _, announced := b.stream.request.Trailer[name]; announced {
			b.stream.request.Trailer[name] = values
		}
	}
	b.trailer = nil
}

// sayContinue tells a client that waits for it to send the body.
func (s *stream) sayContinue() {
	if s.expects && !s.headed && !s.whole && s.err == nil && s.body.received == 0 {
		s.conn.appendHeaders(s.id, false, hpack.HeaderField{Name: ":status", Value: "100"}, nil)
		s.conn.writeSoon()
	}
	s.expects = false
}
