package http1

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

// buffer is as large as the largest TLS record: what fits into it goes out in one.
type buffer [16 << 10]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// Holder is a connection that can keep what is written until it is released, so that several TLS records share a system call.
type Holder interface {
	Hold()
	Release() error
}

// output gathers what is written to the connection.
type output struct {
	to    net.Conn
	buf   *buffer // nil while there is nothing in it
	n     int
	held  bool
	dated atomic.Bool // a handler has set a deadline for writes
	err   error
}

// write has p go out now or with the next flush.
func (o *output) write(p []byte) error {
	for len(p) > 0 && o.err == nil {
		if o.buf == nil {
			o.buf = buffers.Get().(*buffer)
		}
		if o.n == 0 && len(p) >= len(o.buf) {
			whole := len(p) - len(p)%len(o.buf)
			o.send(p[:whole])
			p = p[whole:]
			continue
		}
		n := copy(o.buf[o.n:], p)
		p = p[n:]
		if o.n += n; o.n == len(o.buf) {
			o.pass()
		}
	}
	return o.err
}

// pass hands on what is gathered; more follows.
func (o *output) pass() {
	if o.n > 0 {
		o.send(o.buf[:o.n])
		o.n = 0
	}
}

func (o *output) send(p []byte) {
	if holder, ok := o.to.(Holder); ok && !o.held {
		o.held = true
		holder.Hold()
	}
	if o.err == nil {
		_, o.err = o.to.Write(p)
	}
}

// flush has all go out. It keeps no memory: the next write may be long in coming.
func (o *output) flush() error {
	if o.n > 0 && !o.held && o.err == nil {
		_, o.err = o.to.Write(o.buf[:o.n])
		o.n = 0
	}
	o.pass()
	o.drop()
	if o.held {
		o.held = false
		if err := o.to.(Holder).Release(); o.err == nil {
			o.err = err
		}
	}
	return o.err
}

// end gives back what it has, without sending it.
func (o *output) end() {
	if o.held {
		o.held = false
		_ = o.to.(Holder).Release() // whoever wrote it was told
	}
	o.drop()
	if o.dated.Swap(false) {
		_ = o.to.SetWriteDeadline(time.Time{})
	}
}

func (o *output) drop() {
	if o.buf != nil {
		buffers.Put(o.buf)
		o.buf, o.n = nil, 0
	}
}

// text writes what is short and known to be in order.
func (o *output) text(text string) {
	for o.err == nil && len(text) > 0 {
		if o.buf == nil {
			o.buf = buffers.Get().(*buffer)
		}
		n := copy(o.buf[o.n:], text)
		text = text[n:]
		if o.n += n; o.n == len(o.buf) {
			o.pass()
		}
	}
}

// begin writes the line of a response.
func (o *output) begin(status int) {
	o.text("HTTP/1.1 ")
	o.number(int64(status), 10)
	o.text(" ")
	o.text(http.StatusText(status))
	o.text("\r\n")
}

// field writes values under a name, if that is one. What could end a line becomes a space.
func (o *output) field(name string, values []string) {
	if !httpguts.ValidHeaderFieldName(name) {
		return
	}
	for _, value := range values {
		o.text(name)
		o.text(": ")
		o.text(singleLine(value))
		o.text("\r\n")
	}
}

func singleLine(value string) string {
	for i := range len(value) {
		if c := value[i]; c == '\r' || c == '\n' || c == 0 {
			return lineEnds.Replace(value)
		}
	}
	return value
}

func (o *output) length(n int64) {
	o.text("Content-Length: ")
	o.number(n, 10)
	o.text("\r\n")
}

// chunk writes the line before a chunk.
func (o *output) chunk(size int) {
	o.number(int64(size), 16)
	o.text("\r\n")
}

func (o *output) number(n int64, base int) { o.text(strconv.FormatInt(n, base)) }

// moment is the Date field of a second.
type moment struct {
	second int64
	line   string
}

var lineEnds = strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ")

var latest atomic.Pointer[moment]

// date writes when the response was made (RFC 9110 section 6.6.1).
func (o *output) date() {
	now := time.Now()
	m := latest.Load()
	if m == nil || m.second != now.Unix() {
		m = &moment{now.Unix(), "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
		latest.Store(m)
	}
	o.text(m.line)
}
