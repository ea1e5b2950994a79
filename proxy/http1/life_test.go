package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestTheContextEndsWhenTheClientHasGone(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	s := start(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		close(began)
		<-r.Context().Done()
		if errors.Is(r.Context().Err(), context.Canceled) {
			close(ended)
		}
	})
	conn := dial(t, s.addr)
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: 4\r\n\r\nbody")
	await(t, "the request", began)
	conn.Close()
	await(t, "the end", ended)
}

// The end of a connection is seen behind a body that nobody reads.
func TestTheContextEndsThoughNobodyReadsTheBody(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: x.test\r\n"
	half := post + "Content-Length: 100000\r\n\r\nhalf"
	for name, tc := range map[string]struct {
		sends  string
		leaves func(net.Conn)
	}{
		"half a body":                   {half, func(c net.Conn) { c.Close() }},
		"a reset":                       {half, func(c net.Conn) { _, _ = c.(*net.TCPConn).SetLinger(0), c.Close() }},
		"a large body":                  {post + "Content-Length: 30000\r\n\r\n" + strings.Repeat("x", 30_000), func(c net.Conn) { c.Close() }},
		"half a chunk":                  {post + "Transfer-Encoding: chunked\r\n\r\n9\r\nhalf", func(c net.Conn) { c.Close() }},
		"none, as it waits to be asked": {post + "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n", func(c net.Conn) { c.Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began, ended := make(chan struct{}), make(chan struct{})
			s := start(t, func(_ http.ResponseWriter, r *http.Request) {
				close(began)
				<-r.Context().Done()
				close(ended)
			})
			conn := dial(t, s.addr)
			io.WriteString(conn, tc.sends)
			await(t, "the request", began)
			tc.leaves(conn)
			await(t, "the end", ended)
		})
	}
}

// Who reads a body gets all of it, whoever looks meanwhile, and the end of the connection is noticed afterwards, too.
func TestLookingTakesNothingFromABody(t *testing.T) {
	read, ended := make(chan string, 1), make(chan struct{})
	s := start(t, func(_ http.ResponseWriter, r *http.Request) {
		gone := r.Context().Done()
		<-time.After(2 * watchAfter) // by now somebody has looked
		body, _ := io.ReadAll(r.Body)
		read <- string(body)
		<-gone
		close(ended)
	})
	conn := dial(t, s.addr)
	body := strings.Repeat("0123456789", 10_000)
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: 100000\r\n\r\n"+body[:50_000])
	time.AfterFunc(4*watchAfter, func() { io.WriteString(conn, body[50_000:]) })
	if got := <-read; got != body {
		t.Errorf("%d bytes of %d", len(got), len(body))
	}
	conn.Close()
	await(t, "the end", ended)
}

// What a client sends while it waits is its next request, not a sign that it has gone.
func TestWatchingLosesNothing(t *testing.T) {
	turn := make(chan struct{})
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-turn:
			fmt.Fprint(w, r.URL.Path, r.Context().Err())
		case <-r.Context().Done():
			t.Error("the client has not gone")
		}
	})
	conn := dial(t, s.addr)
	in := bufio.NewReader(conn)
	for i := range 20 {
		path := fmt.Sprint("/", i)
		io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x.test\r\n\r\n")
		if i%2 == 0 {
			time.AfterFunc(2*delay(i), func() { turn <- struct{}{} })
		} else {
			go func() { turn <- struct{}{} }()
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(res.Body); string(body) != path+"<nil>" {
			t.Errorf("got %q", body)
		}
	}
}

// delay is shorter than a handler's patience, or longer.
func delay(i int) time.Duration { return watchAfter * time.Duration(i%4) / 2 }

func TestTheContextOfAHandlerThatHasReturnedIsOver(t *testing.T) {
	var kept []context.Context
	s := start(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/watched" {
			r.Context().Done()
		}
		kept = append(kept, r.Context())
	})
	if got := ask(t, s.addr, "GET / HTTP/1.1\r\nHost: x.test\r\n\r\nGET /watched HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n", 2, "GET"); len(got) != 2 {
		t.Fatalf("got %+v", got)
	}
	for _, ctx := range kept {
		await(t, "the end", ctx.Done())
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("got %v", ctx.Err())
		}
	}
}
