package http2

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	readBuffer   = 2 << 10     // some requests; data goes past it
	partingTime  = time.Second // for a client to read why it is being left, or to answer that it has read so
	partingBytes = 256 << 10   // that are read of it meanwhile
	lastStream   = 1<<31 - 1   // that there can be
	tableSize    = 4 << 10     // of HPACK, each way
	remembered   = 128         // streams that are over for us and not yet for the client: as many as are served at a time
)

// conn is a connection.
type conn struct {
	server *Server
	net    net.Conn
	tls    *tls.ConnectionState
	base   context.Context
	remote string
	queued atomic.Int32   // requests whose handler has yet to begin
	jobs   sync.WaitGroup // that the crew does

	reader // of Serve's goroutine alone

	mu        sync.Mutex
	room      sync.Cond          // waits for room in what is pending, a window of the connection, or the end of writing
	waiting   int                // streams that wait for one of the first two
	streams   map[uint32]*stream // whose handlers run and that are not reset
	handlers  uint32             // that run
	completed int                // responses that have ended as they should since somebody asked
	last      uint32             // stream that was opened
	over      [remembered]uint32 // streams that we have reset
	nextOver  int
	flow
	writer
	clockwork
	leaving  bool  // the client is asked to open no more streams
	refusing bool  // it is told that no more will be served
	ended    bool  // nothing is read any more
	err      error // nothing can be written any more
}

// reader is what reads frames.
type reader struct {
	in      *bufio.Reader
	framer  *http2.Framer
	block   block
	chatter budget
	resets  budget
}

func newConn(ctx context.Context, s *Server, nc net.Conn, state *tls.ConnectionState) *conn {
	c := &conn{server: s, net: nc, tls: state, base: ctx, remote: nc.RemoteAddr().String()}
	c.room.L = &c.mu
	c.streams = make(map[uint32]*stream)
	c.in = bufio.NewReaderSize(nc, readBuffer)
	c.framer = http2.NewFramer(nil, c.in)
	c.framer.SetReuseFrames()
	c.framer.SetMaxReadFrameSize(frameSize)
	c.block = newBlock(s.maxHeaderBytes())
	c.block.decoder.SetEmitFunc(c.block.emit)
	c.chatter.most, c.resets.most = chatterMost, resetsMost
	c.encoder = hpack.NewEncoder(encoded{c})
	c.flow = newFlow()
	c.startClock()
	c.greet()
	return c
}

// serve reads until the connection has ended, and waits for its handlers.
func (c *conn) serve() {
	defer context.AfterFunc(c.base, c.cancelAll)()
	c.mu.Lock()
	c.writeOut(nil, everything)
	c.mu.Unlock()
	c.end(c.read())
	c.jobs.Wait()
}

// read reads until the connection has ended. A fault of ours costs the connection and not the process.
func (c *conn) read() (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			c.server.logf("http2: panic reading from %s: %v\n%s", c.remote, fault, debug.Stack())
			err = http2.ConnectionError(http2.ErrCodeInternal)
		}
	}()
	for err = c.expectPreface(); err == nil; {
		err = c.readFrame()
	}
	return err
}

// greet tells the client what it may do, before anything else is said.
func (c *conn) greet() {
	_ = c.pending().framer.WriteSettings(
		http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: c.server.maxStreams()},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: uint32(c.server.maxHeaderBytes())},
	)
}

