package http2_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	xhttp2 "golang.org/x/net/http2"

	"berth/proxy/http2"
)

// described is what a handler can see of a request.
type described struct {
	Method, URL, Path, RawPath, Query, Proto, Host, URI, Body, Err string
	Major, Minor                                                   int
	Length                                                         int64
	TLS, Remote                                                    bool
	Header, Trailer                                                http.Header
	Encoding                                                       []string
}

func describe(w http.ResponseWriter, r *http.Request) {
	d := described{
		Method: r.Method, URL: r.URL.String(), Path: r.URL.Path, RawPath: r.URL.RawPath, Query: r.URL.RawQuery, Proto: r.Proto,
		URI: r.RequestURI, Major: r.ProtoMajor, Minor: r.ProtoMinor, Length: r.ContentLength,
		TLS: r.TLS != nil && r.TLS.HandshakeComplete, Remote: strings.HasPrefix(r.RemoteAddr, "127.0.0.1:"), Header: r.Header,
		Encoding: r.TransferEncoding,
	}
	d.Host, _, _ = strings.Cut(r.Host, ":")
	body, err := io.ReadAll(r.Body)
	d.Body, d.Err, d.Trailer = string(body), fmt.Sprint(err), r.Trailer
	json.NewEncoder(w).Encode(d)
}

// besideNetHTTP starts net/http's own server with the same handler.
func besideNetHTTP(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = discardLog
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestRequestsAreThoseOfNetHTTP(t *testing.T) {
	own, other := start(t, describe), besideNetHTTP(t, describe)
	for name, ask := range map[string]func(url string) *http.Request{
		"plain":    func(url string) *http.Request { return request("GET", url+"/a/b?c=d&e", nil) },
		"encoded":  func(url string) *http.Request { return request("GET", url+"/a%2Fb/%20c?d=%20e#f", nil) },
		"odd path": func(url string) *http.Request { return request("GET", url+"//a/../b;c", nil) },
		"question": func(url string) *http.Request { return request("GET", url+"/a?", nil) },
		"fields": func(url string) *http.Request {
			r := request("GET", url+"/", nil)
			r.Header = http.Header{
				"Cookie": {"a=b; c=d", "e=f"}, "X-Several": {"1", "2", "3"}, "X-Odd-NAME": {"x"}, "Te": {"trailers"},
				"Accept-Encoding": {"br"}, "Empty": {""},
			}
			return r
		},
		"body":       func(url string) *http.Request { return request("POST", url+"/", strings.NewReader("body")) },
		"empty body": func(url string) *http.Request { return request("POST", url+"/", http.NoBody) },
		"unknown body": func(url string) *http.Request {
			return request("PUT", url+"/", io.MultiReader(strings.NewReader("body")))
		},
		"host": func(url string) *http.Request {
			r := request("GET", url+"/", nil)
			r.Host = "site.test"
			return r
		},
		"trailer": func(url string) *http.Request {
			r := request("POST", url+"/", io.MultiReader(strings.NewReader("body")))
			r.Trailer = http.Header{"X-Sum": {"1"}}
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := fetch(t, own.client(t), ask("https://"+own.addr))
			want := fetch(t, other.Client(), ask(other.URL))
			if got.body != want.body {
				t.Errorf("got\n%swant\n%s", got.body, want.body)
			}
		})
	}
}

func TestRequestWithoutBodyHasNone(t *testing.T) {
	s := start(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Body != http.NoBody || r.ContentLength != 0 {
			t.Errorf("%s %s: %T of %d bytes", r.Method, r.RequestURI, r.Body, r.ContentLength)
		}
	})
	c := s.dial(t)
	for i, method := range []string{"GET", "POST"} {
		c.must(c.open(uint32(2*i+1), true, c.to(method, "/")))
		c.status(uint32(2*i + 1))
	}
	c.must(c.open(5, true, c.to("OPTIONS", "*")))
	c.status(5)
	c.must(c.open(7, false, c.to("POST", "/", "content-length", "0")))
	c.status(7)
}

func request(method, url string, body io.Reader) *http.Request {
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		panic(err)
	}
	return r
}

// fetched is a response with its body.
type fetched struct {
	*http.Response
	body string
	err  error // of reading it
}

func fetch(t testing.TB, c *http.Client, r *http.Request) fetched {
	t.Helper()
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return fetched{res, string(body), err}
}

