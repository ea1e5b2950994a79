package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func TestShutdown(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			began <- struct{}{}
			<-finish
		}
		io.WriteString(w, "finished")
	})
	idle, fresh, slow := dial(t, s.addr), dial(t, s.addr), dial(t, s.addr)
	io.WriteString(idle, "GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(idle), nil); err != nil || res.Close {
		t.Fatalf("got %+v, %v", res, err)
	}
	io.WriteString(slow, "GET /slow HTTP/1.1\r\nHost: x.test\r\n\r\nGET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
	await(t, "the request", began)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(over); !errors.Is(err, context.Canceled) {
		t.Errorf("while a request is served: %v", err)
	}
	for _, conn := range []net.Conn{idle, fresh} {
		if _, err := io.ReadAll(conn); err != nil {
			t.Error("a connection without a request: ", err)
		}
	}
	close(finish)
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	text, _ := io.ReadAll(slow)
	if got := string(text); strings.Count(got, "HTTP/1.1 200") != 1 || !strings.Contains(got, "Connection: close") || !strings.HasSuffix(got, "finished") {
		t.Errorf("got %q", got)
	}
	late := dial(t, s.addr)
	if text, err := io.ReadAll(late); len(text) > 0 || err != nil {
		t.Errorf("afterwards: %q, %v", text, err)
	}
}

// A connection that has just answered when the server shuts down does not wait for another request.
func TestShutdownBetweenRequests(t *testing.T) {
	idle, goOn := make(chan struct{}), make(chan struct{})
	s := start(t, func(http.ResponseWriter, *http.Request) {}, func(s *Server) {
		s.State = func(_ net.Conn, state http.ConnState) {
			if state == http.StateIdle {
				idle <- struct{}{}
				<-goOn
			}
		}
	})
	conn := dial(t, s.addr)
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
	await(t, "the first answer", idle)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(over); !errors.Is(err, context.Canceled) {
		t.Errorf("while the connection is busy: %v", err)
	}
	close(goOn)
	soon, cancel := context.WithTimeout(t.Context(), patience/2) // before it would have waited for long enough
	defer cancel()
	if err := s.Shutdown(soon); err != nil {
		t.Error(err)
	}
}

// sullen is a connection whose Close says goodbye first, which nobody hears, as that of TLS does.
type sullen struct {
	net.Conn
	heard chan struct{}
}

func (c sullen) NetConn() net.Conn { return c.Conn }

func (c sullen) Close() error {
	<-c.heard
	return c.Conn.Close()
}

func TestEndingWaitsForNoGoodbye(t *testing.T) {
	heard := make(chan struct{})
	began := make(chan struct{})
	s := &Server{
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(began)
			<-r.Context().Done()
		}),
		MaxHeaderBytes: 4 << 10, HeaderTimeout: patience, IdleTimeout: patience,
	}
	var serving sync.WaitGroup
	var clients []net.Conn
	for range 2 {
		client, served := net.Pipe()
		clients = append(clients, client)
		serving.Go(func() { s.Serve(t.Context(), sullen{served, heard}, nil) })
	}
	io.WriteString(clients[1], "GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
	await(t, "the request", began)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		s.Shutdown(over)
		s.Close()
	}()
	await(t, "the end of Shutdown and Close", ended)
	for _, client := range clients {
		if _, err := io.ReadAll(client); err != nil {
			t.Error(err)
		}
	}
	close(heard)
	serving.Wait()
}
