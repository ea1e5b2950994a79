package transfer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// keyMissing stands among the TSIG errors for a key that is named and not in the store.
const keyMissing = 0xFFFF

// rcodeError is an answer that is none.
type rcodeError struct {
	what  string // that was asked
	rcode int
}

func (e rcodeError) Error() string {
	return fmt.Sprintf("it answers %s with %s", e.what, dns.RcodeToString[e.rcode])
}

// told is an error whose text is a sentence for people.
type told struct{ text string }

func (e told) Error() string { return e.text }

func tell(format string, args ...any) error { return told{fmt.Sprintf(format, args...)} }

// sentence turns an error into one for people.
func sentence(err error) string {
	var rcode rcodeError
	var f fault
	var text told
	switch {
	case errors.As(err, &text):
		return text.text
	case errors.As(err, &rcode):
		return rcode.Error()
	case errors.As(err, &f):
		if f == keyMissing {
			return "the TSIG key is not in the store"
		}
		return f.Error()
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		return "it does not answer"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there"
	case errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH):
		return "the address cannot be reached"
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET):
		return "it broke off the connection"
	}
	return "its answer cannot be used"
}

// conn is a connection to another nameserver on which one request is made.
type conn struct {
	net.Conn
	datagram bool
	request  *request
	id       uint16
	clock    func() time.Time
	read     int // bytes
}

// open connects and sends a request. The connection ends with ctx, or by the returned function.
func (s *Service) open(ctx context.Context, network string, addr netip.AddrPort, m *dns.Msg, k *key) (*conn, func(), error) {
	dial, cancel := context.WithTimeout(ctx, s.limits.connect)
	defer cancel()
	raw, err := s.cfg.Dial(dial, network, addr.String())
	if err != nil {
		return nil, nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	end := func() {
		stop()
		_ = raw.Close()
	}
	c := &conn{Conn: raw, datagram: network == "udp", id: m.Id, clock: s.cfg.Now}
	packet, err := m.Pack()
	if err == nil {
		c.request, packet = newRequest(packet, k, s.cfg.Now())
		err = errors.Join(c.send(packet, s.limits.stall), ctx.Err())
	}
	if err != nil {
		end()
		return nil, nil, fmt.Errorf("ask %s: %w", addr, err)
	}
	return c, end, nil
}

func (c *conn) send(packet []byte, patience time.Duration) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if !c.datagram {
		packet = append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
	}
	_, err := c.Write(packet)
	return err
}

// next returns the next message of the answer. Datagrams that are not the answer are nobody's.
func (c *conn) next(ctx context.Context, patience time.Duration) (*dns.Msg, error) {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil { // its end has set a deadline in the past, which must stay
		return nil, err
	}
	for {
		packet, err := c.receive()
		if err != nil {
			return nil, err
		}
		c.read += len(packet)
		ours := len(packet) >= headerSize && binary.BigEndian.Uint16(packet) == c.id && packet[2]&0x80 != 0
		if !ours && c.datagram {
			continue
		}
		if !ours {
			return nil, tell("the answer is to another question")
		}
		plain, err := c.request.verify(packet, c.clock())
		if err != nil {
			return nil, err
		}
		m := new(dns.Msg)
		if err := m.Unpack(plain); err != nil {
			return nil, fmt.Errorf("read the answer: %w", err)
		}
		return m, nil
	}
}

func (c *conn) receive() ([]byte, error) {
	if c.datagram {
		packet := make([]byte, 4096)
		n, err := c.Read(packet)
		return packet[:n], err
	}
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return nil, err
	}
	packet := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(c, packet)
	return packet, err
}

// ask makes a request that is answered by one message. The deadline is that of ctx.
func (s *Service) ask(ctx context.Context, network string, addr netip.AddrPort, m *dns.Msg, k *key) (*dns.Msg, error) {
	c, end, err := s.open(ctx, network, addr, m, k)
	if err != nil {
		return nil, err
	}
	defer end()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(s.limits.stall)
	}
	answer, err := c.next(ctx, time.Until(deadline))
	if err != nil {
		return nil, fmt.Errorf("the answer of %s: %w", addr, err)
	}
	if len(answer.Question) > 0 && !sameQuestion(answer.Question[0], m.Question[0]) {
		return nil, tell("the answer is to another question")
	}
	return answer, nil
}

func sameQuestion(a, b dns.Question) bool {
	return a.Qtype == b.Qtype && a.Qclass == b.Qclass && dns.CanonicalName(a.Name) == dns.CanonicalName(b.Name)
}
