package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestHijackedConnectionsAreTheHandlers(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		stopped := context.AfterFunc(r.Context(), func() { t.Error("the context ends with the hijacking") })
		<-time.After(2 * watchAfter) // by now it is watched
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "ready\n")
		line, _ := buffered.ReadString('\n')
		fmt.Fprint(conn, "you say ", line)
		line, _ = buffered.ReadString('\n')
		stopped() // before the test, which ends with what comes next, ends it
		fmt.Fprint(conn, "and ", line)
		if _, err := w.Write(nil); !errors.Is(err, http.ErrHijacked) {
			t.Errorf("writing afterwards: %v", err)
		}
	})
	conn := dial(t, s.addr)
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
	in := bufio.NewReader(conn)
	if line, _ := in.ReadString('\n'); line != "ready\n" {
		t.Fatalf("got %q", line)
	}
	io.WriteString(conn, "one\n")
	if line, _ := in.ReadString('\n'); line != "you say one\n" {
		t.Fatalf("got %q", line)
	}
	if err := s.Shutdown(t.Context()); err != nil { // does not wait for it
		t.Fatal(err)
	}
	io.WriteString(conn, "two\n")
	if line, _ := in.ReadString('\n'); line != "and two\n" {
		t.Errorf("got %q", line)
	}
}

// Who has taken a connection over is the only one who reads from it, though the body's end would have the client watched.
func TestNobodyElseReadsFromAHijackedConnection(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		r.Context().Done()
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.Copy(conn, r.Body)
		<-time.After(2 * watchAfter)
		io.Copy(conn, buffered)
	})
	conn := dial(t, s.addr)
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
	if _, err := io.ReadFull(conn, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "another protocol\n")
	_ = conn.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(conn); string(got) != "another protocol\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAResponseThatIsOverCannotBeHijacked(t *testing.T) {
	var former http.ResponseWriter
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		if former != nil {
			if _, _, err := http.NewResponseController(former).Hijack(); !errors.Is(err, errOver) {
				t.Errorf("hijacked: %v", err)
			}
			if err := http.NewResponseController(former).SetReadDeadline(longAgo); !errors.Is(err, errOver) {
				t.Errorf("a deadline: %v", err)
			}
		}
		former = w
	})
	const request = "GET / HTTP/1.1\r\nHost: x.test\r\n\r\n"
	if got := ask(t, s.addr, request+request, 2, "GET"); len(got) != 2 {
		t.Errorf("got %+v", got)
	}
}
