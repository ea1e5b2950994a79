package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
)

// errUnclear is a request of HTTP/1 that others may take for another one, or for two. net/http answers it with a 400 and
// closes the connection.
var errUnclear = errors.New("the request's framing is unclear")

// strictConn is a connection of HTTP/1 that refuses what net/http is lenient about, since a gateway before berth or an
// instance behind it may not be, or in another way (RFC 9112 sections 2.2, 5.2, 6.1 and 11.2): lines that end by LF alone,
// folded lines, a Content-Length twice or beside Transfer-Encoding, and what is no chunk. It looks at the bytes as they
// pass, and keeps none.
type strictConn struct {
	net.Conn
	tls     *tls.ConnectionState // nil without TLS
	framing framing
	off     atomic.Bool // the connection speaks another protocol by now
}

func (c *strictConn) Read(b []byte) (int, error) {
	if c.off.Load() {
		return c.Conn.Read(b)
	}
	if c.framing.at == bad {
		return 0, errUnclear // for good: a buffer may have kept the first one to itself
	}
	n, err := c.Conn.Read(b)
	if n > 0 && !c.framing.follow(b[:n]) && !c.off.Load() {
		return 0, errUnclear
	}
	return n, err
}

// CloseWrite is for net/http, which has the client read its last answer before it closes.
func (c *strictConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// section is a part of a request.
type section int

const (
	requestLine section = iota
	header
	body      // of so many bytes
	chunkSize // the line before a chunk
	chunk     // so many bytes
	chunkEnd  // the line's end after it
	trailer
	lost // net/http refuses the request for another reason, and reads no other
	bad
)

// framing follows where requests begin and end.
type framing struct {
	at     section
	left   uint64 // bytes of the body or chunk
	line   line
	old    bool // not HTTP/1.1: it knows no Transfer-Encoding
	length int  // fields of this name
	coding int
	other  bool   // it is another one than chunked
	size   uint64 // that Content-Length says
}

// follow reports false once something is wrong.
func (f *framing) follow(data []byte) bool {
	for len(data) > 0 && f.at < lost {
		if f.at == body || f.at == chunk {
			n := min(f.left, uint64(len(data)))
			data = data[n:]
			if f.left -= n; f.left == 0 {
				f.passed()
			}
			continue
		}
		end := bytes.IndexByte(data, '\n')
		switch {
		case end < 0:
			f.line.add(data)
			return true
		case f.line.n == 0: // the common case: it is all there
			f.at = f.next(data[:end], data[:end], true)
		default:
			f.line.add(data[:end])
			f.at = f.next(f.line.start[:min(f.line.n, len(f.line.start))], f.line.tail[:], f.line.n <= len(f.line.start))
			f.line.n = 0
		}
		data = data[end+1:]
	}
	return f.at != bad
}

// passed goes on after the last byte of a body or chunk.
func (f *framing) passed() {
	if f.at == chunk {
		f.at = chunkEnd
		return
	}
	*f = framing{}
}

// next judges a line by how it begins and how it ends, whole if the beginning is all of it, and says what follows.
func (f *framing) next(text, tail []byte, whole bool) section {
	if !bytes.HasSuffix(tail, []byte("\r")) {
		return bad
	}
	if whole {
		text = text[:len(text)-1]
	}
	switch {
	case f.at == requestLine:
		f.old = !bytes.HasSuffix(tail, []byte("HTTP/1.1\r"))
		return header
	case f.at == chunkEnd:
		if len(text) > 0 {
			return bad
		}
		return chunkSize
	case f.at == chunkSize:
		return f.chunk(string(text), whole)
	case len(text) == 0 && f.at == header:
		return f.content()
	case len(text) == 0:
		*f = framing{}
		return requestLine
	case text[0] == ' ' || text[0] == '\t':
		return bad
	}
	return f.field(text, whole)
}

// field looks at one of the header or the trailer.
func (f *framing) field(text []byte, whole bool) section {
	if initial := text[0] | 0x20; initial != 'c' && initial != 't' {
		return f.at
	}
	name, value, _ := bytes.Cut(text, []byte(":"))
	length, coding := bytes.EqualFold(name, []byte("Content-Length")), bytes.EqualFold(name, []byte("Transfer-Encoding"))
	switch {
	case !length && !coding:
		return f.at
	case f.at == trailer || !whole:
		return bad
	}
	value = bytes.Trim(value, " \t")
	if coding {
		f.coding++
		f.other = f.other || !bytes.EqualFold(value, []byte("chunked"))
		if len(value) == 0 {
			return bad
		}
		return header
	}
	f.length++
	var err error
	if f.size, err = strconv.ParseUint(string(value), 10, 63); err != nil {
		return bad
	}
	return header
}

// content begins what follows the header.
func (f *framing) content() section {
	switch {
	case f.length+f.coding > 1, f.coding > 0 && f.old:
		return bad
	case f.other:
		return lost // a 501
	case f.coding > 0:
		return chunkSize
	case f.size > 0:
		f.left = f.size
		return body
	}
	*f = framing{}
	return requestLine
}

// chunk begins one of the size that a line says; its extensions mean nothing to anybody.
func (f *framing) chunk(text string, whole bool) section {
	digits, _, extended := strings.Cut(text, ";")
	size, err := strconv.ParseUint(digits, 16, 63)
	switch {
	case err != nil, !whole && !extended:
		return bad
	case size == 0:
		return trailer
	}
	f.left = size
	return chunk
}

// line is what is remembered of one that comes in parts: how it begins and how it ends.
type line struct {
	start [48]byte
	tail  [9]byte // right-aligned
	n     int     // how long it is
}

func (l *line) add(part []byte) {
	if l.n < len(l.start) {
		copy(l.start[l.n:], part)
	}
	l.n += len(part)
	keep := min(len(part), len(l.tail))
	copy(l.tail[:], l.tail[keep:])
	copy(l.tail[len(l.tail)-keep:], part[len(part)-keep:])
}
