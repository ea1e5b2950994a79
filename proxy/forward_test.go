package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// seen records the last request of an instance.
func seen(into *atomic.Pointer[http.Request]) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) { into.Store(r) }
}

func TestForwardedHeaders(t *testing.T) {
	var atInstance, atPanel atomic.Pointer[http.Request]
	e := startEdge(t, withPanel(seen(&atPanel)))
	e.publish(site("hello", startInstance(t, seen(&atInstance)).addr))
	forged := []string{
		"X-Forwarded-For", "203.0.113.9", "X-Forwarded-Host", "evil.test", "X-Forwarded-Proto", "http",
		"X-Forwarded-Port", "1", "X-Forwarded-Prefix", "/evil", "Forwarded", "for=203.0.113.9", "X-Real-Ip", "203.0.113.9",
		"X_Forwarded_For", "203.0.113.9", "X-Client-Ip", "203.0.113.9", "Proxy", "evil.test",
		"True-Client-Ip", "203.0.113.9", "Cf-Connecting-Ip", "203.0.113.9", "Cf-Connecting-Ipv6", "203.0.113.9",
		"Fastly-Client-Ip", "203.0.113.9", "X-Original-Url", "/evil", "X-Rewrite-Url", "/evil", "X_rewrite_URL", "/evil",
		"X-Custom", "kept", "X-Requested-With", "kept",
	}
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		get(t, c, "https://hello.berth.test/", forged...)
		r := atInstance.Load()
		if r.Host != "hello.berth.test" {
			t.Errorf("Host %q", r.Host)
		}
		want := map[string]string{
			"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "hello.berth.test", "X-Forwarded-Proto": "https",
			"X-Custom": "kept", "X-Requested-With": "kept",
		}
		for name, value := range want {
			if got := r.Header.Values(name); len(got) != 1 || got[0] != value {
				t.Errorf("%s: %q, want %q", name, got, value)
			}
		}
		for i := 0; i < len(forged); i += 2 {
			if _, ours := want[forged[i]]; !ours && r.Header[forged[i]] != nil {
				t.Errorf("%s reaches the instance", forged[i])
			}
		}
		if values := fmt.Sprint(r.Header); strings.Contains(values, "203.0.113.9") || strings.Contains(values, "evil") {
			t.Errorf("forged values reach the instance: %s", values)
		}

		get(t, c, "https://panel.berth.test/", forged...)
		if values := fmt.Sprint(atPanel.Load().Header); strings.Contains(values, "203.0.113.9") || strings.Contains(values, "evil") {
			t.Errorf("forged values reach the panel: %s", values)
		}
	})
}

// There are instances that take trailer fields for those of the header.
func TestForgedTrailers(t *testing.T) {
	var got atomic.Pointer[http.Header]
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		got.Store(&r.Trailer)
	}).addr))
	raw(t, e.dialTLS(t), "POST / HTTP/1.1", "Host: hello.berth.test", "Transfer-Encoding: chunked",
		"Trailer: X-Sum, X-Forwarded-For, X-Real-Ip, Host, Authorization, Cookie", "", "1", "x", "0",
		"X-Sum: 42", "X-Forwarded-For: 203.0.113.9", "X-Real-Ip: 203.0.113.9", "X_Real_IP: 203.0.113.9", "Host: evil.test",
		"Authorization: evil", "Cookie: evil", "Connection: evil", "Upgrade: evil", "X Evil: evil", "X-Other: evil")
	if h := *got.Load(); len(h) != 1 || h.Get("X-Sum") != "42" {
		t.Errorf("over HTTP/1.1 the instance got %v", h)
	}
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		r := request(t, http.MethodPost, "https://hello.berth.test/", "body")
		r.ContentLength = -1
		r.Trailer = http.Header{"X-Sum": {"42"}, "X-Forwarded-For": {"203.0.113.9"}, "X-Real-Ip": {"203.0.113.9"}}
		do(t, c, r)
		h := *got.Load()
		delete(h, "X-Sum") // quic-go announces and does not send it
		if len(h) > 0 {
			t.Errorf("the instance got %v", h)
		}
	})
}

