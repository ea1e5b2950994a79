package origin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestConnectionsAreKept(t *testing.T) {
	rt := to(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.URL, body)
	}))
	for i := range 20 {
		odd := request(t, "GET", "/a", nil)
		odd.URL.RawQuery = "b=%zz"
		if _, got := read(t, rt, odd); got != "GET origin.test /a?b=%zz " {
			t.Fatal(got)
		}
		if _, got := read(t, rt, request(t, "POST", "/", strings.NewReader(fmt.Sprint(i)))); got != fmt.Sprintf("POST origin.test / %d", i) {
			t.Fatal(got)
		}
		if res, got := read(t, rt, request(t, "HEAD", "/", nil)); got != "" || res.StatusCode != 200 {
			t.Fatal(res.Status, got)
		}
	}
	if n := rt.dials.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// closing answers one request on each connection, promises to keep it, and closes it.
func closing(t *testing.T) string {
	return scripted(t, func(conn net.Conn, in *bufio.Reader) {
		if _, err := readHead(in); err == nil {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
}

func TestConnectionClosedWhileIdle(t *testing.T) {
	rt := to(t, closing(t))
	for range 10 {
		for _, method := range []string{"GET", "PUT", "OPTIONS"} {
			if _, got := read(t, rt, request(t, method, "/", nil)); got != "ok" {
				t.Fatal(got)
			}
		}
	}
}

// A kept connection that breaks under a request is tried again only where the request cannot have had an effect twice.
func TestConnectionClosedUnderARequest(t *testing.T) {
	var second atomic.Int64
	addr := scripted(t, func(conn net.Conn, in *bufio.Reader) {
		for n := 0; ; n++ {
			if _, err := readHead(in); err != nil {
				return
			}
			if n == 1 {
				second.Add(1)
				return
			}
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	for method, again := range map[string]bool{"GET": true, "PUT": true, "DELETE": true, "POST": false, "PATCH": false} {
		rt := to(t, addr)
		read(t, rt, request(t, "GET", "/", nil))
		res, err := rt.Do(request(t, method, "/", nil), nil)
		if (err == nil) != again {
			t.Errorf("%s: %v", method, err)
		}
		if err == nil {
			res.Body.Close()
		}
	}
	if second.Load() != 5 {
		t.Errorf("%d second requests", second.Load())
	}
}

func TestQueue(t *testing.T) {
	gate := make(chan struct{})
	var running, most atomic.Int64
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		<-gate
	})
	rt := to(t, addr, func(c *Config) { c.MaxConns = 2 })
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			res, err := rt.Do(request(t, "GET", "/", nil), nil)
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
		})
	}
	await(t, "two requests are there", func() bool { return running.Load() == 2 })
	for range 20 {
		gate <- struct{}{}
	}
	all.Wait()
	if most.Load() != 2 {
		t.Errorf("%d requests at a time, want 2", most.Load())
	}

	busy := to(t, addr, func(c *Config) { c.MaxConns, c.Queue = 1, time.Millisecond })
	r := request(t, "GET", "/", nil)
	all.Go(func() { read(t, busy, r) })
	await(t, "the request is there", func() bool { return running.Load() == 1 })
	if _, err := busy.Do(request(t, "GET", "/", nil), nil); !errors.Is(err, ErrBusy) {
		t.Errorf("with all in use: %v", err)
	}
	gate <- struct{}{}
	all.Wait()
	go func() { gate <- struct{}{} }()
	read(t, busy, request(t, "GET", "/", nil)) // who gave up has left nothing behind
}

func TestFaultsOfTheOrigin(t *testing.T) {
	for name, tt := range map[string]struct{ says, want string }{
		"no answer":        {"", "EOF"},
		"no HTTP":          {"SSH-2.0-x\r\n\r\n", "malformed HTTP"},
		"header too large": {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 20<<10), errHeaderTooLarge.Error()},
		"no status":        {"HTTP/1.1 099 What\r\n\r\n", "status below 100"},
		"endless interim":  {strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", mostInterim+1), errTooManyInterim.Error()},
	} {
		rt := to(t, scripted(t, func(conn net.Conn, in *bufio.Reader) {
			readHead(in)
			io.WriteString(conn, tt.says)
		}))
		if _, err := rt.Do(request(t, "GET", "/", nil), nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	silent := to(t, scripted(t, func(_ net.Conn, in *bufio.Reader) { io.Copy(io.Discard, in) }), func(c *Config) { c.Response = time.Millisecond })
	for _, body := range []io.Reader{nil, strings.NewReader("x")} {
		var timeout net.Error
		if _, err := silent.Do(request(t, "POST", "/", body), nil); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("silent origin: %v", err)
		}
	}
}

func TestCancellation(t *testing.T) {
	rt := to(t, scripted(t, func(conn net.Conn, in *bufio.Reader) {
		head, _ := readHead(in)
		if strings.HasPrefix(head, "GET /body") {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
		}
		io.Copy(io.Discard, in)
	}))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the visitor has gone")
	time.AfterFunc(time.Millisecond, func() { cancel(why) })
	if _, err := rt.Do(request(t, "GET", "/", nil).WithContext(ctx), nil); !errors.Is(err, why) {
		t.Errorf("before the response: %v", err)
	}
	ctx, cancel = context.WithCancelCause(t.Context())
	res, err := rt.Do(request(t, "GET", "/body", nil).WithContext(ctx), nil)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(time.Millisecond, func() { cancel(why) })
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("the body of a cancelled request ended well")
	}
	if open := rt.connections(); open != 0 {
		t.Errorf("%d connections are left", open)
	}
}

func TestIdleConnectionsAreClosedInTime(t *testing.T) {
	ended := make(chan struct{}, 4)
	rt := to(t, scripted(t, func(conn net.Conn, in *bufio.Reader) {
		readHead(in)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		io.Copy(io.Discard, in)
		ended <- struct{}{}
	}), func(c *Config) { c.KeepIdle = time.Millisecond })
	read(t, rt, request(t, "GET", "/", nil))
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the connection is still open")
	}
}

