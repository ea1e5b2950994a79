package dnsserver

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Packets that are waiting together are read and answered together, each to its own client.
func TestPacketsInBatches(t *testing.T) {
	s := populated(t)
	conn, clients := waiting(t, 2*batchSize)
	serveOn(t, s, []net.PacketConn{conn}, nil)
	for i, client := range clients {
		_ = client.SetReadDeadline(time.Now().Add(10 * time.Second))
		buf := make([]byte, packetSize)
		n, err := client.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		m := new(dns.Msg)
		if err := m.Unpack(buf[:n]); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("missing%d.example.test.", i); m.Question[0].Name != want || m.Rcode != dns.RcodeNameError {
			t.Errorf("client %d got %v", i, m)
		}
	}
}

// Reading a batch, answering and writing it makes no garbage.
func TestBatchesDoNotAllocate(t *testing.T) {
	s := populated(t)
	responder := s.newResponder()
	conn, _ := waiting(t, 0)
	b, err := newBatch(conn)
	if err != nil {
		t.Fatal(err)
	}
	client := dialTo(t, conn)
	from := client.LocalAddr().(*net.UDPAddr).AddrPort()
	query, in := pack(t, question("hello.example.test A")), make([]byte, packetSize)
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := client.Write(query); err != nil {
			t.Fatal(err)
		}
		n, err := b.read()
		if n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if b.client(0) != from {
			t.Fatalf("the client is %s", b.client(0))
		}
		b.answer(0, responder.respond(b.room(), b.packet(0), overUDP, from))
		b.write()
		if n, err := client.Read(in); n < headerSize || err != nil {
			t.Fatal(n, err)
		}
	})
	if allocations > 0 {
		t.Errorf("%.0f allocations", allocations)
	}
}

// waiting is a socket with a query of each of some clients in it.
func waiting(t *testing.T, n int) (*net.UDPConn, []net.Conn) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	clients := make([]net.Conn, n)
	for i := range clients {
		clients[i] = dialTo(t, conn)
		if _, err := clients[i].Write(pack(t, question(fmt.Sprintf("missing%d.example.test A", i)))); err != nil {
			t.Fatal(err)
		}
	}
	return conn.(*net.UDPConn), clients
}

func dialTo(t *testing.T, conn net.PacketConn) net.Conn {
	t.Helper()
	client, err := net.Dial("udp", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}
