package proxy

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	post    = "POST / HTTP/1.1\r\nHost: hello.berth.test\r\n"
	ask     = "GET / HTTP/1.1\r\nHost: hello.berth.test\r\n"
	chunked = post + "Transfer-Encoding: chunked\r\n\r\n"
)

// unclear are requests that another server may read in another way than berth, so that a part of one could pass for the
// next. They get a 400, or the status that is given.
var unclear = []struct {
	name, text string
	status     int
}{
	{"CL and TE", post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"TE and CL", post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400},
	{"duplicate CL", post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400},
	{"differing CL", post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400},
	{"CL list", post + "Content-Length: 1, 1\r\n\r\nx", 400},
	{"CL plus", post + "Content-Length: +1\r\n\r\nx", 400},
	{"CL minus", post + "Content-Length: -1\r\n\r\nx", 400},
	{"CL hex", post + "Content-Length: 0x1\r\n\r\nx", 400},
	{"CL empty", post + "Content-Length:\r\n\r\n", 400},
	{"CL huge", post + "Content-Length: 99999999999999999999\r\n\r\nx", 400},
	{"TE identity", post + "Transfer-Encoding: identity\r\n\r\n", 501},
	{"TE gzip, chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
	{"TE chunked, chunked", post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501},
	{"TE twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"TE chunked, identity", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400},
	{"TE xchunked", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
	{"TE with VT", post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400},
	{"TE quoted", post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 501},
	{"TE empty", post + "Transfer-Encoding:\r\n\r\n0\r\n\r\n", 400},
	{"TE of HTTP/1.0", "POST / HTTP/1.0\r\nHost: hello.berth.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"space before colon", ask + "X-A : b\r\n\r\n", 400},
	{"TE space before colon", post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
	{"tab before colon", post + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", 400},
	{"folded line", ask + "X-A: b\r\n c\r\n\r\n", 400},
	{"folded TE", post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400},
	{"first line folded", "GET / HTTP/1.1\r\n X-A: b\r\nHost: hello.berth.test\r\n\r\n", 400},
	{"bare LF ends lines", "GET / HTTP/1.1\nHost: hello.berth.test\n\n", 400},
	{"bare LF ends a field", ask + "X-A: b\nX-B: c\r\n\r\n", 400},
	{"bare LF ends the header", ask + "\n", 400},
	{"bare LF after request line", "GET / HTTP/1.1\nHost: hello.berth.test\r\n\r\n", 400},
	{"lone CR in value", ask + "X-A: b\rX-B: c\r\n\r\n", 400},
	{"lone CR at end", ask + "X-A: b\r\r\n\r\n", 400},
	{"lone CR in request line", "GET /\r HTTP/1.1\r\nHost: hello.berth.test\r\n\r\n", 400},
	{"NUL in value", ask + "X-A: b\x00c\r\n\r\n", 400},
	{"NUL in name", ask + "X-\x00A: b\r\n\r\n", 400},
	{"DEL in value", ask + "X-A: b\x7fc\r\n\r\n", 400},
	{"name of other chars", ask + "X(A): b\r\n\r\n", 400},
	{"name of UTF-8", ask + "X-\u00c4: b\r\n\r\n", 400},
	{"no name", ask + ": b\r\n\r\n", 400},
	{"no colon", ask + "X-A\r\n\r\n", 400},
	{"two hosts", ask + "Host: hello.berth.test\r\n\r\n", 400},
	{"HTTP/0.9", "GET /\r\n\r\n", 400},
	{"HTTP/2.0", "GET / HTTP/2.0\r\nHost: hello.berth.test\r\n\r\n", 505},
	{"http/1.1", "GET / http/1.1\r\nHost: hello.berth.test\r\n\r\n", 400},
	{"HTTP/1.10", "GET / HTTP/1.10\r\nHost: hello.berth.test\r\n\r\n", 400},
	{"HTTP/01.1", "GET / HTTP/01.1\r\nHost: hello.berth.test\r\n\r\n", 400},
	{"two spaces in request line", "GET  / HTTP/1.1\r\nHost: hello.berth.test\r\n\r\n", 400},
	{"space at end of req line", "GET / HTTP/1.1 \r\nHost: hello.berth.test\r\n\r\n", 400},
	{"space in target", "GET /a b HTTP/1.1\r\nHost: hello.berth.test\r\n\r\n", 400},
	{"tab in request line", "GET\t/ HTTP/1.1\r\nHost: hello.berth.test\r\n\r\n", 400},
	{"method of other chars", "G(T / HTTP/1.1\r\nHost: hello.berth.test\r\n\r\n", 400},
	{"control in target", "GET /\x01 HTTP/1.1\r\nHost: hello.berth.test\r\n\r\n", 400},
	{"chunk size not hex", chunked + "zz\r\nx\r\n0\r\n\r\n", 400},
	{"chunk size negative", chunked + "-1\r\nx\r\n0\r\n\r\n", 400},
	{"chunk size plus", chunked + "+1\r\nx\r\n0\r\n\r\n", 400},
	{"chunk size 0x", chunked + "0x1\r\nx\r\n0\r\n\r\n", 400},
	{"chunk size underscore", chunked + "1_0\r\nx\r\n0\r\n\r\n", 400},
	{"chunk size too long", chunked + "10000000000000001\r\nx\r\n0\r\n\r\n", 400},
	{"chunk size empty", chunked + "\r\nx\r\n0\r\n\r\n", 400},
	{"chunk size space before", chunked + " 1\r\nx\r\n0\r\n\r\n", 400},
	{"chunk size space after", chunked + "1 \r\nx\r\n0\r\n\r\n", 400},
	{"chunk size LF", chunked + "1\nx\r\n0\r\n\r\n", 400},
	{"chunk ext with LF", chunked + "1;a=\nx\r\n0\r\n\r\n", 400},
	{"chunk ext with CR", chunked + "1;a=\rb\r\nx\r\n0\r\n\r\n", 400},
	{"chunk data ends by LF", chunked + "1\r\nx\n0\r\n\r\n", 400},
	{"chunk data too long", chunked + "1\r\nxy\r\n0\r\n\r\n", 400},
	{"last chunk ends by LF", chunked + "1\r\nx\r\n0\n\n", 400},
	{"oversize chunk ext", chunked + "1;a=" + strings.Repeat("x", 64<<10) + "\r\nx\r\n0\r\n\r\n", 400},
	{"many chunk exts", chunked + strings.Repeat("1;a="+strings.Repeat("b", 100)+"\r\nx\r\n", 2000) + "0\r\n\r\n", 400},
	{"trailer folded", chunked + "1\r\nx\r\n0\r\nX-A: b\r\n c\r\n\r\n", 400},
	{"trailer CL", chunked + "1\r\nx\r\n0\r\nContent-Length: 5\r\n\r\n", 400},
	{"trailer no colon", chunked + "1\r\nx\r\n0\r\nX-A\r\n\r\n", 400},
	{"expect other", post + "Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx", 417},
}

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
	smuggled := make(chan string, 4*len(unclear))
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			smuggled <- r.RequestURI
		}
		io.Copy(io.Discard, r.Body)
	}).addr))
	for _, test := range unclear {
		text := test.text + "GET /smuggled-by-" + url.PathEscape(test.name) + " HTTP/1.1\r\nHost: hello.berth.test\r\nConnection: close\r\n\r\n"
		for _, pieces := range []int{1, 4} {
			conn := e.dialTLS(t)
			for i := range pieces {
				// The server may have closed before the last piece, and what it said may be lost then.
				_, _ = io.WriteString(conn, text[len(text)*i/pieces:len(text)*(i+1)/pieces])
			}
			if got := answers(t, conn); !slices.Equal(got, []int{test.status}) && (pieces == 1 || len(got) > 0) {
				t.Errorf("%s, in %d pieces: got %v, want %d", test.name, pieces, got, test.status)
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

// unusual are requests that look odd and mean one thing only. All of them are answered, and what follows them, too.
var unusual = []string{
	ask + "\r\n",
	"GET / HTTP/1.2\r\nHost: hello.berth.test\r\n\r\n",
	"GET /\u00e4 HTTP/1.1\r\nHost: hello.berth.test\r\n\r\n",
	ask + "Content-Length: 1\r\n\r\nx",
	ask + "Content-Length:\t 0003 \r\n\r\n\n\n\n",
	ask + "Transfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
	post + "Connection: Content-Length\r\nContent-Length: 1\r\n\r\nx",
	post + "content-length: 5\r\n\r\n\r\n\r\n\n",
	ask + "Connection: Host\r\n\r\n",
	ask + "X-Empty:\r\nX-Long: " + strings.Repeat("x", 9000) + "\r\n\r\n",
	chunked + "000A; name=\"value\";other\r\n0123456789\r\n1;x\r\n\n\r\n0\r\nX-Sum: 1\r\n\r\n",
	chunked + "0\r\n\r\n",
	ask + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
}

func TestClearRequests(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d%s", len(body), r.Header.Get("Upgrade")+r.Header.Get("Http2-Settings"))
	}).addr))
	for _, text := range unusual {
		conn := e.dialTLS(t)
		if _, err := io.WriteString(conn, text+text+ask+"Connection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if got := answers(t, conn); len(got) != 3 || got[0] != 200 || got[1] != 200 || got[2] != 200 {
			t.Errorf("%.80q: got %v", text, got)
		}
	}
}