// A client that wants no second answer on its connection has no say in the origin's.
func TestClientsConnectionsAreNotTheOrigins(t *testing.T) {
	rt := to(t, serve(t, func(http.ResponseWriter, *http.Request) {}))
	for range 3 {
		r := request(t, "GET", "/", nil)
		r.Close = true
		read(t, rt, r)
	}
	if n := rt.dials.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// Many requests of all kinds at once: each gets its own answer.
func TestSideBySide(t *testing.T) {
	rt := to(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.URL.Path, body)
	}))
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 50 {
				path, body := fmt.Sprintf("/%d/%d", i, j), strings.Repeat("x", j*100)
				r := request(t, "POST", path, strings.NewReader(body))
				ctx, cancel := context.WithCancel(r.Context())
				if j%7 == 0 {
					cancel()
				}
				res, err := rt.Do(r.WithContext(ctx), nil)
				if err == nil {
					got, err := io.ReadAll(res.Body)
					res.Body.Close()
					if err == nil && string(got) != path+" "+body {
						t.Errorf("%s got %.30q", path, got)
					}
				}
				cancel()
			}
		})
	}
	all.Wait()
	if open := rt.connections(); open > 8 {
		t.Errorf("%d connections, want at most 8", open)
	}
}

// A request that ends while its connection is made fails for the same reason as later.
func TestEndedWhileConnecting(t *testing.T) {
	cause := errors.New("the client has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	rt := to(t, "", func(c *Config) {
		c.Dial = func(ctx context.Context) (net.Conn, error) {
			cancel(cause)
			return new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:1")
		}
	})
	if _, err := rt.Do(request(t, "GET", "/", nil).WithContext(ctx), nil); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}
