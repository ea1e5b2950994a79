package http1

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// errUnclear is a request that others may take for another one, or for two.
var errUnclear = errors.New("the request's framing is unclear")

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

// framing follows where requests begin and end as their bytes pass, of which it keeps none, and refuses what net/http's parser is
// lenient about, since a gateway before berth or an instance behind it may not be, or in another way (RFC 9112 sections 2.2, 3.2,
// 5.2, 6.1 and 11.2): lines that end by LF alone, folded lines, a Content-Length twice or beside Transfer-Encoding, what is no
// chunk, and not exactly one Host.
type framing struct {
	at     section
	left   uint64 // bytes of the body or chunk
	line   line
	old    bool // not HTTP/1.1: it knows no Transfer-Encoding
	hosts  int  // fields of this name
	length int  // likewise
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
	if initial := text[0] | 0x20; initial != 'c' && initial != 't' && initial != 'h' {
		return f.at
	}
	name, value, _ := bytes.Cut(text, []byte(":"))
	if bytes.EqualFold(name, []byte("Host")) {
		f.hosts++
		return f.at
	}
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
		if len(value) == 0 || !httpguts.ValidHeaderFieldValue(string(value)) {
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
	case f.length+f.coding > 1, f.coding > 0 && f.old, f.hosts > 1, f.hosts == 0 && !f.old:
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
