package dnsserver

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// frame is a message with its length before it.
func frame(message []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
}

func readAnswer(t testing.TB, conn net.Conn) *dns.Msg {
	t.Helper()
	m, err := (&dns.Conn{Conn: conn}).ReadMsg()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func send(t testing.TB, conn net.Conn, bytes []byte) {
	t.Helper()
	if _, err := conn.Write(bytes); err != nil {
		t.Fatal(err)
	}
}

// wantClosed waits until the server has closed the connection, in whatever way.
func wantClosed(t testing.TB, conn net.Conn) {
	t.Helper()
	if n, err := io.Copy(io.Discard, conn); n != 0 || isTimeout(err) {
		t.Errorf("the connection is open: %d bytes, %v", n, err)
	}
}

func TestPipelining(t *testing.T) {
	r := start(t, populated(t))
	conn := dial(t, r.tcp4)
	var all []byte
	for id := range uint16(50) {
		q := question("hello.example.test A")
		q.Id = id
		all = append(all, frame(pack(t, q))...)
	}
	send(t, conn, all)
	for id := range uint16(50) {
		if m := readAnswer(t, conn); m.Id != id || len(m.Answer) != 1 {
			t.Fatalf("answer %d is %v", id, m)
		}
	}
}

// A query that arrives byte by byte is answered; one whose rest never comes costs a connection until the deadline.
func TestSlowClients(t *testing.T) {
	s := populated(t)
	s.limits.idle, s.limits.transfer = 15*time.Second, 300*time.Millisecond
	r := start(t, s)
	conn := dial(t, r.tcp4)
	query := frame(pack(t, question("hello.example.test A")))
	for i := range query {
		send(t, conn, query[i:i+1])
	}
	if m := readAnswer(t, conn); len(m.Answer) != 1 {
		t.Fatalf("answered %v", m)
	}
	send(t, conn, query[:10])
	wantClosed(t, conn)
	eventually(t, "the connection is given up", func() bool { return r.Stats().Connections == 0 })
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	s := populated(t)
	s.limits.idle = 50 * time.Millisecond
	r := start(t, s)
	wantClosed(t, dial(t, r.tcp4))
}

// A client that asks and never reads is given up.
func TestDeafClients(t *testing.T) {
	s := huge(t)
	s.limits.transfer, s.limits.idle = 100*time.Millisecond, 15*time.Second
	r := start(t, s)
	conn := dial(t, r.tcp4)
	if err := conn.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	query := frame(pack(t, question("long.example.test TXT")))
	var err error
	for err == nil {
		_, err = conn.Write(query)
	}
	if isTimeout(err) {
		t.Error("the server keeps a client that does not read")
	}
	eventually(t, "the connection is given up", func() bool { return r.Stats().Connections == 0 })
}

// ask sends a query and wants its answer.
func ask(t testing.TB, conn net.Conn, what string) *dns.Msg {
	t.Helper()
	send(t, conn, frame(pack(t, question(what))))
	return readAnswer(t, conn)
}

func TestConnectionsOfAClientAreBounded(t *testing.T) {
	s := populated(t)
	s.limits.perClient = 2
	r := start(t, s)
	open := []*net.TCPConn{dial(t, r.tcp4), dial(t, r.tcp4)}
	for _, conn := range open {
		ask(t, conn, "hello.example.test A")
	}
	wantClosed(t, dial(t, r.tcp4))
	_ = open[0].Close()
	eventually(t, "there is room again", func() bool { return r.Stats().Connections < 2 })
	ask(t, dial(t, r.tcp4), "hello.example.test A")
	ask(t, open[1], "hello.example.test A")
}

// With all slots taken a new connection takes that of the one which has been idle for longest.
func TestIdleConnectionsGiveWay(t *testing.T) {
	s := populated(t)
	s.limits.connections = 3
	r := start(t, s)
	var open []*net.TCPConn
	for n := range 3 {
		open = append(open, dial(t, r.tcp4))
		ask(t, open[n], "hello.example.test A")
		eventually(t, "it is idle before the next one", func() bool { return r.connections.idleCount() == n+1 })
	}
	ask(t, open[0], "hello.example.test A")
	eventually(t, "the first is idle again", func() bool { return r.connections.idleCount() == 3 })
	another := dial(t, r.tcp4)
	ask(t, another, "hello.example.test A")
	wantClosed(t, open[1])
	for _, conn := range []*net.TCPConn{open[0], open[2], another} {
		ask(t, conn, "hello.example.test A")
	}
	if n := r.Stats().Connections; n != 3 {
		t.Errorf("%d connections", n)
	}
}

// A connection in the middle of a query is not idle: when all are, a new one is refused.
func TestBusyConnectionsDoNotGiveWay(t *testing.T) {
	s := populated(t)
	s.limits.connections, s.limits.transfer = 2, 15*time.Second
	r := start(t, s)
	query := frame(pack(t, question("hello.example.test A")))
	busy := []*net.TCPConn{dial(t, r.tcp4), dial(t, r.tcp4)}
	for _, conn := range busy {
		send(t, conn, query[:5])
	}
	eventually(t, "both are busy", func() bool { return r.Stats().Connections == 2 && r.connections.idleCount() == 0 })
	wantClosed(t, dial(t, r.tcp4))
	for _, conn := range busy {
		send(t, conn, query[5:])
		readAnswer(t, conn)
	}
}

func (c *connections) idleCount() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.idle.Len()
}

// After its last query a connection ends in order: the answers arrive although more has been asked.
func TestQueriesPerConnectionAreBounded(t *testing.T) {
	s := populated(t)
	s.limits.queries = 10
	r := start(t, s)
	conn := dial(t, r.tcp4)
	var all []byte
	for range 200 {
		all = append(all, frame(pack(t, question("hello.example.test A")))...)
	}
	send(t, conn, all)
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		readAnswer(t, conn)
	}
	if n, err := io.Copy(io.Discard, conn); n != 0 || err != nil {
		t.Errorf("no orderly end: %d bytes, %v", n, err)
	}
}

// What is longer than any sensible query is read to its end, and the connection goes on.
func TestLongMessages(t *testing.T) {
	r := start(t, populated(t))
	conn := dial(t, r.tcp4)
	padding := func(o *dns.OPT) { o.Option = append(o.Option, &dns.EDNS0_PADDING{Padding: make([]byte, 20000)}) }
	send(t, conn, frame(pack(t, withEDNS("hello.example.test A", padding))))
	if m := readAnswer(t, conn); m.Rcode != dns.RcodeFormatError {
		t.Errorf("answered %v", m)
	}
	send(t, conn, frame(pack(t, question("hello.example.test A"))))
	if m := readAnswer(t, conn); len(m.Answer) != 1 {
		t.Errorf("answered %v", m)
	}
	send(t, conn, frame(nil)) // no message at all: no answer
	send(t, conn, frame(pack(t, question("hello.example.test A"))))
	if m := readAnswer(t, conn); len(m.Answer) != 1 {
		t.Errorf("answered %v", m)
	}
}
