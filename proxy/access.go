package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"berth/sites"
)

// statusGone is what is recorded for a client that left before there was an answer, as nginx has it.
const statusGone = 499

// maxRecorded bounds each text of a hit that the client chooses, in bytes: a hit waits in memory until it is taken.
const maxRecorded = 2048

// observe has all that is answered through the returned writer recorded. The caller defers end, after which the writer must
// not be used.
func (p *Proxy) observe(w http.ResponseWriter, r *http.Request, rt *route, host string) (http.ResponseWriter, *observed) {
	from, _ := w.(io.ReaderFrom)
	o := &observedFrom{observed: observed{ResponseWriter: w, proxy: p, r: r, host: host, begin: time.Now()}, from: from}
	if rt != nil {
		o.site, o.name = rt.site.ID, rt.site.Name
	}
	if from == nil {
		return &o.observed, &o.observed
	}
	return o, &o.observed
}

// observed is a response of which the status, the size and the time of the first byte are kept.
type observed struct {
	http.ResponseWriter
	proxy *Proxy
	r     *http.Request
	host  string
	site  sites.SiteID // 0: the host routes nowhere
	name  string
	begin time.Time
	first time.Time
	code  int
	bytes atomic.Int64 // an upgraded connection has writers of its own
}

func (o *observed) Unwrap() http.ResponseWriter { return o.ResponseWriter }

func (o *observed) WriteHeader(status int) {
	o.began(status)
	o.ResponseWriter.WriteHeader(status)
}

func (o *observed) Write(buf []byte) (int, error) {
	o.began(http.StatusOK)
	n, err := o.ResponseWriter.Write(buf)
	o.bytes.Add(int64(n))
	return n, err
}

// WriteString saves io.WriteString a copy.
func (o *observed) WriteString(text string) (int, error) {
	o.began(http.StatusOK)
	n, err := io.WriteString(o.ResponseWriter, text)
	o.bytes.Add(int64(n))
	return n, err
}

func (o *observed) FlushError() error {
	o.began(http.StatusOK)
	return http.NewResponseController(o.ResponseWriter).Flush()
}

// Flush makes it an http.Flusher, which handlers may look for.
func (o *observed) Flush() { _ = o.FlushError() }

// Hijack goes on counting what is sent.
func (o *observed) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(o.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	o.began(http.StatusSwitchingProtocols)
	o.code = http.StatusSwitchingProtocols
	return &observedConn{conn, &o.bytes}, buf, nil
}

// began notes the final status; those before it (1xx) are none.
func (o *observed) began(status int) {
	if o.code == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		o.code, o.first = status, time.Now()
	}
}

// status is what the client got.
func (o *observed) status() int {
	switch {
	case o.code != 0:
		return o.code
	case o.r.Context().Err() != nil:
		return statusGone
	}
	return http.StatusOK
}

// end counts the response and hands it on.
func (o *observed) end() {
	status := o.status()
	o.proxy.responses.count(o.r.ProtoMajor, status)
	if o.site == 0 || o.proxy.hits == nil {
		return
	}
	now := time.Now()
	hit := sites.Hit{
		Site: o.site, SiteName: o.name, Host: o.host, Time: o.begin, Client: clientAddr(o.r),
		Method: recorded(o.r.Method), Target: recorded(target(o.r)), Proto: o.r.Proto,
		Status: status, Bytes: o.bytes.Load(), Duration: now.Sub(o.begin), FirstByte: now.Sub(o.begin),
		Referrer: recorded(field(o.r.Header, "Referer")), UserAgent: recorded(field(o.r.Header, "User-Agent")),
		Cache: recorded(field(o.Header(), "Cache-Status")),
	}
	if !o.first.IsZero() {
		hit.FirstByte = o.first.Sub(o.begin)
	}
	o.proxy.hits.put(&hit)
}

// target is path and query as the client sent them, whatever the request was made into since.
func target(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI() // the request line had a whole URL
}

// field is the first value of a header field, given in canonical form.
func field(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// recorded cuts what is too long. The copy lets go of the whole.
func recorded(text string) string {
	if len(text) <= maxRecorded {
		return text
	}
	return strings.Clone(text[:maxRecorded])
}

// observedFrom is an observed response that can read a body by itself, which spares copies.
type observedFrom struct {
	observed
	from io.ReaderFrom
}

func (o *observedFrom) ReadFrom(body io.Reader) (int64, error) {
	o.began(http.StatusOK)
	n, err := o.from.ReadFrom(body)
	o.bytes.Add(n)
	return n, err
}

// observedConn counts what is sent over an upgraded connection.
type observedConn struct {
	net.Conn
	sent *atomic.Int64
}

func (c *observedConn) Write(buf []byte) (int, error) {
	n, err := c.Conn.Write(buf)
	c.sent.Add(int64(n))
	return n, err
}

// CloseWrite passes on that one direction has ended.
func (c *observedConn) CloseWrite() error { return closeWrite(c.Conn) }
