package dnsserver

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// Serve returns when told to, with idle connections open and clients asking, and leaves no socket behind.
func TestServeDrains(t *testing.T) {
	s := populated(t)
	s.limits.queries = 1 << 40 // the clients would not end by themselves
	r := start(t, s)
	idle := dial(t, r.tcp4)
	var asking sync.WaitGroup
	asking.Go(func() {
		conn := dial(t, r.tcp4)
		query := frame(pack(t, question("hello.example.test A")))
		for {
			if _, err := conn.Write(query); err != nil {
				return
			}
			if _, err := (&dns.Conn{Conn: conn}).ReadMsg(); err != nil {
				return
			}
		}
	})
	eventually(t, "queries are answered", func() bool { return r.Stats().TCP > 100 })
	if err := r.stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	asking.Wait()
	wantClosed(t, idle)
	if n := r.Stats().Connections; n != 0 {
		t.Errorf("%d connections left", n)
	}
	if conn, err := net.ListenPacket("udp", r.udp4); err != nil {
		t.Errorf("the UDP socket is still bound: %v", err)
	} else {
		_ = conn.Close()
	}
	if _, err := net.Dial("tcp", r.tcp4); err == nil {
		t.Error("the TCP socket still listens")
	}
}

// A socket that fails ends Serve with an error that names it, and the other sockets too.
func TestServeFails(t *testing.T) {
	s := populated(t)
	good, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	bad, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = bad.Close()
	err = s.Serve(context.Background(), Sockets{UDP: []net.PacketConn{good}, TCP: []net.Listener{bad}})
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

// Of a socket for all addresses, the answer comes from the address that was asked; connected clients take no other.
func TestAnswersComeFromTheAddressAsked(t *testing.T) {
	for _, c := range []struct{ network, bind, ask string }{
		{"udp4", "0.0.0.0:0", "127.0.0.2"},
		{"udp", "[::]:0", "127.0.0.3"},
		{"udp", "[::]:0", "::1"},
		{"udp6", "[::]:0", "::1"},
	} {
		t.Run(c.network+" "+c.ask, func(t *testing.T) {
			conn, err := net.ListenPacket(c.network, c.bind)
			if err != nil {
				t.Skip("cannot bind here: ", err)
			}
			serveOn(t, populated(t), []net.PacketConn{conn}, nil)
			_, port, err := net.SplitHostPort(conn.LocalAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			m := exchange(t, "udp", net.JoinHostPort(c.ask, port), question("hello.example.test A"))
			if len(m.Answer) != 1 {
				t.Errorf("answered %v", m)
			}
		})
	}
}

func TestStats(t *testing.T) {
	r := start(t, populated(t))
	exchange(t, "udp", r.udp4, question("hello.example.test A"))
	exchange(t, "udp", r.udp4, question("missing.example.test A"))
	exchange(t, "tcp", r.tcp4, question("elsewhere.test A"))
	bad := withEDNS("example.test SOA", func(o *dns.OPT) { o.SetVersion(1) })
	exchange(t, "udp", r.udp4, bad)
	stats := r.Stats()
	if stats.UDP != 3 || stats.TCP != 1 || stats.Serial != 8 || stats.Names < 20 {
		t.Errorf("%+v", stats)
	}
	for rcode, want := range map[string]uint64{"NOERROR": 1, "NXDOMAIN": 1, "REFUSED": 1, "BADVERS": 1} {
		if stats.Rcodes[rcode] != want {
			t.Errorf("%s counted %d times, want %d", rcode, stats.Rcodes[rcode], want)
		}
	}
	out := r.newResponder().respond(nil, []byte("x"), overUDP, testClient)
	if len(out) != 0 || r.Stats().Dropped != 1 {
		t.Errorf("dropped %d", r.Stats().Dropped)
	}
}
