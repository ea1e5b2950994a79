package http2

import (
	"errors"
	"slices"

	"golang.org/x/net/http2"
)

// readFrame reads a frame and does what it says. What is wrong with one stream ends that stream; any other error ends the
// connection.
func (c *conn) readFrame() error {
	head, err := c.framer.ReadFrameHeader()
	if err != nil {
		return err
	}
	if head.Type == http2.FrameHeaders && c.block.id == 0 && (!head.Flags.Has(http2.FlagHeadersEndHeaders) || c.in.Buffered() < int(head.Length)) {
		c.expectHeader()
	}
	return c.readPayload(head)
}

func (c *conn) readPayload(head http2.FrameHeader) error {
	frame, err := c.framer.ReadFrameForHeader(head)
	if err == nil {
		err = c.handle(frame)
	}
	if err == nil {
		return nil
	}
	return c.judge(err, head.Type == http2.FrameHeaders && frame == nil)
}

// judge tells what is wrong with a stream from what is wrong with the connection. A header that was lost is the latter: it may
// have changed the compression's tables.
func (c *conn) judge(err error, headerLost bool) error {
	var fault http2.StreamError
	switch {
	case !errors.As(err, &fault):
		return err
	case headerLost:
		return http2.ConnectionError(fault.Code)
	}
	return c.fault(fault)
}

// expectHeader bounds the time for a header that has begun.
func (c *conn) expectHeader() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remind(&c.headerDue, c.server.HeaderTimeout)
}

func (c *conn) handle(frame http2.Frame) error {
	id := frame.Header().StreamID
	switch f := frame.(type) {
	case *http2.DataFrame:
		return c.data(f)
	case *http2.HeadersFrame:
		return c.header(f)
	case *http2.ContinuationFrame:
		return c.addBlock(f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.WindowUpdateFrame:
		if f.Increment < crumb {
			if err := c.tolerate(); err != nil {
				return err
			}
		}
		return c.open(id, int64(f.Increment))
	case *http2.RSTStreamFrame:
		return c.reset(id)
	case *http2.PushPromiseFrame:
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	if err := c.tolerate(); err != nil {
		return err
	}
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		return c.settings(f)
	case *http2.PingFrame:
		return c.ping(f)
	case *http2.PriorityFrame:
		if f.StreamDep == id {
			return http2.StreamError{StreamID: id, Code: http2.ErrCodeProtocol}
		}
	case *http2.GoAwayFrame:
		c.shutDown()
	}
	return nil
}

// tolerate counts a frame that brings nobody anything.
func (c *conn) tolerate() error {
	if !c.chatter.spend() {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	return nil
}

// answer waits until there is room for a frame that the reader is to append. A client that does not take answers is not read.
func (c *conn) answer() *http2.Framer {
	for c.backlog() >= mostPending+controlRoom && c.err == nil {
		c.writeSoon()
		c.room.Wait()
	}
	f := c.pending().framer
	c.writeSoon() // which waits for the mutex
	return f
}

func (c *conn) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := f.ForeachSetting(c.set); err != nil {
		return err
	}
	return c.answer().WriteSettingsAck()
}

func (c *conn) set(setting http2.Setting) error {
	if err := setting.Valid(); err != nil {
		return err
	}
	switch setting.ID {
	case http2.SettingHeaderTableSize:
		c.encoder.SetMaxDynamicTableSize(min(setting.Val, tableSize))
	case http2.SettingInitialWindowSize:
		return c.openAll(int64(setting.Val))
	}
	return nil // larger frames are not sent, and nothing is pushed
}

func (c *conn) ping(f *http2.PingFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !f.IsAck():
		return c.answer().WritePing(true, f.Data)
	case c.leaving && f.Data == parting:
		c.refuse()
	}
	return nil
}

func (c *conn) data(f *http2.DataFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, size := f.StreamID, int64(f.Length)
	if !receive(&c.incoming, size) {
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	c.widen()
	if len(f.Data()) > 0 {
		c.chatter.earn(1)
	} else if !f.StreamEnded() {
		if err := c.tolerate(); err != nil {
			return err
		}
	}
	s := c.streams[id]
	switch {
	case s == nil:
		c.giveBack(size)
		return c.known(id)
	case s.whole:
		c.giveBack(size)
		return http2.StreamError{StreamID: id, Code: http2.ErrCodeStreamClosed}
	case !receive(&s.incoming, size):
		c.giveBack(size)
		return http2.StreamError{StreamID: id, Code: http2.ErrCodeFlowControl}
	}
	if !s.arrived(f.Data(), size, f.StreamEnded()) {
		c.giveBack(size)
		return http2.StreamError{StreamID: id, Code: http2.ErrCodeProtocol}
	}
	return nil
}

// idle reports whether nobody has opened a stream, nor may have: of those that come when no more are served, nothing is kept.
func (c *conn) idle(id uint32) bool { return id%2 == 0 || id > c.last && !c.refusing }

// known tells what a frame means on a stream that is not open: nothing where the client may not know that yet.
func (c *conn) known(id uint32) error {
	switch {
	case c.idle(id):
		return http2.ConnectionError(http2.ErrCodeProtocol)
	case id > c.last || slices.Contains(c.over[:], id):
		return nil
	}
	return http2.StreamError{StreamID: id, Code: http2.ErrCodeStreamClosed}
}

// reset is the client's RST_STREAM.
func (c *conn) reset(id uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle(id) {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	s := c.streams[id]
	if s == nil {
		return c.tolerate()
	}
	s.abandon(errReset)
	return c.endure()
}

var errReset = errors.New("http2: the client has reset the stream")

// endure counts a stream that has ended early, against those that have not.
func (c *conn) endure() error {
	if c.resets.spend() {
		return nil
	}
	c.resets.earn(c.completed)
	c.completed = 0
	if !c.resets.spend() {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	return nil
}

// fault resets a stream for what the client has done.
func (c *conn) fault(f http2.StreamError) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.streams[f.StreamID]; s != nil {
		s.abandon(f)
	}
	c.answer()
	c.appendReset(f.StreamID, f.Code)
	return c.endure()
}

// appendReset ends a stream that the client may still send on.
func (c *conn) appendReset(id uint32, code http2.ErrCode) {
	_ = c.pending().framer.WriteRSTStream(id, code)
	c.over[c.nextOver] = id
	c.nextOver = (c.nextOver + 1) % remembered
}
