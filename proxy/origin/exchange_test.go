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
	"testing"
	"time"
)

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
