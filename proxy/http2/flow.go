package http2

import (
	"cmp"
	"time"

	"golang.org/x/net/http2"
)

const (
	initialWindow = 1<<16 - 1
	mostWindow    = 1<<31 - 1
	streamWindow  = 512 << 10 // of a body that nobody reads: half of what the connection's bodies may hold together
	connWindow    = 1 << 20   // once there are large ones, and if there is room for them
)

// flow is a connection's part in flow control, guarded by its mutex.
type flow struct {
	window    int64 // what may be sent on all streams
	opening   int64 // what may be sent on a stream when it opens
	width     int64 // what the client may send at a time
	incoming  int64 // what the client may still send
	returning int64 // what was read and the client does not know of yet
}

func newFlow() flow {
	return flow{window: initialWindow, opening: initialWindow, width: initialWindow, incoming: initialWindow}
}

// widen opens the connection's window when it gets narrow, unless the bodies of all connections might take too much then.
func (c *conn) widen() {
	const more = connWindow - initialWindow
	if c.width == connWindow || c.incoming > initialWindow/2 {
		return
	}
	if c.server.wide.Add(more) > c.server.maxBodies() {
		c.server.wide.Add(-more)
		return
	}
	c.width = connWindow
	c.incoming += more
	_ = c.pending().framer.WriteWindowUpdate(0, more)
	c.writeSoon()
}

// narrow is called when there are no bodies any more.
func (c *conn) narrow() {
	c.server.wide.Add(initialWindow - c.width)
	c.width = initialWindow
}

// receive takes n bytes of data off a window.
func receive(incoming *int64, n int64) bool {
	*incoming -= n
	return *incoming >= 0
}

// giveBack opens the connection's window by what is not kept any more, when that is worth a frame.
func (c *conn) giveBack(n int64) {
	c.returning += n
	if c.returning < c.width/4 {
		return
	}
	_ = c.pending().framer.WriteWindowUpdate(0, uint32(c.returning))
	c.incoming += c.returning
	c.returning = 0
	c.writeSoon()
}

// giveBack opens the stream's window and the connection's by what the handler has read. It does not write: a handler that waits for
// its request must not be held up by others' responses.
func (s *stream) giveBack(n int64) {
	s.conn.giveBack(n)
	s.returning += n
	if s.returning < streamWindow/4 || s.whole || s.err != nil {
		return
	}
	_ = s.conn.pending().framer.WriteWindowUpdate(s.id, uint32(s.returning))
	s.incoming += s.returning
	s.returning = 0
	s.conn.writeSoon()
}

// open is a WINDOW_UPDATE.
func (c *conn) open(id uint32, by int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id == 0 {
		if c.window += by; c.window > mostWindow {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
		c.room.Broadcast()
		return nil
	}
	if c.idle(id) {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	s := c.streams[id]
	if s == nil {
		return c.tolerate() // it has ended meanwhile
	}
	if s.window += by; s.window > mostWindow {
		return http2.StreamError{StreamID: id, Code: http2.ErrCodeFlowControl}
	}
	s.wake.Broadcast()
	return nil
}

// openAll is a change of the setting that says how much may be sent on a stream when it opens.
func (c *conn) openAll(window int64) error {
	by := window - c.opening
	c.opening = window
	for _, s := range c.streams {
		if s.window += by; s.window > mostWindow {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
		s.wake.Broadcast()
	}
	return nil
}

// text is what bodies are written from.
type text interface{ ~string | ~[]byte }

// send appends data of a response's body, as windows and room allow. The caller has the connection's mutex.
func send[T text](s *stream, data T) error {
	c := s.conn
	for len(data) > 0 {
		n, err := s.allowance(len(data))
		if err != nil {
			return err
		}
		appendData(s, data[:n])
		s.window -= int64(n)
		c.window -= int64(n)
		data = data[n:]
		if c.waiting > 0 && len(data) > 0 {
			c.yield()
		}
	}
	if c.backlog() >= recordSize {
		c.writeOut(s, records)
	}
	return s.err
}

// allowance waits until some of n bytes can be sent, and returns how many fit into one frame and, with it, into one record.
func (s *stream) allowance(n int) (int, error) {
	c := s.conn
	for {
		if err := s.awaitRoom(); err != nil {
			return 0, err
		}
		switch {
		case min(s.window, c.window) > 0:
			left := recordSize - c.backlog()%recordSize - frameHeader
			if left < min(n, crumb) {
				left = frameSize
			}
			return int(min(int64(min(n, left)), s.window, c.window)), nil
		case c.backlog() > 0 && !c.writing: // nobody else may come to write it
			c.writeOut(s, everything)
		case s.window <= 0:
			c.due = everything
			s.boundEnd()
			s.wake.Wait()
		default:
			c.due = everything
			s.boundEnd()
			c.await()
		}
	}
}

// boundEnd bounds the wait of a response whose handler has returned, and so sets no deadlines any more.
func (s *stream) boundEnd() {
	if idle := s.conn.server.IdleTimeout; s.returned && s.writes == nil && idle > 0 {
		s.newDeadline(time.Now().Add(idle), &s.writes, s.writesEnd)
	}
}

// awaitRoom waits until there is room for a frame. Who has written what was pending has room, however much others have added
// meanwhile: they would have it write for them without end.
func (s *stream) awaitRoom() error {
	c := s.conn
	for s.err == nil && c.err == nil && c.backlog() >= mostPending-frameHeader {
		if !c.writing {
			c.writeOut(s, records)
			break
		}
		c.await()
	}
	return cmp.Or(s.err, c.err)
}

// await waits for room, or for the connection's window to open.
func (c *conn) await() {
	c.waiting++
	c.room.Wait()
	c.waiting--
}