func (c *conn) expectPreface() error {
	var preface [len(http2.ClientPreface)]byte
	if _, err := io.ReadFull(c.in, preface[:]); err != nil {
		return err
	}
	if !bytes.Equal(preface[:], []byte(http2.ClientPreface)) {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	head, err := c.framer.ReadFrameHeader()
	if err != nil {
		return err
	}
	if head.Type != http2.FrameSettings || head.Flags.Has(http2.FlagSettingsAck) {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	defer c.settled()
	return c.readPayload(head)
}

// end says goodbye, and closes the connection. cause is why nothing is read any more.
func (c *conn) end(cause error) {
	c.mu.Lock()
	c.ended = true
	c.stopClock()
	for _, s := range c.streams {
		s.abandon(errGone)
	}
	c.narrow()
	var fault http2.ConnectionError
	if errors.Is(cause, http2.ErrFrameTooLarge) {
		cause = http2.ConnectionError(http2.ErrCodeFrameSize)
	}
	explained := errors.As(cause, &fault)
	if explained {
		_ = c.pending().framer.WriteGoAway(c.last, http2.ErrCode(fault), nil)
	}
	parting := c.err == nil && (explained || c.refusing)
	if parting {
		_ = c.net.SetDeadline(time.Now().Add(partingTime))
		c.writeOut(nil, everything)
		for c.writing {
			c.room.Wait()
		}
	}
	c.fail(errGone)
	c.mu.Unlock()
	if parting {
		c.linger()
	}
	c.cut()
}

// linger reads what the client still sends: closing a connection with unread data would take the last words along.
func (c *conn) linger() {
	half, ok := c.net.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.net.SetReadDeadline(time.Now().Add(partingTime))
	_, _ = io.CopyN(io.Discard, c.in, partingBytes)
}

// cut closes the connection at once, without the record of TLS that a stuck client could hold up.
func (c *conn) cut() {
	if over, ok := c.net.(interface{ NetConn() net.Conn }); ok {
		_ = over.NetConn().Close()
	}
	_ = c.net.Close()
}

var errGone = errors.New("http2: the client has gone")

// fail has all that wait give up: nothing can be written any more.
func (c *conn) fail(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	for _, s := range c.streams {
		s.abandon(err)
	}
	c.room.Broadcast()
	c.interrupt()
}

// interrupt has the reader look up.
func (c *conn) interrupt() { _ = c.net.SetReadDeadline(time.Unix(1, 0)) }

// cancelAll is for when the context that requests' derive from is done.
func (c *conn) cancelAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.streams {
		s.context.cancel(c.base.Err())
	}
}

// shutDown asks the client to open no more streams, and lets those that there are end. A stream that is on its way is served: the
// answer to a ping tells that nothing is.
func (c *conn) shutDown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving || c.ended {
		return
	}
	c.leaving = true
	f := c.pending().framer
	_ = f.WriteGoAway(lastStream, http2.ErrCodeNo, nil)
	_ = f.WritePing(false, parting)
	c.remind(&c.partingDue, partingTime)
	c.writeSoon()
}

// parting is what the ping says whose answer tells that the client knows.
var parting = [8]byte{'b', 'y', 'e'}

// refuse tells the client the last stream that is served, and ends the connection when that has ended.
func (c *conn) refuse() {
	if c.refusing || c.ended {
		return
	}
	c.leaving, c.refusing = true, true
	_ = c.pending().framer.WriteGoAway(c.last, http2.ErrCodeNo, nil)
	c.writeSoon()
	c.endIfDone()
}

// endIfDone ends a connection that is being left and has nothing more to do. A slow client gets all that is for it.
func (c *conn) endIfDone() {
	if c.refusing && c.handlers == 0 && !c.writing && c.backlog() == 0 && !c.ended {
		c.interrupt()
	}
}

func (c *conn) tell(state http.ConnState) {
	if c.server.State != nil {
		c.server.State(c.net, state)
	}
}

func (s *Server) maxStreams() uint32 {
	if s.MaxStreams == 0 {
		return 100
	}
	return s.MaxStreams
}

func (s *Server) maxBodies() int64 {
	if s.MaxBodies <= 0 {
		return 256 << 20
	}
	return s.MaxBodies
}

func (s *Server) maxHeaderBytes() int {
	if s.MaxHeaderBytes <= 0 {
		return http.DefaultMaxHeaderBytes
	}
	return s.MaxHeaderBytes
}
