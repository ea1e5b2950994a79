package origin

import (
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
)

// sending is a request's body on its way, in a goroutine of its own: the origin may answer before it has come whole. A nil
// sending is that of a request without a body.
type sending struct {
	goAhead  chan struct{} // closed by the origin's 100 (Continue)
	trailers []string      // that are announced

	mu        sync.Mutex
	proceeded bool
	responded bool
	over      bool
	err       error           // why it was not sent whole
	then      func(sent bool) // called once it is over; may be nil
}

// continueTimeout is how long a body is held back for a 100 (Continue): RFC 9110 section 10.1.1 wants it bounded.
const continueTimeout = time.Second

// lastWord is how long an origin that takes no more of a body is heard: it may have said why.
const lastWord = time.Second

// send writes the request. The body, if there is one, is still on its way when it returns.
func (c *conn) send(req *http.Request) (*sending, error) {
	trailers := announced(req)
	if err := c.writeHead(req, trailers); err != nil {
		closeBody(req)
		return nil, err
	}
	if !hasBody(req) {
		closeBody(req)
		return nil, c.out.Flush()
	}
	s := &sending{goAhead: make(chan struct{}), trailers: trailers}
	go c.sendBody(req, s)
	return s, nil
}

// sendBody ends at the latest when the request's body is closed or the connection is.
func (c *conn) sendBody(req *http.Request, s *sending) {
	err := c.awaitGoAhead(req, s)
	if err == nil {
		err = c.writeBody(req, s.trailers)
	}
	closeBody(req)
	s.mu.Lock()
	s.over, s.err = true, err
	then := s.then
	switch {
	case s.responded:
	case err != nil && c.out.Flush() == nil:
		c.interrupt() // the client has failed, and there is nothing to wait for
	case err != nil:
		_ = c.await(min(lastWord, c.transport.cfg.Response))
	default:
		_ = c.await(c.transport.cfg.Response)
	}
	s.mu.Unlock()
	if then != nil {
		then(err == nil)
	}
}

func (c *conn) awaitGoAhead(req *http.Request, s *sending) error {
	if err := c.out.Flush(); err != nil { // the body may be long in coming
		return err
	}
	if !strings.EqualFold(req.Header.Get("Expect"), "100-continue") {
		return nil
	}
	timer := time.NewTimer(continueTimeout)
	defer timer.Stop()
	select {
	case <-s.goAhead:
	case <-timer.C:
	case <-req.Context().Done():
		return req.Context().Err()
	}
	if s.refused() {
		return errors.New("the origin does not want the body")
	}
	return nil
}

// buffers are what bodies pass through.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

func (c *conn) writeBody(req *http.Request, trailers []string) error {
	if req.ContentLength > 0 {
		to := &exact{c.out, req.ContentLength}
		if err := c.pass(to, req.Body); err != nil {
			return err
		}
		if to.left > 0 {
			return errLength
		}
		return nil
	}
	chunks := httputil.NewChunkedWriter(c.out)
	if err := c.pass(chunks, req.Body); err != nil {
		return err
	}
	return c.endChunks(req, chunks, trailers)
}

// pass flushes whatever has come, since the origin may answer to parts.
func (c *conn) pass(to io.Writer, from io.Reader) error {
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	for {
		n, err := from.Read(buf[:])
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
			if err := c.out.Flush(); err != nil {
				return err
			}
		}
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

var errLength = errors.New("the body has more or less bytes than its Content-Length says")

// exact takes so many bytes: the origin would read more as another request.
type exact struct {
	to   io.Writer
	left int64
}

func (e *exact) Write(p []byte) (int, error) {
	if e.left -= int64(len(p)); e.left < 0 {
		return 0, errLength
	}
	return e.to.Write(p)
}

func (c *conn) endChunks(req *http.Request, chunks io.Closer, trailers []string) error {
	if err := chunks.Close(); err != nil {
		return err
	}
	for _, name := range trailers {
		for _, value := range req.Trailer[name] {
			if !clean(value) {
				return errForbiddenByte
			}
			writeField(c.out, name, value)
		}
	}
	if _, err := c.out.WriteString("\r\n"); err != nil {
		return err
	}
	return c.out.Flush()
}

// proceed has a body that is held back sent.
func (s *sending) proceed() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.proceeded {
		s.proceeded = true
		close(s.goAhead)
	}
}

