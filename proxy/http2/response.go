package http2

import (
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2/hpack"
)

// mostHeld is how much of a body of unknown length is held back: if that is all, the length is known.
const mostHeld = 16 << 10

// response is a ResponseWriter.
type response struct {
	stream   *stream
	header   http.Header
	status   int
	length   int64 // that the handler has declared, or -1
	written  int64
	draft    *draft // nil: the header has gone, or there is none yet
	trailers []string
}

// draft is a header that has not gone: what comes after may complete it.
type draft struct {
	fields []hpack.HeaderField
	body   []byte
	typed  bool // there is a Content-Type, or none is to be guessed
	dated  bool
}

func (p *pools) draft() *draft {
	if d, ok := p.drafts.Get().(*draft); ok {
		return d
	}
	return new(draft)
}

func (p *pools) putDraft(d *draft) {
	clear(d.fields)
	*d = draft{fields: d.fields[:0], body: d.body[:0]}
	p.drafts.Put(d)
}

func (w *response) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

// WriteHeader settles the header; it goes out with what comes next. A status below 200 goes out at once.
func (w *response) WriteHeader(status int) {
	switch {
	case status < 100 || status > 999:
		panic(fmt.Sprintf("http2: invalid status %d", status))
	case w.status != 0 || status == http.StatusSwitchingProtocols: // which HTTP/2 does not know
	case status < http.StatusOK:
		w.interim(status)
	default:
		w.status, w.length = status, -1
		w.draft = w.stream.conn.server.pools.draft()
		w.readHeader(w.draft)
	}
}

func (w *response) interim(status int) {
	s := w.stream
	d := s.conn.server.pools.draft()
	defer s.conn.server.pools.putDraft(d)
	for name, values := range w.header {
		if f, ok := fieldOf(name); ok && f.role != hopByHop && f.role != lengthField {
			d.add(f, values)
		}
	}
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.awaitRoom() == nil && !s.headed {
		s.conn.appendHeaders(s.id, false, statusField(status), d.fields)
		s.conn.writeOut(s, everything)
	}
}

func statusField(status int) hpack.HeaderField {
	if status == http.StatusOK {
		return hpack.HeaderField{Name: ":status", Value: "200"}
	}
	return hpack.HeaderField{Name: ":status", Value: strconv.Itoa(status)}
}

// readHeader takes down what the handler has set.
func (w *response) readHeader(d *draft) {
	d.typed = !bodyAllowed(w.status)
	for name, values := range w.header {
		f, ok := fieldOf(name)
		if !ok || strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		switch f.role {
		case hopByHop:
			continue
		case lengthField:
			w.declare(d, f, values)
			continue
		case typeField:
			d.typed = true
		case encodingField:
			d.typed = d.typed || len(values) > 0 && values[0] != ""
		case dateField:
			d.dated = true
		case trailerField:
			w.announce(values)
		}
		d.add(f, values)
	}
}

// declare notes the length that the handler has declared. One that is none is left out.
func (w *response) declare(d *draft, f field, values []string) {
	if len(values) == 0 || w.status == http.StatusNoContent {
		return
	}
	if n, err := strconv.ParseUint(values[0], 10, 63); err == nil {
		w.length = int64(n)
		d.add(f, values[:1])
	}
}

func (w *response) announce(values []string) {
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			if name = textproto.TrimString(name); httpguts.ValidTrailerHeader(name) {
				w.trailers = append(w.trailers, http.CanonicalHeaderKey(name))
			}
		}
	}
}

// add takes down a field, without values that are none.
func (d *draft) add(f field, values []string) {
	for _, value := range values {
		if value = textproto.TrimString(value); httpguts.ValidHeaderFieldValue(value) {
			d.fields = append(d.fields, hpack.HeaderField{Name: f.lower, Value: value, Sensitive: f.role == passing})
		}
	}
}

// bodyAllowed is RFC 9110 section 6.4.1.
func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

func (w *response) Write(p []byte) (int, error) { return write(w, p) }

// WriteString spares io.WriteString a copy.
func (w *response) WriteString(p string) (int, error) { return write(w, p) }

