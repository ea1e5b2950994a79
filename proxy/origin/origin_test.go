package origin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const patience = 30 * time.Second

// dialed is a Transport to an address that counts its connections.
type dialed struct {
	*Transport
	dials atomic.Int64
}

func to(t *testing.T, addr string, change ...func(*Config)) *dialed {
	t.Helper()
	d := &dialed{}
	cfg := Config{
		Dial: func(ctx context.Context) (net.Conn, error) {
			d.dials.Add(1)
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		},
		MaxConns: 8, MaxIdle: 8, KeepIdle: patience, Queue: patience, Response: patience, MaxHeaderBytes: 16 << 10,
	}
	for _, c := range change {
		c(&cfg)
	}
	d.Transport = New(cfg)
	t.Cleanup(d.CloseIdleConnections)
	return d
}

// serve runs an origin.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// scripted runs an origin that does with each connection what the script says.
func scripted(t *testing.T, script func(net.Conn, *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	t.Cleanup(func() { l.Close(); conns.Wait() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				script(conn, bufio.NewReader(conn))
			})
		}
	}()
	return l.Addr().String()
}

// readHead reads a request's line and header.
func readHead(in *bufio.Reader) (string, error) {
	var head strings.Builder
	for {
		line, err := in.ReadString('\n')
		head.WriteString(line)
		if err != nil || line == "\r\n" {
			return head.String(), err
		}
	}
}

func request(t *testing.T, method, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://origin.test"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func read(t *testing.T, rt *dialed, r *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := rt.Do(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if hasBody(r) && !res.Close {
		// The connection is free when the sender has seen the end of the body, too.
		await(t, "the connection is free", func() bool { return rt.idling() > 0 })
	}
	return res, string(text)
}

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

