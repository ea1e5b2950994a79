package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"berth/proxy/http1/http1test"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// answers reads the responses that come on a connection, up to the last.
func answers(t *testing.T, conn io.Reader) (statuses []int) {
	t.Helper()
	r := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return statuses
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		statuses = append(statuses, res.StatusCode)
		if res.Close {
			return statuses
		}
	}
}

// TestUnclearRequests has each followed by what is to be smuggled, in one piece and in pieces.
func TestUnclearRequests(t *testing.T) {
	e := startEdge(t)
	smuggled := make(chan string, 4*len(http1test.Unclear))
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			smuggled <- r.RequestURI
		}
		io.Copy(io.Discard, r.Body)
	}).addr))
	for _, test := range http1test.Unclear {
		text := test.Text + "GET /smuggled-by-" + url.PathEscape(test.Name) + " HTTP/1.1\r\nHost: hello.berth.test\r\nConnection: close\r\n\r\n"
		for _, pieces := range []int{1, 4} {
			conn := e.dialTLS(t)
			for i := range pieces {
				// The server may have closed before the last piece, and what it said may be lost then.
				_, _ = io.WriteString(conn, text[len(text)*i/pieces:len(text)*(i+1)/pieces])
			}
			if got := answers(t, conn); !slices.Equal(got, []int{test.Status}) && (pieces == 1 || len(got) > 0) {
				t.Errorf("%s, in %d pieces: got %v, want %d", test.Name, pieces, got, test.Status)
			}
			conn.Close()
		}
	}
	e.stop()
	if err := receive(t, "the end of Serve", e.ended); err != nil {
		t.Error(err)
	}
	e.ended <- nil // for the cleanup
	for len(smuggled) > 0 {
		t.Errorf("%s reaches the instance", <-smuggled)
	}
}

func TestClearRequests(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d%s", len(body), r.Header.Get("Upgrade")+r.Header.Get("Http2-Settings"))
	}).addr))
	for _, text := range http1test.Unusual {
		conn := e.dialTLS(t)
		if _, err := io.WriteString(conn, text+text+"GET / HTTP/1.1\r\nHost: hello.berth.test\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if got := answers(t, conn); len(got) != 3 || got[0] != 200 || got[1] != 200 || got[2] != 200 {
			t.Errorf("%.80q: got %v", text, got)
		}
	}
}

// An absolute target says the host, whatever the Host field says (RFC 9112 section 3.2.2), which must be there all the same.
func TestAbsoluteTargets(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Host, r.RequestURI)
	}).addr))
	for _, test := range []struct {
		request string
		status  int
		body    string
	}{
		{"GET https://hello.berth.test/a?b HTTP/1.1\r\nHost: panel.berth.test\r\n", 200, "hello.berth.test /a?b"},
		{"GET https://HELLO.berth.test:443 HTTP/1.1\r\nHost: x\r\n", 200, "HELLO.berth.test:443 /"},
		{"GET https://panel.berth.test/ HTTP/1.1\r\nHost: hello.berth.test\r\n", 200, "panel"},
		{"GET https://elsewhere.example/ HTTP/1.1\r\nHost: hello.berth.test\r\n", 421, "Misdirected Request.\n"},
		{"GET https://hello.berth.test/ HTTP/1.1\r\n", 400, "400 Bad Request"},
		{"OPTIONS * HTTP/1.1\r\nHost: hello.berth.test\r\n", 204, ""},
		{"GET https:///a HTTP/1.1\r\nHost: hello.berth.test\r\n", 200, "hello.berth.test /a"},
	} {
		conn := e.dialTLS(t)
		if _, err := io.WriteString(conn, test.request+"Connection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if got := readReply(t, conn); got.StatusCode != test.status || got.body != test.body {
			t.Errorf("%q: got %d %q", test.request, got.StatusCode, got.body)
		}
	}
}

// What HTTP/2 and 3 can say and HTTP/1.1 cannot must not become more than one part of a request line. An answer of berth's own is
// not to be kept.
func TestRequestsThatHaveNoLine(t *testing.T) {
	e := startEdge(t)
	asked := make(chan string, 8)
	e.publish(site("hello", startInstance(t, func(_ http.ResponseWriter, r *http.Request) { asked <- r.RequestURI }).addr))
	for _, major := range []int{2, 3} {
		req := request(t, http.MethodGet, "https://hello.berth.test/", "")
		req.URL.RawQuery = "a HTTP/1.1 b"
		if got := do(t, e.client(major), req); got.StatusCode != http.StatusBadRequest || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("a query with spaces over HTTP/%d: %d %q", major, got.StatusCode, got.Header)
		}
	}
	a := e.attacker(t)
	a.block.Reset()
	for _, f := range [][2]string{{":method", "GET /admin HTTP/1.1"}, {":scheme", "https"}, {":authority", "hello.berth.test"}, {":path", "/"}} {
		_ = a.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}) // into memory
	}
	if err := a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: a.block.Bytes(), EndStream: true, EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := a.framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if reset, ok := frame.(*http2.RSTStreamFrame); ok {
			if reset.ErrCode != http2.ErrCodeProtocol {
				t.Errorf("a method with spaces: %v", reset)
			}
			break
		}
	}
	if len(asked) > 0 {
		t.Errorf("the instance was asked for %q", <-asked)
	}
}