func TestForgedCostsNothing(t *testing.T) {
	h := http.Header{"Content-Type": nil, "X-Requested-With": nil, "X-" + strings.Repeat("Long-", 20): nil, "": nil}
	if n := testing.AllocsPerRun(100, func() { dropForged(h) }); n != 0 || len(h) != 4 {
		t.Errorf("%v allocations, left: %v", n, h)
	}
}

func TestHopByHopHeaders(t *testing.T) {
	var at atomic.Pointer[http.Request]
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		at.Store(r)
		w.Header().Set("Connection", "X-Secret-Hop")
		for _, name := range []string{"X-Secret-Hop", "Keep-Alive", "Proxy-Authenticate", "Alt-Svc", "X-End-To-End"} {
			w.Header().Set(name, "instance")
		}
	}).addr))
	// A client cannot name our own fields to have them dropped either.
	got := raw(t, e.dialTLS(t), "GET / HTTP/1.1", "Host: hello.berth.test",
		"Connection: keep-alive, X-Hop, X-Forwarded-For, X-Forwarded-Proto", "X-Hop: client", "Keep-Alive: 5",
		"Proxy-Authorization: x", "Te: gzip", "X-End-To-End: client")
	r := at.Load()
	for _, name := range []string{"X-Hop", "Keep-Alive", "Proxy-Authorization", "Te", "Connection"} {
		if v := r.Header.Get(name); v != "" {
			t.Errorf("%s: %q reaches the instance", name, v)
		}
	}
	if r.Header.Get("X-Forwarded-For") != "127.0.0.1" || r.Header.Get("X-Forwarded-Proto") != "https" {
		t.Errorf("our fields are gone: %v", r.Header)
	}
	if r.Header.Get("X-End-To-End") != "client" || got.Header.Get("X-End-To-End") != "instance" {
		t.Error("end-to-end fields are dropped")
	}
	for _, name := range []string{"X-Secret-Hop", "Keep-Alive", "Proxy-Authenticate", "Alt-Svc"} {
		if v := got.Header.Get(name); strings.Contains(v, "instance") {
			t.Errorf("%s: %q reaches the client", name, v)
		}
	}
}

func TestResponsePassesUnchanged(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "theirs")
		w.Header().Set("Trailer", "X-Sum")
		w.Header().Set("Content-Type", "application/octet-stream") // else the edge may encode it
		w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
		w.Header().Set("X-Encodings", r.Header.Get("Accept-Encoding"))
		w.Header().Set("X-Agent", fmt.Sprint(r.Header["User-Agent"]))
		w.WriteHeader(http.StatusCreated)
		io.Copy(w, r.Body)
		w.Header().Set("X-Sum", "42")
	}).addr))
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		body := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
		got := do(t, c, request(t, http.MethodPatch, "https://hello.berth.test/", body, "Accept-Encoding", "br", "User-Agent", ""))
		if got.StatusCode != http.StatusCreated || got.body != body {
			t.Errorf("got %d and %d bytes", got.StatusCode, len(got.body))
		}
		if got.Header.Get("Server") != "theirs" || len(got.Header["Set-Cookie"]) != 2 || got.Trailer.Get("X-Sum") != "42" {
			t.Errorf("got %v, trailer %v", got.Header, got.Trailer)
		}
		if got.Header.Get("X-Encodings") != "br" || got.Header.Get("X-Agent") != "[]" {
			t.Errorf("the instance saw encodings %q, agent %q", got.Header.Get("X-Encodings"), got.Header.Get("X-Agent"))
		}
	})
}

// An instance may answer the first part of a request before it has the next.
func TestRequestAndResponseInterleave(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		control.EnableFullDuplex()
		control.Flush()
		buf := make([]byte, 1)
		for {
			if _, err := io.ReadFull(r.Body, buf); err != nil {
				return
			}
			w.Write(buf)
			control.Flush()
		}
	}).addr))
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		body, feed := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://hello.berth.test/", body)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		for _, text := range []string{"a", "b", "c"} {
			io.WriteString(feed, text)
			if got := readExactly(t, res.Body, 1); got != text {
				t.Errorf("got %q for %q", got, text)
			}
		}
		feed.Close()
		if rest, err := io.ReadAll(res.Body); len(rest) != 0 || err != nil {
			t.Errorf("ends with %q, %v", rest, err)
		}
	})
}

