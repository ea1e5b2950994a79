// Package http1test owns the requests that servers of HTTP/1.1 read in different ways, for tests. All but those that are about the
// host are for hello.berth.test. It must not know any server; what it has is read only, and so safe for concurrent use.
package http1test

import "strings"

const (
	post    = "POST / HTTP/1.1\r\nHost: hello.berth.test\r\n"
	ask     = "GET / HTTP/1.1\r\nHost: hello.berth.test\r\n"
	chunked = post + "Transfer-Encoding: chunked\r\n\r\n"
)

// Request is the text of one, and the status that it gets.
type Request struct {
	Name, Text string
	Status     int
}

// Unclear are requests that another server may read in another way than berth, so that a part of one could pass for the next.
var Unclear = []Request{
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

// Unusual are requests that look odd and mean one thing only. All of them are answered, and what follows them, too.
var Unusual = []string{
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