// However the bytes come, they mean the same.
func TestFramingIsTheSameInPieces(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	check := func(text string, want bool) {
		for range 20 {
			var f framing
			ok := true
			for rest := text; rest != "" && ok; {
				n := 1 + random.IntN(min(len(rest), 40))
				ok = f.follow([]byte(rest[:n]))
				rest = rest[n:]
			}
			if ok != want {
				t.Fatalf("%.200q: %v, want %v", text, ok, want)
			}
			if want && (f.at != requestLine || f.line.n != 0) {
				t.Fatalf("%.200q: ends in section %d, byte %d", text, f.at, f.line.n)
			}
		}
	}
	for _, text := range unusual {
		check(text+text, true)
	}
	for _, test := range unclear {
		var whole framing
		ok := whole.follow([]byte(test.text))
		if !ok {
			check(test.text, false)
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
		{"GET https://hello.berth.test/ HTTP/1.1\r\n", 400, "400 Bad Request: missing required Host header"},
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
	a.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		frame, err := a.framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if header, ok := frame.(*http2.MetaHeadersFrame); ok {
			if !slices.ContainsFunc(header.Fields, func(f hpack.HeaderField) bool { return f.Name == "cache-control" && f.Value == "no-store" }) {
				t.Errorf("a method with spaces: %v", header.Fields)
			}
			break
		}
	}
	if len(asked) > 0 {
		t.Errorf("the instance was asked for %q", <-asked)
	}
}