// respond notes that the final response has come: a body that is still held back is not sent.
func (s *sending) respond() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.responded = true
	if !s.proceeded {
		s.proceeded = true
		close(s.goAhead)
	}
}

func (s *sending) refused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.responded
}

// whenOver calls fn when nothing more is sent, with whether all was.
func (s *sending) whenOver(fn func(sent bool)) {
	if s == nil {
		fn(true)
		return
	}
	s.mu.Lock()
	if !s.over {
		s.then = fn
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	fn(s.err == nil)
}

// fault is what a failed read of the response comes from: the body that could not be sent, if there is one.
func (s *sending) fault(err error) error {
	if s == nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	return err
}

var errForbiddenByte = errors.New("the request has a byte that must not be sent where it is")

// writeHead writes the request's line and header. The framing is this package's: what the header says of it is left out.
func (c *conn) writeHead(req *http.Request, trailers []string) error {
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	target := req.URL.RequestURI()
	if !word(req.Method) || !word(target) || !word(host) {
		return errForbiddenByte
	}
	w := c.out
	w.WriteString(req.Method)
	w.WriteByte(' ')
	w.WriteString(target)
	w.WriteString(" HTTP/1.1\r\nHost: ")
	w.WriteString(host)
	w.WriteString("\r\n")
	for name, values := range req.Header {
		if framing(name) {
			continue
		}
		for _, value := range values {
			if !clean(name) || !clean(value) {
				return errForbiddenByte
			}
			if value == "" && name == "User-Agent" {
				continue // how net/http says that none is to be made up
			}
			writeField(w, name, value)
		}
	}
	c.writeFraming(req, trailers)
	_, err := w.WriteString("\r\n") // reports the first error of all
	return err
}

// framing reports whether a field is about the message as it came, or is written apart.
func framing(name string) bool {
	switch name {
	case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
		return true
	}
	return false
}

func (c *conn) writeFraming(req *http.Request, trailers []string) {
	switch {
	case !hasBody(req):
		if req.Method == http.MethodPost || req.Method == http.MethodPut || req.Method == http.MethodPatch {
			writeField(c.out, "Content-Length", "0")
		}
	case req.ContentLength > 0:
		writeField(c.out, "Content-Length", strconv.FormatInt(req.ContentLength, 10))
	default:
		writeField(c.out, "Transfer-Encoding", "chunked")
		if len(trailers) > 0 {
			writeField(c.out, "Trailer", strings.Join(trailers, ", "))
		}
	}
}

// announced are the names of the fields that follow the body. The client's others are left out, and so are those that frame, route
// or authenticate a request: there are origins that take them for the header's (RFC 9110 section 6.5.1).
func announced(req *http.Request) (names []string) {
	for name := range req.Trailer {
		switch {
		case !httpguts.ValidHeaderFieldName(name), !httpguts.ValidTrailerHeader(name):
		case name == "Cookie", name == "Upgrade":
		default:
			names = append(names, name)
		}
	}
	return names
}

func writeField(w io.StringWriter, name, value string) {
	_, _ = w.WriteString(name) // the writer keeps its first error
	_, _ = w.WriteString(": ")
	_, _ = w.WriteString(value)
	_, _ = w.WriteString("\r\n")
}

// clean reports whether s cannot end its line.
func clean(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '\r' || c == '\n' || c == 0 {
			return false
		}
	}
	return true
}

// word reports whether s can neither end its line nor its part of it.
func word(s string) bool { return clean(s) && strings.IndexByte(s, ' ') < 0 }
