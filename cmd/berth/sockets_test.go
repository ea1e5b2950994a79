package main

import (
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The sockets of a UDP address share its clients.
func TestSocketsShareAnAddress(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("one processor has one socket")
	}
	s := &sockets{}
	defer func() { s.close() }()
	if err := s.listenDNS(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if got, want := len(s.dnsUDP), runtime.GOMAXPROCS(0); got != want {
		t.Fatalf("%d sockets for %d processors", got, want)
	}
	for range 200 {
		client, err := net.Dial("udp", s.dnsUDP[0].LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if _, err := client.Write([]byte{0}); err != nil {
			t.Fatal(err)
		}
	}
	for i, conn := range s.dnsUDP {
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, _, err := conn.ReadFrom(make([]byte, 1)); err != nil {
			t.Errorf("of 200 clients socket %d has none: %v", i, err)
		}
	}
}

// A port that is bound is not shared with whoever comes later, or was there before, even if they would share it.
func TestPortsAreOnesOwn(t *testing.T) {
	s := &sockets{}
	defer func() { s.close() }()
	if err := s.listenDNS(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if conns, err := listenUDP(t.Context(), s.dnsUDP[0].LocalAddr().String()); err == nil {
		closeAll(conns)
		t.Error("the port was bound once more")
	}
	second := &sockets{}
	defer func() { second.close() }()
	if err := second.listenDNS(t.Context(), s.dnsUDP[0].LocalAddr().String()); err == nil || !strings.Contains(err.Error(), "another program has this UDP port") {
		t.Errorf("error %v", err)
	}
}

// HTTP/3 is on UDP at the port of HTTPS; what has it is told in one line, with the way to do without.
func TestHTTP3Sockets(t *testing.T) {
	s := &sockets{}
	defer func() { s.close() }()
	if err := s.listenHTTPS(t.Context(), "127.0.0.1:0", true); err != nil {
		t.Fatal(err)
	}
	tcp, udp := s.https[0].Addr().String(), s.http3[0].LocalAddr().String()
	if tcp != udp {
		t.Fatalf("TCP on %s, UDP on %s", tcp, udp)
	}
	_ = s.https[0].Close()
	second := &sockets{}
	defer func() { second.close() }()
	err := second.listenHTTPS(t.Context(), tcp, true)
	if err == nil || !strings.Contains(err.Error(), "--https-addr "+tcp+": another program has this UDP port; it is for HTTP/3, which --no-http3 turns off") {
		t.Errorf("error %v", err)
	}
	if err := second.listenHTTPS(t.Context(), tcp, false); err != nil || len(second.http3) != 0 {
		t.Errorf("without HTTP/3: %v, %d sockets", err, len(second.http3))
	}
}
