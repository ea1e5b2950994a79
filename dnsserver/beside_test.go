package dnsserver

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// transferable is a server whose zone of many names the loopback network may transfer.
func transferable(t testing.TB, names int) *Server {
	s := newServer(t, testConfig())
	ch := full(1, siteNames(names)...)
	ch.Zones = []sites.PublishedZone{{Zone: sites.Zone{
		Name: "example.test", Kind: sites.ZoneMain, Peers: []sites.Peer{{Name: "here", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}},
	}}}
	s.Apply(ch)
	return s
}

func countSOAs(m *dns.Msg) (n int) {
	for _, rr := range m.Answer {
		if rr.Header().Rrtype == dns.TypeSOA {
			n++
		}
	}
	return n
}

// A transfer does not hold up the queries that come after it on the connection, even where nobody reads it.
func TestQueriesBesideATransfer(t *testing.T) {
	r := start(t, transferable(t, 20_000))
	conn := dial(t, r.tcp4)
	axfr, query := question("example.test AXFR"), question("ns1.example.test A")
	axfr.Id, query.Id = 1, 2
	send(t, conn, append(frame(pack(t, axfr)), frame(pack(t, query))...))
	records, answered, soas := 0, false, 0
	for soas < 2 || !answered {
		m := readAnswer(t, conn)
		switch m.Id {
		case 1:
			records += len(m.Answer)
			soas += countSOAs(m)
		case 2:
			answered = len(m.Answer) == 1 && soas < 2
		}
	}
	if records < 40_000 {
		t.Errorf("%d records", records)
	}
}

// A connection with a transfer under way is not idle, however long its client takes.
func TestTransfersAreNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := transferable(t, 5000)
		s.limits.transfer, s.limits.connections = time.Hour, 1
		ours, conn := net.Pipe()
		st := s.newStream(ours, overTCP)
		st.addr = netip.MustParseAddrPort("127.0.0.1:4242")
		if !s.connections.enter(st, s.limits) {
			t.Fatal("no room for the first connection")
		}
		var serving sync.WaitGroup
		serving.Go(func() { s.serveStream(context.Background(), st) })
		send(t, conn, frame(pack(t, question("example.test AXFR"))))
		time.Sleep(10 * s.limits.idle)
		if s.connections.enter(s.newStream(ours, overTCP), s.limits) {
			t.Error("a connection with a transfer under way gave way")
		}
		for soas := 0; soas < 2; {
			soas += countSOAs(readAnswer(t, conn))
		}
		begin := time.Now()
		wantClosed(t, conn)
		if idle := time.Since(begin); idle > s.limits.idle {
			t.Errorf("closed after %v", idle)
		}
		serving.Wait()
	})
}

// The end of the server breaks off a transfer: at its next message, and where nobody reads, after a while.
func TestTransfersEndWithTheServer(t *testing.T) {
	for name, reads := range map[string]bool{"a client that reads": true, "one that does not": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := transferable(t, 5000)
				s.limits.transfer = time.Hour
				ours, conn := net.Pipe()
				st := s.newStream(ours, overTCP)
				st.addr = netip.MustParseAddrPort("127.0.0.1:4242")
				if !s.connections.enter(st, s.limits) {
					t.Fatal("no room for the first connection")
				}
				ctx, cancel := context.WithCancel(t.Context())
				var serving sync.WaitGroup
				serving.Go(func() { s.serveStream(ctx, st) })
				send(t, conn, frame(pack(t, question("example.test AXFR"))))
				soas := countSOAs(readAnswer(t, conn))
				began := time.Now()
				cancel()
				synctest.Wait()
				for reads {
					m, err := (&dns.Conn{Conn: conn}).ReadMsg()
					if err != nil {
						break
					}
					soas += countSOAs(m)
				}
				serving.Wait()
				if after := time.Since(began); after > s.limits.grace || reads && after > 0 || soas > 1 {
					t.Errorf("ended after %v, with %d SOA records", after, soas)
				}
			})
		})
	}
}

// A response that somebody sends to the server is nobody's question, over TCP no more than over UDP.
func TestResponsesAreNotAnswered(t *testing.T) {
	r := start(t, transferable(t, 1))
	conn := dial(t, r.tcp4)
	for _, what := range []string{"example.test AXFR", "example.test A"} {
		send(t, conn, frame(pack(t, question(what), setBits(bitQR))))
	}
	last := question("example.test SOA")
	last.Id = 4242
	send(t, conn, frame(pack(t, last)))
	if m := readAnswer(t, conn); m.Id != last.Id {
		t.Errorf("answered %v", m)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	wantClosed(t, conn)
}
