package dnsserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// stream is a connection over TCP or TLS. Queries are answered in their order, but for transfers, beside which others
// are answered.
type stream struct {
	net.Conn
	raw    net.Conn // the same, or what TLS lies on
	via    transport
	addr   netip.AddrPort
	client netip.Prefix // the part of the address that the client cannot choose

	seat    seat           // of connections
	writing sync.Mutex     // of one message
	beside  sync.WaitGroup // transfers
}

func (s *Server) newStream(conn net.Conn, via transport) *stream {
	st := &stream{Conn: conn, raw: conn, via: via}
	if remote, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		addr := remote.AddrPort()
		st.addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	}
	bits := 64
	if st.addr.Addr().Is4() {
		bits = 32
	}
	st.client, _ = st.addr.Addr().Prefix(bits)
	if via == overTLS {
		st.Conn = tls.Server(conn, s.tls)
	}
	return st
}

// serveStream answers the queries of a connection. A client that stalls costs a buffer until a deadline.
func (s *Server) serveStream(ctx context.Context, st *stream) {
	defer st.Close()
	defer s.endBy(ctx, st)()
	defer st.beside.Wait()
	stop := context.AfterFunc(ctx, func() { _ = st.SetReadDeadline(past()) })
	defer stop()
	if !s.shakeHands(ctx, st) {
		return
	}
	in := bufio.NewReaderSize(st, 2+packetSize)
	for range s.limits.queries {
		packet, err := s.readMessage(ctx, st, in)
		if err == nil {
			err = s.answerStream(ctx, st, packet)
		}
		if err != nil {
			return
		}
	}
	st.beside.Wait()
	s.linger(ctx, st)
}

// endBy closes the connection some time after the end of ctx, whatever its client still has to read. The returned function calls
// that off.
func (s *Server) endBy(ctx context.Context, st *stream) (stop func()) {
	over := make(chan struct{})
	called := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(s.limits.grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			_ = st.raw.Close()
		case <-over:
		}
	})
	return func() {
		called()
		close(over)
	}
}

// shakeHands begins TLS (RFC 7858).
func (s *Server) shakeHands(ctx context.Context, st *stream) bool {
	secure, ok := st.Conn.(*tls.Conn)
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, s.limits.transfer)
	defer cancel()
	return secure.HandshakeContext(ctx) == nil
}

// readMessage waits for a message. Of one that is too long for a query the rest is thrown away, and the parser
// gets what is left. The packet holds until the next read.
func (s *Server) readMessage(ctx context.Context, st *stream, in *bufio.Reader) (packet []byte, err error) {
	if in.Buffered() < 2 {
		if err := s.awaitQuery(ctx, st, in); err != nil {
			return nil, err
		}
	}
	prefix, err := in.Peek(2)
	if err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint16(prefix))
	if err := readBy(ctx, st, s.limits.transfer); err != nil {
		return nil, err
	}
	if length > packetSize {
		return readLong(in, length)
	}
	whole, err := in.Peek(2 + length)
	if err != nil {
		return nil, err
	}
	_, err = in.Discard(len(whole)) // whole stays where it is
	return whole[2:], err
}

// awaitQuery waits until a query begins. A connection with a transfer under way is not idle.
func (s *Server) awaitQuery(ctx context.Context, st *stream, in *bufio.Reader) error {
	for {
		s.connections.rest(st)
		err := readBy(ctx, st, s.limits.idle)
		if err == nil {
			_, err = in.Peek(2)
		}
		if !s.connections.wake(st) {
			return net.ErrClosed
		}
		if err == nil || !isTimeout(err) || ctx.Err() != nil || !s.connections.busy(st) {
			return err
		}
		st.beside.Wait()
	}
}

func readLong(in *bufio.Reader, length int) ([]byte, error) {
	head, err := in.Peek(2 + packetSize)
	if err != nil {
		return nil, err
	}
	packet := append([]byte(nil), head[2:]...)
	_, err = in.Discard(2 + length)
	return packet, err
}

// readBy sets a deadline, unless ctx is done: its end sets one in the past, which must stay.
func readBy(ctx context.Context, st *stream, d time.Duration) error {
	if err := st.SetReadDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	return ctx.Err()
}

// answerStream answers a packet: at once, or beside the queries that follow.
func (s *Server) answerStream(ctx context.Context, st *stream, packet []byte) error {
	if forPeers(packet) {
		s.answerBeside(ctx, st, packet)
		return nil
	}
	responder := s.responders.Get().(*responder)
	defer s.responders.Put(responder)
	out := responder.respond(append(responder.room[:0], 0, 0), packet, st.via, st.addr)
	responder.keepRoom(out)
	if len(out) == 2 {
		return nil
	}
	binary.BigEndian.PutUint16(out, uint16(len(out)-2))
	return s.writeStream(st, out)
}

// answerBeside answers a packet that may ask for a transfer. One that cannot be written ends the connection.
func (s *Server) answerBeside(ctx context.Context, st *stream, packet []byte) {
	if !s.connections.begin(st, s.limits.beside) {
		st.beside.Wait() // for all of them: who asks for so many at once can wait
		s.connections.begin(st, s.limits.beside)
	}
	packet = append([]byte(nil), packet...)
	st.beside.Go(func() {
		defer s.connections.end(st)
		if err := s.answerPeer(ctx, st, packet); err != nil {
			_ = st.raw.Close()
		}
	})
}

// writeStream writes a message that has its length before it.
func (s *Server) writeStream(st *stream, out []byte) error {
	st.writing.Lock()
	defer st.writing.Unlock()
	if err := st.SetWriteDeadline(time.Now().Add(s.limits.transfer)); err != nil {
		return err
	}
	_, err := st.Write(out)
	return err
}

// linger ends a connection such that the last answers reach a client which has sent more queries: bytes left unread
// at the close would reset it.
func (s *Server) linger(ctx context.Context, st *stream) {
	half, ok := st.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || readBy(ctx, st, time.Second) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, st, 1<<16)
}