func TestWebSocket(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startEcho(t).addr))
	conn := e.websocket(t, "hello")
	for _, text := range []string{"one", strings.Repeat("x", 20<<10)} {
		if got := conn.echo(t, text); got != text {
			t.Errorf("got %d bytes back", len(got))
		}
	}
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	eventually(t, "the request ends with its connection", func() bool { return e.Stats().InFlight == 0 })
}

func startEcho(t testing.TB) *instance {
	return startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		for {
			kind, data, err := conn.Read(r.Context())
			if err != nil || conn.Write(r.Context(), kind, data) != nil {
				return
			}
		}
	})
}

type socket struct{ *websocket.Conn }

func (e *edge) websocket(t testing.TB, name string) socket {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), "wss://"+name+".berth.test/", &websocket.DialOptions{HTTPClient: e.client(1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	return socket{conn}
}

func (s socket) echo(t testing.TB, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
	_, data, err := s.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestStreamingIsFlushed(t *testing.T) {
	tests := map[string]http.Header{
		"events":       {"Content-Type": {"text/event-stream"}},
		"chunked":      {},
		"known length": {"Content-Length": {"10"}},
	}
	for name, header := range tests {
		t.Run(name, func(t *testing.T) {
			e := startEdge(t)
			next := make(chan struct{})
			e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
				for k, v := range header {
					w.Header()[k] = v
				}
				io.WriteString(w, "first")
				w.(http.Flusher).Flush()
				select {
				case <-next:
				case <-r.Context().Done():
				}
				io.WriteString(w, "after")
			}).addr))
			everyVersion(t, e, func(t *testing.T, c *http.Client) {
				res, err := c.Do(request(t, http.MethodGet, "https://hello.berth.test/", ""))
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if got := readExactly(t, res.Body, 5); got != "first" {
					t.Errorf("got %q", got)
				}
				next <- struct{}{}
				if got := readExactly(t, res.Body, 5); got != "after" {
					t.Errorf("got %q", got)
				}
			})
		})
	}
}

func readExactly(t testing.TB, r io.Reader, n int) string {
	t.Helper()
	type result struct {
		data []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		buf := make([]byte, n)
		_, err := io.ReadFull(r, buf)
		read <- result{buf, err}
	}()
	got := receive(t, "reading the body", read)
	if got.err != nil {
		t.Fatal(got.err)
	}
	return string(got.data)
}

func TestBrokenResponseIsAborted(t *testing.T) {
	e := startEdge(t)
	root := release(t, "files")
	broken := site("hello", startInstance(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "only this")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}).addr)
	broken.Root = root // must not be appended to what has been sent
	e.publish(broken)
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		res, err := c.Do(request(t, http.MethodGet, "https://hello.berth.test/", ""))
		if err != nil {
			return // aborted before the header was flushed
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); err == nil || strings.Contains(string(body), "files") {
			t.Errorf("got %q, error %v", body, err)
		}
	})
}

func TestClientThatLeavesIsNoError(t *testing.T) {
	e := startEdge(t)
	began, ended := make(chan struct{}), make(chan struct{})
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			io.WriteString(w, "first")
			w.(http.Flusher).Flush()
		}
		began <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	}).addr))
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		for _, path := range []string{"/header", "/body"} {
			ctx, cancel := context.WithCancel(t.Context())
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				res, err := c.Do(request(t, http.MethodGet, "https://hello.berth.test"+path, "").WithContext(ctx))
				if err == nil {
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			}()
			receive(t, "the instance's beginning", began)
			cancel()
			receive(t, "the instance's being told", ended)
			receive(t, "the client's end", gone)
		}
	})
	eventually(t, "no request in flight", func() bool { return e.Stats().InFlight == 0 })
	if log := e.logged.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
	if n := e.Stats().Failures; n != 0 {
		t.Errorf("%d failures", n)
	}
}
