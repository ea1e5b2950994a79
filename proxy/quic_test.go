package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// dialQUIC opens a connection for what an HTTP/3 client would not do.
func (e *edge) dialQUIC(t testing.TB, config *tls.Config) (*quic.Conn, error) {
	t.Helper()
	config.RootCAs, config.NextProtos = e.roots, []string{"h3"}
	if config.ServerName == "" {
		config.ServerName = testZone
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := quic.DialAddr(ctx, e.secure, config, &quic.Config{KeepAlivePeriod: time.Second})
	if err == nil {
		t.Cleanup(func() { conn.CloseWithError(0, "") })
	}
	return conn, err
}

func mustQUIC(t testing.TB, e *edge) *quic.Conn {
	t.Helper()
	conn, err := e.dialQUIC(t, &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// headersFrame is a HEADERS frame of HTTP/3 with a request for a path of the panel.
func headersFrame(path string) []byte {
	var block strings.Builder
	enc := qpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", testPanel}, {":path", path}} {
		_ = enc.WriteField(qpack.HeaderField{Name: f[0], Value: f[1]}) // into memory
	}
	frame := []byte{0x1, 0x40 | byte(block.Len()>>8), byte(block.Len())} // the length in two bytes
	return append(frame, block.String()...)
}

func TestHTTP3IsOffered(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, says("hello")).addr))
	_, port, _ := net.SplitHostPort(e.secure)
	for major, want := range map[int]string{1: `h3=":` + port + `"; ma=86400`, 2: `h3=":` + port + `"; ma=86400`, 3: ""} {
		for _, host := range []string{"hello", "panel", "nobody"} {
			got := get(t, e.client(major), "https://"+host+".berth.test/")
			if got.ProtoMajor != major || got.Header.Get("Alt-Svc") != want {
				t.Errorf("%s of %s: Alt-Svc %q, want %q", got.Proto, host, got.Header.Get("Alt-Svc"), want)
			}
		}
	}
	if got := get(t, e.client(1), "http://hello.berth.test/"); got.Header.Get("Alt-Svc") != "" {
		t.Error("it is offered without TLS")
	}
}

// The end of a stream tells whether there is a body; an instance must not be told of one that is not there.
func TestHTTP3RequestWithoutBody(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %d %v %q", r.Method, r.ContentLength, r.TransferEncoding, body)
	}).addr))
	for _, test := range []struct{ method, body, want string }{
		{"GET", "", `GET 0 [] ""`},
		{"DELETE", "", `DELETE 0 [] ""`},
		{"POST", "", `POST 0 [] ""`},
		{"POST", "ab", `POST 2 [] "ab"`},
		{"DELETE", "ab", `DELETE 2 [] "ab"`},
	} {
		if got := do(t, e.client(3), request(t, test.method, "https://hello.berth.test/", test.body)); got.body != test.want {
			t.Errorf("got %q, want %q", got.body, test.want)
		}
	}
	for method, want := range map[string]string{"OPTIONS": `OPTIONS -1 [chunked] "ab"`, "POST": `POST -1 [chunked] "ab"`} {
		req := request(t, method, "https://hello.berth.test/", "")
		req.Body, req.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("a"), strings.NewReader("b"))), -1
		if got := do(t, e.client(3), req); got.body != want {
			t.Errorf("without a length: got %q, want %q", got.body, want)
		}
	}
}

// A client that never completes its headers holds no more of them than are allowed, and none for long, while others on the
// same server are served.
func TestHTTP3SlowHeaders(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) { l.header = 5 * time.Second }))
	conn := mustQUIC(t, e)
	frame := headersFrame("/")
	var streams []*quic.Stream
	for range unreadHeaders + 1 {
		str, err := conn.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := str.Write(frame[:len(frame)-1]); err != nil {
			t.Fatal(err)
		}
		streams = append(streams, str)
	}
	if got := get(t, e.client(3), "https://panel.berth.test/"); got.body != "panel" {
		t.Errorf("meanwhile: got %q", got.body)
	}
	for i, str := range streams {
		_ = str.SetReadDeadline(time.Now().Add(patience))
		var reset *quic.StreamError
		if _, err := str.Read(make([]byte, 1)); !errors.As(err, &reset) || !reset.Remote {
			t.Fatalf("stream %d: %v", i, err)
		}
	}
	str, err := conn.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := str.Write(frame); err != nil {
		t.Fatal(err)
	}
	_ = str.SetReadDeadline(time.Now().Add(patience))
	if _, err := str.Read(make([]byte, 1)); err != nil {
		t.Errorf("a whole request after them: %v", err)
	}
}

// Streams that are reset at once keep their places until their requests are done with (CVE-2023-44487).
func TestHTTP3RapidReset(t *testing.T) {
	running := make(chan struct{}, 1024)
	e := startEdge(t, withLimits(func(l *limits) { l.streams = 4 }), withPanel(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/slow" {
			return
		}
		running <- struct{}{}
		<-r.Context().Done()
		<-running
	}))
	conn := mustQUIC(t, e)
	frame := headersFrame("/slow")
	for range 500 {
		str, err := conn.OpenStreamSync(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := str.Write(frame); err != nil {
			t.Fatal(err)
		}
		str.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
		str.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
		if n := len(running); n > 4 {
			t.Fatalf("%d requests of one connection run", n)
		}
	}
	if got := get(t, e.client(3), "https://panel.berth.test/"); got.StatusCode != 200 {
		t.Errorf("another client: got %d", got.StatusCode)
	}
	eventually(t, "they all end", func() bool { return len(running) == 0 })
}

