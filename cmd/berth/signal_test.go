package main

import (
	"bytes"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSIGTERMEndsDNSConnections asks over TCP, keeps the connection as a resolver does, and asks berth to stop.
func TestSIGTERMEndsDNSConnections(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard")
	conn, err := net.Dial("tcp", p.dns)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(soaQuery(testZone)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 2)
	if _, err := io.ReadFull(conn, answer); err != nil {
		t.Fatal(err)
	}
	answer = make([]byte, int(answer[0])<<8|int(answer[1]))
	if _, err := io.ReadFull(conn, answer); err != nil || answer[3]&0xf != 0 || answer[7] != 1 {
		t.Fatalf("answer %x, %v; want no error and one record", answer, err)
	}

	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		t.Errorf("the connection ends with %x, %v", rest, err)
	}
	if err := p.awaitEnd(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 9*time.Second { // an idle connection would be kept for 10
		t.Errorf("an idle connection held up the stop for %v", took)
	}
}

// soaQuery is a query with its length before it, as TCP wants it.
func soaQuery(zone string) []byte {
	var message bytes.Buffer
	message.Write([]byte{0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	for label := range strings.SplitSeq(zone, ".") {
		message.WriteByte(byte(len(label)))
		message.WriteString(label)
	}
	message.Write([]byte{0, 0, 6, 0, 1}) // the root, SOA, IN
	return append([]byte{0, byte(message.Len())}, message.Bytes()...)
}