func TestBodiesOfUnknownLengthAndTrailers(t *testing.T) {
	rt := to(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "After")
		fmt.Fprintf(w, "%v %d %s", r.TransferEncoding, len(body), r.Trailer.Get("Before"))
		w.(http.Flusher).Flush()
		w.Header().Set("After", "all")
	}))
	for range 3 {
		r := request(t, "POST", "/", io.MultiReader(strings.NewReader(strings.Repeat("x", 100_000))))
		r.ContentLength = -1
		r.Trailer = http.Header{"Before": {"end"}}
		res, got := read(t, rt, r)
		if got != "[chunked] 100000 end" || res.Trailer.Get("After") != "all" {
			t.Errorf("%q, trailer %v", got, res.Trailer)
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

func TestTruncatedBodyIsAnError(t *testing.T) {
	for _, framing := range []string{"Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\na\r\nhalf"} {
		rt := to(t, scripted(t, func(conn net.Conn, in *bufio.Reader) {
			readHead(in)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+framing)
		}))
		res, err := rt.Do(request(t, "GET", "/", nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(res.Body); string(got) != "half" || err == nil {
			t.Errorf("%q, %v", got, err)
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

func (t *Transport) connections() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open
}

func (t *Transport) idling() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.idle)
}

func TestUpgrade(t *testing.T) {
	rt := to(t, scripted(t, func(conn net.Conn, in *bufio.Reader) {
		readHead(in)
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
		io.Copy(conn, in)
	}))
	r := request(t, "GET", "/", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "echo")
	res, err := rt.Do(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	stream := res.Body.(io.ReadWriteCloser)
	io.WriteString(stream, " world")
	if err := stream.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(stream); string(got) != "hello world" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	stream.Close()
	if open := rt.connections(); open != 0 {
		t.Errorf("%d connections are left", open)
	}
}

func TestInterimResponses(t *testing.T) {
	rt := to(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		body, _ := io.ReadAll(r.Body) // the server sends 100 (Continue)
		w.Write(body)
	}))
	var interim []string
	r := request(t, "POST", "/", strings.NewReader("body"))
	r.Header.Set("Expect", "100-continue")
	res, err := rt.Do(r, func(status int, h http.Header) { interim = append(interim, fmt.Sprint(status, h["Link"])) })
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, _ := io.ReadAll(res.Body); string(got) != "body" || fmt.Sprint(interim) != "[103 [</a.css>; rel=preload] 100 []]" {
		t.Errorf("%q, interim %v", got, interim)
	}
}

func TestBodyThatIsNotWantedIsNotSent(t *testing.T) {
	got := make(chan int64, 1)
	rt := to(t, scripted(t, func(conn net.Conn, in *bufio.Reader) {
		readHead(in)
		io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
		n, _ := io.Copy(io.Discard, in)
		got <- n
	}))
	r := request(t, "POST", "/", strings.NewReader("body"))
	r.Header.Set("Expect", "100-continue")
	res, err := rt.Do(r, nil)
	if err != nil || res.StatusCode != 413 {
		t.Fatal(res, err)
	}
	if n := <-got; n != 0 {
		t.Errorf("%d bytes of the body were sent", n)
	}
}

func TestEarlyResponseToAnEndlessBody(t *testing.T) {
	rt := to(t, scripted(t, func(conn net.Conn, in *bufio.Reader) {
		readHead(in)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
		io.Copy(io.Discard, in)
	}))
	endless, stop := io.Pipe()
	r := request(t, "POST", "/", endless)
	r.ContentLength = 100
	res, err := rt.Do(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(res.Body); string(got) != "early" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	stop.CloseWithError(errors.New("given up"))
	await(t, "the connection with half a request on it is closed", func() bool { return rt.connections() == 0 })
}

// await waits for something that is bound to happen.
func await(t *testing.T, what string, happened func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !happened() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		runtime.Gosched()
	}
}

func TestShortBodyIsNoWholeRequest(t *testing.T) {
	heads := make(chan error, 1)
	rt := to(t, scripted(t, func(conn net.Conn, in *bufio.Reader) {
		r, err := http.ReadRequest(in)
		if err == nil {
			_, err = io.ReadAll(r.Body)
		}
		heads <- err
	}))
	r := request(t, "POST", "/", io.MultiReader(strings.NewReader("short")))
	r.ContentLength = 10
	if _, err := rt.Do(r, nil); err == nil || !strings.Contains(err.Error(), "Content-Length") {
		t.Errorf("sent: %v", err)
	}
	if err := <-heads; err == nil {
		t.Error("the origin took it for whole")
	}
}

func TestLongBodyIsNoSecondRequest(t *testing.T) {
	got := make(chan string, 1)
	rt := to(t, scripted(t, func(_ net.Conn, in *bufio.Reader) {
		text, _ := io.ReadAll(in)
		got <- string(text)
	}))
	r := request(t, "POST", "/", io.MultiReader(strings.NewReader("body"), strings.NewReader("GET / HTTP/1.1\r\n\r\n")))
	r.ContentLength = 4
	if _, err := rt.Do(r, nil); !errors.Is(err, errLength) {
		t.Errorf("sent: %v", err)
	}
	if text := <-got; strings.Contains(text, "GET") {
		t.Errorf("the origin got %q", text)
	}
}

func TestForbiddenBytesAreNotSent(t *testing.T) {
	rt := to(t, serve(t, func(http.ResponseWriter, *http.Request) { t.Error("was sent") }))
	r := request(t, "GET", "/", nil)
	r.Header["X"] = []string{"a\r\nEvil: b"}
	if _, err := rt.Do(r, nil); !errors.Is(err, errForbiddenByte) {
		t.Errorf("got %v", err)
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

// An origin that refuses a body and resets the connection is heard all the same.
func TestLastWordOfAnOriginThatTakesNoMore(t *testing.T) {
	addr := scripted(t, func(conn net.Conn, in *bufio.Reader) {
		readHead(in)
		io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
	})
	rt := to(t, "", func(c *Config) {
		c.Dial = func(context.Context) (net.Conn, error) {
			conn, err := net.Dial("tcp", addr)
			return &slowReader{Conn: conn, failed: make(chan struct{})}, err
		}
	})
	r := request(t, "POST", "/", zeros{})
	r.ContentLength = 1 << 40
	res, err := rt.Do(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(res.Body); res.StatusCode != 413 || string(got) != "no" || err != nil {
		t.Errorf("got %d %q, %v", res.StatusCode, got, err)
	}
}

// slowReader reads only once a write has failed.
type slowReader struct {
	net.Conn
	once   sync.Once
	failed chan struct{}
}

func (c *slowReader) Read(p []byte) (int, error) {
	<-c.failed
	return c.Conn.Read(p)
}

func (c *slowReader) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		c.once.Do(func() { close(c.failed) })
	}
	return n, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// What an origin sends beyond a response is not the answer to the next request.
func TestNothingPassesForTheNextResponse(t *testing.T) {
	const poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
	answered := make(chan struct{})
	rt := to(t, scripted(t, func(conn net.Conn, in *bufio.Reader) {
		for {
			head, err := readHead(in)
			if err != nil {
				return
			}
			method, _, _ := strings.Cut(head, " ")
			switch method {
			case "HEAD": // answered like a GET
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 46\r\n\r\n")
				<-answered
				io.WriteString(conn, poison)
			case "OPTIONS": // more than it says, and more than fits into a buffer
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n"+strings.Repeat("x", 20_000))
				<-answered
				io.WriteString(conn, poison)
			default:
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		}
	}))
	for _, method := range []string{"HEAD", "OPTIONS"} {
		read(t, rt, request(t, method, "/", nil))
		answered <- struct{}{}
		await(t, "the rest is there", func() bool {
			rt.mu.Lock()
			defer rt.mu.Unlock()
			return !rt.idle[0].alive()
		})
		if _, got := read(t, rt, request(t, "GET", "/", nil)); got != "ok" {
			t.Errorf("after %s: got %q", method, got)
		}
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

func TestOriginThatDoesNotRead(t *testing.T) {
	ended := make(chan struct{})
	rt := to(t, scripted(t, func(net.Conn, *bufio.Reader) { <-ended }), func(c *Config) { c.Response = 50 * time.Millisecond })
	defer close(ended)
	large := request(t, "GET", "/", nil)
	large.Header.Set("X", strings.Repeat("x", 32<<20)) // more than all buffers on the way hold
	upload := request(t, "POST", "/", zeros{})
	upload.ContentLength = 1 << 40
	for _, r := range []*http.Request{large, upload} {
		var timeout net.Error
		if _, err := rt.Do(r, nil); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%s: %v", r.Method, err)
		}
	}
	await(t, "no connection is left", func() bool { return rt.connections() == 0 })
}

// A trailer has what was announced and may be there.
func TestTrailersAreChosen(t *testing.T) {
	rt := to(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, r.Trailer, r.Host, r.ContentLength)
	}))
	r := request(t, "POST", "/", nil)
	r.ContentLength = -1
	r.Trailer = http.Header{"X-Sum": nil, "Host": nil, "Content-Length": nil, "Authorization": nil, "Cookie": nil, "Upgrade": nil, "A B": nil}
	r.Body = io.NopCloser(readerFunc(func([]byte) (int, error) {
		for name := range r.Trailer {
			r.Trailer[name] = []string{"1"}
		}
		r.Trailer["X-Other"] = []string{"1"}
		return 0, io.EOF
	}))
	if _, got := read(t, rt, r); got != "map[X-Sum:[1]]origin.test-1" {
		t.Errorf("got %s", got)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

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
