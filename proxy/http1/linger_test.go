package http1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// halved is a connection of which one direction can end, if only by name: here the other side does not see that.
type halved struct{ net.Conn }

func (halved) CloseWrite() error { return nil }

// uploadRefused is a client that has read the answer to an upload of which it has sent next to nothing.
func uploadRefused(t *testing.T, s *Server) (client net.Conn, serving *sync.WaitGroup) {
	t.Helper()
	client, served := net.Pipe()
	serving = new(sync.WaitGroup)
	serving.Go(func() { s.Serve(t.Context(), halved{served}, nil) })
	fmt.Fprint(client, "POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: 50000000\r\n\r\nbeginning")
	res, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil || res.StatusCode != http.StatusForbidden || !res.Close {
		t.Fatalf("got %+v, %v", res, err)
	}
	return client, serving
}

func refuses() *Server {
	return &Server{
		Handler:        http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }),
		MaxHeaderBytes: 4 << 10, HeaderTimeout: patience, IdleTimeout: patience,
	}
}

// An upload that nobody wants is read on while it comes: what closes with something unread takes the answer along.
func TestLingering(t *testing.T) {
	for name, tc := range map[string]struct {
		pause time.Duration // of the client between two parts; 0: it sends nothing more
		parts int
		lasts time.Duration
	}{
		"all of it comes":          {time.Second, 50, 50 * time.Second},
		"it takes too long":        {time.Second, 100, lingerMost},
		"the client falls silent":  {time.Second, 3, 3*time.Second + lingerPause},
		"the client sends no more": {0, 0, lingerPause},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, serving := uploadRefused(t, refuses())
				begin := time.Now()
				for range tc.parts {
					<-time.After(tc.pause)
					if _, err := client.Write(make([]byte, 10_000)); err != nil {
						break
					}
				}
				if tc.parts == 50 {
					client.Close()
				}
				serving.Wait()
				if lasted := time.Since(begin); lasted != tc.lasts {
					t.Errorf("it lasts %v, not %v", lasted, tc.lasts)
				}
			})
		})
	}
}

// Who lingers holds up neither a newcomer nor the end of the server.
func TestLingeringMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := refuses()
		var states []http.ConnState
		s.State = func(_ net.Conn, state http.ConnState) { states = append(states, state) }
		_, serving := uploadRefused(t, s)
		synctest.Wait()
		if n := len(states); n == 0 || states[n-1] != http.StateIdle {
			t.Errorf("the states are %v", states)
		}
		begin := time.Now()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		serving.Wait()
		if lasted := time.Since(begin); lasted > 0 {
			t.Errorf("it lasts %v", lasted)
		}
	})
}

func TestLingeringWhileTheServerShutsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := refuses()
		began, finish := make(chan struct{}), make(chan struct{})
		s.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			close(began)
			<-finish
		})
		client, served := net.Pipe()
		go s.Serve(t.Context(), halved{served}, nil)
		go fmt.Fprint(client, "POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: 50000000\r\n\r\nbeginning")
		<-began
		over := make(chan error)
		go func() { over <- s.Shutdown(t.Context()) }()
		synctest.Wait()
		close(finish)
		begin := time.Now()
		if _, err := http.ReadResponse(bufio.NewReader(client), nil); err != nil {
			t.Error(err)
		}
		if err := <-over; err != nil {
			t.Error(err)
		}
		if lasted := time.Since(begin); lasted != lingerLeaving {
			t.Errorf("it lasts %v", lasted)
		}
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the connection is open: %v", err)
		}
	})
}