func write[T text](w *response, p T) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !bodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if w.length >= 0 && w.written+int64(len(p)) > w.length {
		return 0, http.ErrContentLength
	}
	if len(p) == 0 {
		return 0, nil
	}
	w.written += int64(len(p))
	if w.draft != nil && w.length < 0 && len(w.draft.body)+len(p) <= mostHeld {
		w.draft.body = append(w.draft.body, p...)
		return len(p), nil
	}
	s := w.stream
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if err := w.begin(func() string { return http.DetectContentType([]byte(p[:min(len(p), sniffed)])) }, false); err != nil {
		return 0, err
	}
	if s.head {
		return len(p), s.err
	}
	if err := send(s, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

const sniffed = 512 // bytes that http.DetectContentType looks at

// begin sends the header and what was held back of the body, if that has not been done. guess is the type of a body of which
// nothing was held back. The caller has the connection's mutex.
func (w *response) begin(guess func() string, last bool) error {
	s, d := w.stream, w.draft
	if d == nil || s.err != nil {
		return s.err
	}
	w.draft = nil
	pools := &s.conn.server.pools
	defer pools.putDraft(d)
	w.complete(d, guess, last)
	empty := last && w.length <= 0 && len(d.body) == 0 && !w.mayTrail()
	end := empty || s.head || !bodyAllowed(w.status)
	if err := s.awaitRoom(); err != nil {
		return err
	}
	s.headed, s.closing = true, end
	s.conn.appendHeaders(s.id, end, statusField(w.status), d.fields)
	if end {
		return nil
	}
	return send(s, d.body)
}

// complete adds what the handler has left to the server.
func (w *response) complete(d *draft, guess func() string, last bool) {
	if !d.typed && len(d.body) > 0 {
		d.set("content-type", http.DetectContentType(d.body))
	} else if !d.typed && guess != nil {
		d.set("content-type", guess())
	}
	if last && w.length < 0 && bodyAllowed(w.status) && (w.written > 0 || !w.stream.head) {
		d.set("content-length", strconv.FormatInt(w.written, 10))
	}
	if !d.dated {
		d.set("date", w.stream.conn.server.clock.date())
	}
}

func (d *draft) set(name, value string) {
	d.fields = append(d.fields, hpack.HeaderField{Name: name, Value: value})
}

// Flush sends what was written so far.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is Flush for http.ResponseController.
func (w *response) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	s := w.stream
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if err := w.begin(nil, false); err != nil {
		return err
	}
	s.conn.writeOut(s, everything)
	return s.err
}

// end sends what is left when the handler has returned. The caller has the connection's mutex, and writes it out.
func (w *response) end() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	s := w.stream
	if err := w.begin(nil, true); err != nil {
		return err
	}
	if s.closing {
		return nil
	}
	if w.length > w.written {
		return http.ErrContentLength
	}
	if trailer := w.trailer(); len(trailer) > 0 {
		s.conn.appendHeaders(s.id, true, hpack.HeaderField{}, trailer)
		return nil
	}
	s.conn.appendEnd(s)
	return nil
}

// mayTrail reports whether fields may follow the body.
func (w *response) mayTrail() bool { return len(w.trailers) > 0 || len(w.trailer()) > 0 }

// trailer is the fields that follow the body: those that were announced, and those that say so by their names.
func (w *response) trailer() []hpack.HeaderField {
	var d draft
	for _, name := range w.trailers {
		if f, ok := fieldOf(name); ok {
			d.add(f, w.header[name])
		}
	}
	for name, values := range w.header {
		name, prefixed := strings.CutPrefix(name, http.TrailerPrefix)
		if !prefixed || !httpguts.ValidTrailerHeader(name) {
			continue
		}
		if f, ok := fieldOf(name); ok && f.role != hopByHop {
			d.add(f, values)
		}
	}
	return d.fields
}

// EnableFullDuplex is for http.ResponseController; HTTP/2 is that anyway.
func (w *response) EnableFullDuplex() error { return nil }

// SetReadDeadline is for http.ResponseController. Once it has passed, reads of the body fail when they have returned what has come.
func (w *response) SetReadDeadline(t time.Time) error {
	s := w.stream
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.readLate = false
	s.newDeadline(t, &s.reads, s.readsEnd)
	return nil
}

// SetWriteDeadline is for http.ResponseController. Once it has passed, the stream is reset. If its handler is writing to the
// connection and does not get on, that ends, too.
func (w *response) SetWriteDeadline(t time.Time) error {
	s := w.stream
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.newDeadline(t, &s.writes, s.writesEnd)
	return nil
}
