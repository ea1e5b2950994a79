package http1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestASmallAnswerIsOneWrite(t *testing.T) {
	client, served := net.Pipe()
	counted := &countingConn{Conn: served}
	s := &Server{
		Handler:        http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 12<<10)) }),
		MaxHeaderBytes: 4 << 10, HeaderTimeout: patience, IdleTimeout: patience,
	}
	var serving sync.WaitGroup
	serving.Go(func() { s.Serve(t.Context(), counted, nil) })
	io.WriteString(client, "GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, res.Body); n != 12<<10 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	client.Close()
	serving.Wait()
	if counted.writes != 1 {
		t.Errorf("%d writes", counted.writes)
	}
}

type countingConn struct {
	net.Conn
	writes int
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.writes++
	return c.Conn.Write(p)
}

func TestAPanicBreaksOff(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "half")
		if r.URL.Path == "/silent" {
			panic(http.ErrAbortHandler)
		}
		panic("loud")
	})
	for _, path := range []string{"/silent", "/loud"} {
		for _, got := range ask(t, s.addr, "GET "+path+" HTTP/1.1\r\nHost: x.test\r\n\r\n", 2, "GET") {
			if !got.broken {
				t.Errorf("%s: the answer looks whole: %+v", path, got)
			}
		}
	}
	if text := s.logged.String(); strings.Count(text, "panic serving") != 1 || !strings.Contains(text, "loud") {
		t.Errorf("logged %s", text)
	}
}

// What a handler writes after it has returned is not in the next answer.
func TestNothingIsWrittenAfterTheResponse(t *testing.T) {
	var former http.ResponseWriter
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		if former != nil {
			if _, err := former.Write([]byte("former")); err == nil {
				t.Error("a response that is over is written to")
			}
			former.WriteHeader(http.StatusTeapot)
			if http.NewResponseController(former).Flush() == nil || http.NewResponseController(former).SetWriteDeadline(time.Time{}) == nil {
				t.Error("a response that is over is flushed")
			}
		}
		former = w
		w.Header().Set("X-Once", "1")
		io.WriteString(w, "mine")
	})
	const request = "GET / HTTP/1.1\r\nHost: x.test\r\n\r\n"
	for _, got := range ask(t, s.addr, request+request, 2, "GET") {
		if got.status != http.StatusOK || got.body != "mine" || len(got.header) != 3 {
			t.Errorf("got %+v", got)
		}
	}
}

func TestStatesFollowTheRequests(t *testing.T) {
	var mu sync.Mutex
	var states []http.ConnState
	s := start(t, func(http.ResponseWriter, *http.Request) {}, func(s *Server) {
		s.State = func(_ net.Conn, state http.ConnState) {
			mu.Lock()
			defer mu.Unlock()
			states = append(states, state)
		}
	})
	ask(t, s.addr, "GET / HTTP/1.1\r\nHost: x.test\r\n\r\nGET / HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n", 2, "GET")
	mu.Lock()
	defer mu.Unlock()
	if want := []http.ConnState{http.StateActive, http.StateIdle, http.StateActive}; !reflect.DeepEqual(states, want) {
		t.Errorf("got %v, want %v", states, want)
	}
}

func TestFaultsAreAnswered(t *testing.T) {
	s := start(t, func(http.ResponseWriter, *http.Request) { t.Error("it is served") }, func(s *Server) { s.MaxHeaderBytes = 1 << 10 })
	for text, status := range map[string]int{
		"GET / HTTP/1.1\r\n\r\n":                                                          400,
		"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n":                                    400,
		"GET / HTTP/1.1\r\nHost: a b\r\n\r\n":                                             400,
		"GET / HTTP/3.0\r\nHost: a\r\n\r\n":                                               505,
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                                                505,
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n":                    501,
		"GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n":                               417,
		"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 8<<10) + "\r\n\r\n":      431,
		"GET /" + strings.Repeat("x", 8<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n":             431,
		"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03 this is a TLS client hello\r\n\r\n": 400,
	} {
		got := ask(t, s.addr, text, 2, "GET")
		if len(got) != 1 || got[0].status != status || !got[0].closes || !strings.HasPrefix(got[0].body, fmt.Sprint(status, " ")) {
			t.Errorf("%.60q: got %+v, want %d", text, got, status)
		}
	}
}

// A trailer cannot take from the header what belongs there.
func TestForbiddenTrailersStayInTheHeader(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Cache-Control, X-Sum")
		w.Header().Set("Cache-Control", "private")
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", "1")
	})
	got := ask(t, s.addr, "GET / HTTP/1.1\r\nHost: x.test\r\n\r\n", 1, "GET")
	if len(got) != 1 || got[0].header.Get("Cache-Control") != "private" || got[0].trailer.Get("X-Sum") != "1" {
		t.Errorf("got %+v", got)
	}
}

func TestSlowClientsAreClosed(t *testing.T) {
	short := func(s *Server) { s.HeaderTimeout, s.IdleTimeout = 50*time.Millisecond, 100*time.Millisecond }
	s := start(t, func(http.ResponseWriter, *http.Request) {}, short)
	for name, sends := range map[string]string{
		"nothing": "", "half a line": "GET / HT", "half a header": "GET / HTTP/1.1\r\nHost: a\r\n", "one request": "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"half a second": "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET",
	} {
		conn := dial(t, s.addr)
		io.WriteString(conn, sends)
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDeadlinesOfAHandlerAreItsOwn(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.SetWriteDeadline(time.Now().Add(patience)); err != nil {
			t.Error(err)
		}
		if r.ContentLength > 0 {
			control.SetReadDeadline(time.Unix(1, 0))
			_, err := r.Body.Read(make([]byte, 1))
			var slow net.Error
			if !errors.As(err, &slow) || !slow.Timeout() {
				t.Errorf("past the deadline: %v", err)
			}
			control.SetReadDeadline(time.Time{})
			io.Copy(w, r.Body)
		}
	})
	conn := dial(t, s.addr)
	in := bufio.NewReader(conn)
	for range 3 {
		io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
		// The body comes once the handler has missed it.
		time.AfterFunc(100*time.Millisecond, func() { io.WriteString(conn, "body") })
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(res.Body); string(body) != "body" {
			t.Errorf("got %q", body)
		}
	}
}
