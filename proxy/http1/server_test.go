package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long tests wait for what is to come.
const patience = 20 * time.Second

// site is a Server that serves a listener.
type site struct {
	*Server
	addr   string
	logged *syncBuffer
}

func start(t *testing.T, handler http.HandlerFunc, set ...func(*Server)) *site {
	t.Helper()
	logged := new(syncBuffer)
	s := &Server{
		Handler: handler, MaxHeaderBytes: 64 << 10, HeaderTimeout: patience, IdleTimeout: patience, Log: log.New(logged, "", 0),
	}
	for _, apply := range set {
		apply(s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.Serve(ctx, conn, nil) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		s.Close()
		serving.Wait()
	})
	return &site{s, l.Addr().String(), logged}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

func await(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("in vain: ", what)
	}
}

// answer is what a client sees of a response.
type answer struct {
	status  int
	header  http.Header
	length  int64
	coding  []string
	closes  bool
	body    string
	broken  bool
	trailer http.Header
}

// ask sends requests in one piece, and reads the answers until the server closes or has given as many.
func ask(t *testing.T, addr, requests string, count int, method string) (all []answer) {
	t.Helper()
	conn := dial(t, addr)
	if _, err := io.WriteString(conn, requests); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for len(all) < count {
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return all
		}
		body, err := io.ReadAll(res.Body)
		res.Header.Del("Date")
		res.Header.Del("Connection")
		all = append(all, answer{
			res.StatusCode, res.Header, res.ContentLength, res.TransferEncoding, res.Close, string(body), err != nil, res.Trailer,
		})
		if res.Close {
			break
		}
	}
	return all
}

// handlers are what servers may be asked to do.
var handlers = map[string]http.HandlerFunc{
	"nothing": func(http.ResponseWriter, *http.Request) {},
	"short":   func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<p>short") },
	"two writes": func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "one ")
		io.WriteString(w, "two")
	},
	"long": func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte("long"), 50_000)) },
	"long in parts": func(w http.ResponseWriter, _ *http.Request) {
		for range 1000 {
			w.Write(bytes.Repeat([]byte("x"), 333))
		}
	},
	"declared": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000")
		w.Header().Set("Content-Type", "text/x")
		w.Write(bytes.Repeat([]byte("x"), 100_000))
	},
	"declared, less": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "less")
	},
	"declared, more": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "4")
		if _, err := io.WriteString(w, "more than"); !errors.Is(err, http.ErrContentLength) {
			panic(fmt.Sprint("more than declared: ", err))
		}
	},
	"no content": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
	"not modified": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"x"`)
		w.WriteHeader(http.StatusNotModified)
		if _, err := io.WriteString(w, "body"); !errors.Is(err, http.ErrBodyNotAllowed) {
			panic(fmt.Sprint("a body of a 304: ", err))
		}
	},
	"flushed": func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		io.WriteString(w, "second")
	},
	"header later": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Before", "1")
		w.WriteHeader(http.StatusTeapot)
		w.Header().Set("X-After", "1")
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, "teapot")
	},
	"closes": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		io.WriteString(w, "closes")
	},
	"trailers": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum, X-Other")
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", "1")
		w.(http.Flusher).Flush()
		w.Header().Set(http.TrailerPrefix+"X-Late", "2")
	},
	"injection": func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["X-A"] = []string{"a\r\nX-B: b", "c\nd"}
		w.Header()["X Bad"] = []string{"x"}
		w.Header()["X-Bad\r\n"] = []string{"x"}
	},
	"reads all": func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err, r.ContentLength, r.TransferEncoding, r.Trailer)
	},
	"reads a little": func(w http.ResponseWriter, r *http.Request) {
		io.ReadFull(r.Body, make([]byte, 2))
		io.WriteString(w, "little")
	},
	"request": func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, r.Method, r.URL, r.Proto, r.Host, r.RequestURI, r.Header, r.Close, r.TLS == nil, r.RemoteAddr != "")
	},
	"empty values": func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"], w.Header()["Content-Type"] = nil, nil
		io.WriteString(w, "bare")
	},
	"copies": func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, io.LimitReader(strings.NewReader(strings.Repeat("copy", 30_000)), 100_000))
	},
	"informs": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("X-Final", "1")
		io.WriteString(w, "final")
	},
}

// requests are asked of each; each is asked twice on one connection.
var requests = []struct{ method, text string }{
	{"GET", "GET /a?b=c HTTP/1.1\r\nHost: x.test\r\nX-A: 1\r\nx-a: 2\r\n\r\n"},
	{"HEAD", "HEAD / HTTP/1.1\r\nHost: x.test\r\n\r\n"},
	{"GET", "GET / HTTP/1.0\r\n\r\n"},
	{"GET", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"},
	{"GET", "GET / HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n"},
	{"POST", "POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: 9\r\n\r\nsome body"},
	{"POST", "POST / HTTP/1.1\r\nHost: x.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n4\r\nsome\r\n5\r\n body\r\n0\r\nX-T: t\r\n\r\n"},
	{"GET", "GET http://y.test/z HTTP/1.1\r\nHost: x.test\r\n\r\n"},
}

// TestAnswersAreThoseOfNetHTTP has both servers asked the same.
func TestAnswersAreThoseOfNetHTTP(t *testing.T) {
	for name, handler := range handlers {
		ours, theirs := start(t, handler), httptest.NewServer(handler)
		for _, r := range requests {
			if differ(name, r.text) {
				continue
			}
			got := ask(t, ours.addr, r.text+r.text, 2, r.method)
			want := ask(t, theirs.Listener.Addr().String(), r.text+r.text, 2, r.method)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %.60q:\n got %.300s\nwant %.300s", name, r.text, fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
			}
		}
		theirs.Close()
		if text := ours.logged.String(); text != "" {
			t.Errorf("%s: logged %s", name, text)
		}
	}
}

// differ names what net/http does in another way, on purpose: it reads a body in chunks that its handler does not want before
// it answers, does not say the length of what HEAD does not have, and informs clients of HTTP/1.0, which cannot know what that is.
func differ(handler, request string) bool {
	long := strings.HasPrefix(handler, "long") || handler == "copies"
	return strings.Contains(request, "chunked") && handler != "reads all" || strings.HasPrefix(request, "HEAD") && long ||
		strings.Contains(request, "HTTP/1.0") && handler == "informs"
}

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
