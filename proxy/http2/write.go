package http2

import (
	"encoding/binary"
	"runtime"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	frameHeader = 9
	frameSize   = 16 << 10 // what a frame may hold at most: the least that peers may set
	recordSize  = 16 << 10 // of TLS
	mostPending = 4 * recordSize
	controlRoom = 3 * recordSize // beyond that: for frames that were larger, and for what the reader has to say
)

// urgency is how much of what is pending is to be written.
type urgency int

const (
	nothing urgency = iota
	records         // as much as fills records of TLS
	everything
)

// outbox is what waits to be written on a connection.
type outbox struct {
	buf    []byte
	block  []byte // a header's fields as they are encoded
	framer *http2.Framer
}

func newOutbox() *outbox {
	o := new(outbox)
	o.framer = http2.NewFramer(o, nil)
	return o
}

// Write is for the Framer.
func (o *outbox) Write(p []byte) (int, error) {
	o.buf = append(o.buf, p...)
	return len(p), nil
}

// A buffer that a header has made larger than this is not kept.
const mostKept = 2 * mostPending

// pools keep what connections and responses need for a moment only.
type pools struct{ outboxes, drafts, parts sync.Pool }

func (p *pools) outbox() *outbox {
	if o, ok := p.outboxes.Get().(*outbox); ok {
		return o
	}
	return newOutbox()
}

func (p *pools) putOutbox(o *outbox) {
	if cap(o.buf) <= mostKept && cap(o.block) <= mostKept {
		o.buf = o.buf[:0]
		p.outboxes.Put(o)
	}
}

// writer is what is pending on a connection, and who writes it. It is guarded by the connection's mutex.
type writer struct {
	out     *outbox // nil: nothing is pending
	taken   int64   // bytes that have gone before those
	due     urgency
	writing bool    // somebody writes, or is about to
	by      *stream // whose handler that is, if it is one's in the middle of a response
	hurried bool    // the Write has a deadline that is not the connection's own
	encoder *hpack.Encoder
}

// pending is where frames are appended.
func (c *conn) pending() *outbox {
	if c.out == nil {
		c.out = c.server.pools.outbox()
	}
	return c.out
}

func (c *conn) backlog() int {
	if c.out == nil {
		return 0
	}
	return len(c.out.buf)
}

// encoded is where the HPACK encoder writes to.
type encoded struct{ *conn }

func (e encoded) Write(p []byte) (int, error) {
	e.out.block = append(e.out.block, p...)
	return len(p), nil
}

// appendHeaders appends a header, in as many frames as it takes.
func (c *conn) appendHeaders(id uint32, end bool, lead hpack.HeaderField, fields []hpack.HeaderField) {
	o := c.pending()
	o.block = o.block[:0]
	if lead.Name != "" {
		_ = c.encoder.WriteField(lead) // into memory, as all that follows
	}
	for _, f := range fields {
		_ = c.encoder.WriteField(f)
	}
	block := o.block
	n := min(len(block), frameSize)
	_ = o.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: block[:n], EndStream: end, EndHeaders: n == len(block),
	})
	for block = block[n:]; len(block) > 0; block = block[n:] {
		n = min(len(block), frameSize)
		_ = o.framer.WriteContinuation(id, n == len(block), block[:n])
	}
}

// appendData appends a frame of data, without the detour through a Framer's buffer, and remembers where it is.
func appendData[T text](s *stream, data T) {
	o := s.conn.pending()
	s.tail = s.conn.taken + int64(len(o.buf))
	n := len(data)
	o.buf = append(o.buf, byte(n>>16), byte(n>>8), byte(n), byte(http2.FrameData), 0)
	o.buf = binary.BigEndian.AppendUint32(o.buf, s.id)
	o.buf = append(o.buf, data...)
}

// appendEnd ends a stream, by its last frame of data if that is still pending.
func (c *conn) appendEnd(s *stream) {
	if at := s.tail - c.taken; s.tail >= 0 && at >= 0 {
		c.out.buf[at+4] |= byte(http2.FlagDataEndStream)
		return
	}
	_ = c.pending().framer.WriteData(s.id, true, nil)
}

// writeOut has the caller write what is pending, unless somebody else does, who then goes on. by is the stream that the caller
// has more to do for, else nil. The mutex is released meanwhile.
func (c *conn) writeOut(by *stream, what urgency) {
	c.due = max(c.due, what)
	if c.writing || c.out == nil || c.err != nil {
		return
	}
	c.writing, c.by = true, by
	if c.queued.Load() > 0 { // what their handlers have to say goes along
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
	}
	c.write()
}

// write writes until nothing is due. Whoever has more to do does so once and leaves the rest to another goroutine.
func (c *conn) write() {
	for c.due > nothing && c.err == nil {
		o := c.take()
		if o == nil {
			break
		}
		c.mu.Unlock()
		_, err := c.net.Write(o.buf)
		c.server.pools.putOutbox(o)
		c.mu.Lock()
		if c.hurried && !c.ended {
			c.hurried = false
			_ = c.net.SetWriteDeadline(time.Time{})
		}
		if err != nil {
			c.fail(err)
		} else if c.by != nil && c.due > nothing && c.hand(job{conn: c}) {
			c.by = nil
			return
		}
	}
	c.writing, c.by = false, nil
	c.room.Broadcast()
	c.endIfDone()
}

// hurry gives the Write that is under way a last moment, and the connection with it.
func (c *conn) hurry() {
	if !c.hurried && !c.ended {
		c.hurried = true
		_ = c.net.SetWriteDeadline(time.Now().Add(partingTime))
	}
}

// take removes what is due from what is pending, and returns nil if that is nothing.
func (c *conn) take() *outbox {
	n := c.backlog()
	if c.due == records {
		n -= n % recordSize
	}
	c.due = nothing
	if n == 0 {
		return nil
	}
	o := c.out
	c.out = nil
	if rest := o.buf[n:]; len(rest) > 0 {
		_, _ = c.pending().Write(rest)
		o.buf = o.buf[:n]
	}
	c.taken += int64(n)
	c.room.Broadcast()
	return o
}

// relieve is the job of writing what is due, from somebody who had begun with that.
func (c *conn) relieve() {
	defer c.jobs.Done()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write()
}

// writeSoon has another goroutine write what is pending.
func (c *conn) writeSoon() {
	c.due = everything
	if c.writing || c.out == nil || c.err != nil {
		return
	}
	c.writing = c.hand(job{conn: c})
}

// hand has the crew do a job, and reports false when the connection takes no more of them.
func (c *conn) hand(j job) bool {
	if c.ended {
		return false
	}
	c.jobs.Add(1)
	c.server.crew.do(j)
	return true
}

// yield lets other streams that wait for the same have their turn.
func (c *conn) yield() {
	c.room.Broadcast()
	c.mu.Unlock()
	runtime.Gosched()
	c.mu.Lock()
}