func TestHTTP3ConnectionsAreBounded(t *testing.T) {
	e := startEdge(t, withDescriptors(descriptors{clients: 4, perClient: 2, instances: 8, perInstance: 8, files: 8}))
	first := mustQUIC(t, e)
	eventually(t, "it waits for requests", func() bool { return e.waiting() == 1 })
	second := mustQUIC(t, e)
	eventually(t, "both wait for requests", func() bool { return e.waiting() == 2 })
	third := mustQUIC(t, e) // the one that has been waiting longest makes room
	eventually(t, "both wait for requests", func() bool { return e.waiting() == 2 })
	select {
	case <-first.Context().Done():
	case <-time.After(patience):
		t.Error("the first connection is kept")
	}
	for _, conn := range []*quic.Conn{second, third} {
		if err := conn.Context().Err(); err != nil {
			t.Errorf("another was closed: %v", context.Cause(conn.Context()))
		}
	}
	tcp := e.dialTLSFrom(t, "127.0.0.1") // of the same client
	if got := raw(t, tcp, "GET / HTTP/1.1", "Host: panel.berth.test"); got.body != "panel" {
		t.Errorf("got %q", got.body)
	}
	select {
	case <-second.Context().Done():
	case <-time.After(patience):
		t.Error("connections of TCP and QUIC are not counted together")
	}
	for _, conn := range []*quic.Conn{second, third} {
		conn.CloseWithError(0, "")
	}
	tcp.Close()
	eventually(t, "none counts", func() bool { return e.connections() == 0 })
}

func TestHTTP3ConnectionsInUseAreBounded(t *testing.T) {
	e := startEdge(t, withDescriptors(descriptors{clients: 8, perClient: 2, instances: 8, perInstance: 8, files: 8}))
	began, finish := e.slowSite(t)
	answers := make(chan string, 2)
	for range cap(answers) {
		c := e.client(3)
		go func() { answers <- get(t, c, "https://slow.berth.test/").body }()
		receive(t, "the request", began)
	}
	if _, err := e.dialQUIC(t, &tls.Config{}); err == nil {
		t.Error("one more connection is taken")
	}
	finish()
	for range cap(answers) {
		if got := receive(t, "the answer", answers); got != "finished" {
			t.Errorf("got %q", got)
		}
	}
}

// When half of all places are taken, clients prove their address before anything is kept for them.
func TestHTTP3AddressValidation(t *testing.T) {
	g := newGate(descriptors{clients: 4, perClient: 4}, nil)
	for taken, want := range []bool{false, false, false, true} {
		if got := g.crowded(0, manyHandshakes); got != want {
			t.Errorf("with %d places taken: %v", taken, got)
		}
		g.add(&admission{})
	}
	idle := newGate(descriptors{clients: 1000, perClient: 200}, nil)
	for newcomers, want := range map[int]bool{0: false, manyHandshakes: false, manyHandshakes + 1: true} {
		if got := idle.crowded(newcomers, manyHandshakes); got != want {
			t.Errorf("with %d handshakes under way: %v", newcomers, got)
		}
	}
	e := startEdge(t, withDescriptors(descriptors{clients: 6, perClient: 6, instances: 8, perInstance: 8, files: 8}))
	for range 5 { // over half of the places: the last ones come by way of a Retry
		mustQUIC(t, e)
	}
	eventually(t, "all are there", func() bool { return e.connections() == 5 })
}

func TestHTTP3OversizeHeader(t *testing.T) {
	e := startEdge(t)
	c := e.client(3)
	c.Transport.(*http3.Transport).MaxResponseHeaderBytes = 1 << 20
	got := get(t, c, "https://panel.berth.test/", "X-Large", strings.Repeat("x", 160<<10))
	if got.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %d", got.StatusCode)
	}
	if got := get(t, c, "https://panel.berth.test/", "X-Large", strings.Repeat("x", 100<<10)); got.body != "panel" {
		t.Errorf("100 KiB: got %d", got.StatusCode)
	}
}

// Requests that could be replayed are not taken.
func TestHTTP3WithoutEarlyData(t *testing.T) {
	e := startEdge(t)
	sessions := tls.NewLRUClientSessionCache(1)
	conn, err := e.dialQUIC(t, &tls.Config{ClientSessionCache: sessions})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a ticket", func() bool { _, ok := sessions.Get(testZone); return ok })
	conn.CloseWithError(0, "")
	early, err := quic.DialAddrEarly(t.Context(), e.secure,
		&tls.Config{RootCAs: e.roots, ServerName: testZone, NextProtos: []string{"h3"}, ClientSessionCache: sessions}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer early.CloseWithError(0, "")
	receive(t, "the handshake", early.HandshakeComplete())
	if state := early.ConnectionState(); state.Used0RTT || !state.TLS.DidResume {
		t.Errorf("0-RTT %v, resumed %v", state.Used0RTT, state.TLS.DidResume)
	}
}

func TestHTTP3IdleConnectionIsClosed(t *testing.T) {
	e := startEdge(t, withLimits(func(l *limits) { l.idle = 200 * time.Millisecond }))
	conn := mustQUIC(t, e) // which it keeps alive, below HTTP
	receive(t, "the end of the connection", conn.Context().Done())
}