func TestMalformedRequestsAreReset(t *testing.T) {
	s := start(t, func(http.ResponseWriter, *http.Request) { t.Error("a malformed request was served") })
	const m, p, sc, a = ":method", ":path", ":scheme", ":authority"
	c := s.dial(t)
	for i, fields := range [][]string{
		{a, ""},
		{a, "", m, "GET"},
		{m, "GET", p, "/"},
		{m, "GET", sc, "https"},
		{p, "/", sc, "https"},
		{m, "", p, "/", sc, "https"},
		{m, "GET", p, "", sc, "https"},
		{m, "GET", p, "/", sc, "https", p, "/"},
		{m, "GET", p, "/", sc, "ftp"},
		{m, "GET", p, "/", sc, "https", ":protocol", "websocket"},
		{m, "GET", p, "/", "x", "y", sc, "https"},
		{m, "G T", p, "/", sc, "https"},
		{m, "GET", p, "x", sc, "https"},
		{m, "GET", p, "*", sc, "https"},
		{m, "GET", p, "http://site.test/", sc, "https"},
		{m, "GET", p, "/%", sc, "https"},
		{m, "CONNECT", p, "/", sc, "https", a, "x"},
		{m, "CONNECT"},
		{m, "GET", p, "/", sc, "https", a, "site.test", "host", "other.test"},
		{m, "GET", p, "/", sc, "https", "host", "a.test", "host", "a.test"},
		{m, "GET", p, "/", sc, "https", a, "user@site.test"},
		{m, "GET", p, "/", sc, "https", a, "a b"},
		{m, "GET", p, "/", sc, "https", "Upper", "x"},
		{m, "GET", p, "/", sc, "https", "a b", "x"},
		{m, "GET", p, "/", sc, "https", "", "x"},
		{m, "GET", p, "/", sc, "https", "x", " y"},
		{m, "GET", p, "/", sc, "https", "x", "y\t"},
		{m, "GET", p, "/", sc, "https", "x", "y\nz"},
		{m, "GET", p, "/", sc, "https", "x", "y\x00"},
		{m, "GET", p, "/", sc, "https", "connection", "close"},
		{m, "GET", p, "/", sc, "https", "keep-alive", "1"},
		{m, "GET", p, "/", sc, "https", "proxy-connection", "x"},
		{m, "GET", p, "/", sc, "https", "transfer-encoding", "chunked"},
		{m, "GET", p, "/", sc, "https", "upgrade", "h2c"},
		{m, "GET", p, "/", sc, "https", "te", "gzip"},
		{m, "GET", p, "/", sc, "https", "content-length", "1"},
		{m, "GET", p, "/", sc, "https", "content-length", "-1"},
		{m, "GET", p, "/", sc, "https", "content-length", "+0"},
		{m, "GET", p, "/", sc, "https", "content-length", "0", "content-length", "0"},
		{m, "GET", p, "/", sc, "https", "content-length", "0, 0"},
	} {
		id := uint32(2*i + 1)
		c.must(c.open(id, true, c.header(fields...)))
		c.wantReset(id, xhttp2.ErrCodeProtocol)
		if t.Failed() {
			t.Fatalf("%q", fields)
		}
	}
	c.alive()
}

func TestContextEndsWithTheRequest(t *testing.T) {
	begun, ended := make(chan context.Context, 1), make(chan struct{}, 1)
	var after chan struct{}
	s := start(t, func(_ http.ResponseWriter, r *http.Request) {
		derived, cancel := context.WithCancel(r.Context())
		defer cancel()
		context.AfterFunc(r.Context(), func() { close(after) })
		never := context.AfterFunc(r.Context(), func() { t.Error("it was stopped") })
		if !never() || never() {
			t.Error("stop does not tell")
		}
		if r.Context().Value(http.LocalAddrContextKey) == nil {
			t.Error("no local address")
		}
		begun <- r.Context()
		if r.URL.Path == "/waits" {
			<-derived.Done()
			if !errors.Is(derived.Err(), context.Canceled) {
				t.Error(derived.Err())
			}
		}
		ended <- struct{}{}
	})
	for name, end := range map[string]func(c *raw){
		"reset":  func(c *raw) { c.must(c.WriteRSTStream(1, xhttp2.ErrCodeCancel)) },
		"closed": func(c *raw) { c.Close() },
		"served": nil,
	} {
		t.Run(name, func(t *testing.T) {
			after = make(chan struct{})
			c, path := s.dial(t), "/returns"
			if end != nil {
				path = "/waits"
			}
			c.get(1, path)
			ctx := receive(t, "the request", begun)
			if end != nil {
				if ctx.Err() != nil {
					t.Error("it ends too early")
				}
				end(c)
			}
			receive(t, "the handler's end", ended)
			receive(t, "the function that waits for the end", after)
			if receive(t, "the context's end", ctx.Done()); ctx.Err() == nil {
				t.Error("it has no error")
			}
		})
	}
}

func TestBaseContextEndsRequests(t *testing.T) {
	begun := make(chan struct{}, 1)
	s := start(t, func(_ http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.base = ctx
	c := s.dial(t)
	c.get(1, "/")
	receive(t, "the request", begun)
	cancel()
	if status := c.status(1); status != "200" {
		t.Error(status)
	}
}

func TestHeaderThatIsTooLarge(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("Large")[:1]) },
		func(s *http2.Server) { s.MaxHeaderBytes = 8 << 10 })
	c := s.dial(t)
	large := func(id uint32, size int) { c.get(id, "/", "large", strings.Repeat("~", size)) }
	large(1, 7<<10)
	if status := c.status(1); status != "200" {
		t.Error(status)
	}
	large(3, 9<<10)
	if status := c.status(3); status != "431" {
		t.Error(status)
	}
	c.get(5, "/", "large", "x") // the state of the compression is in step
	if status := c.status(5); status != "200" {
		t.Error(status)
	}
	c.must(c.open(7, true, c.to("HEAD", "/", "large", strings.Repeat("~", 9<<10))))
	if f := await(c, "a response", anyOf[*xhttp2.MetaHeadersFrame]); !f.StreamEnded() {
		t.Error("HEAD has a body")
	}
}
