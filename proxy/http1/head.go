package http1

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// writeFields writes the header as it is now: what the handler does to it later is for trailers.
func (w *response) writeFields() {
	for _, field := range w.header["Trailer"] {
		for name := range strings.SplitSeq(field, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); httpguts.ValidTrailerHeader(name) {
				w.trailers = append(w.trailers, name)
			}
		}
	}
	for name, values := range w.header {
		switch {
		case name == "Content-Length":
			w.declare(values)
		case name == "Transfer-Encoding", strings.HasPrefix(name, http.TrailerPrefix), slices.Contains(w.trailers, name):
		case name == "Connection":
			w.last = w.last || closes(values)
		default:
			w.out.field(name, values)
		}
	}
	if _, said := w.header["Date"]; !said {
		w.out.date()
	}
}

// declare takes the handler's word for the length, if it is one.
func (w *response) declare(values []string) {
	if len(values) == 0 || !bodyAllowed(w.status) {
		return
	}
	if n, err := strconv.ParseInt(strings.TrimSpace(values[0]), 10, 64); err == nil && n >= 0 {
		w.length = n
	}
}

func closes(connection []string) bool {
	return httpguts.HeaderValuesContainsToken(connection, "close")
}

// bodyAllowed is what RFC 9110 section 6.4.1 says of the status.
func bodyAllowed(status int) bool {
	return status >= http.StatusOK && status != http.StatusNoContent && status != http.StatusNotModified
}

func (w *response) hasBody() bool {
	return bodyAllowed(w.status) && w.request.Method != http.MethodHead
}

// sniff says what a body is whose handler has not, while the header is open.
func (w *response) sniff(p []byte) {
	if w.begun || w.sent > 0 {
		return
	}
	_, typed := w.header["Content-Type"]
	if !typed && len(w.header["Content-Encoding"]) == 0 && len(w.header["Transfer-Encoding"]) == 0 {
		w.out.field("Content-Type", []string{http.DetectContentType(p)})
	}
}

// settleLength is for when the handler has returned.
func (w *response) settleLength() {
	if !w.begun && w.length < 0 && len(w.trailers) == 0 && bodyAllowed(w.status) && (w.sent > 0 || w.request.Method != http.MethodHead) {
		w.length = w.sent
	}
}

// begin ends the header and sends what was held back for it.
func (w *response) begin() {
	if w.begun || w.broken != nil {
		return
	}
	w.begun = true
	switch {
	case w.length >= 0:
		w.out.length(w.length)
	case !w.hasBody():
	case w.request.ProtoAtLeast(1, 1):
		w.chunked = true
		w.out.text("Transfer-Encoding: chunked\r\n")
	default:
		w.last = true
	}
	w.last = w.last || w.conn.server.draining.Load() || w.body != nil && !w.body.whole()
	switch {
	case w.last:
		w.out.text("Connection: close\r\n")
	case !w.request.ProtoAtLeast(1, 1):
		w.out.text("Connection: keep-alive\r\n")
	}
	w.out.text("\r\n")
	held := w.held
	w.held = nil
	w.fail(w.emit(held))
}

// writeTrailers ends a body in chunks with the fields that were announced, and those that are marked as trailers.
func (w *response) writeTrailers() {
	w.out.text("0\r\n")
	for _, name := range w.trailers {
		w.out.field(name, w.header[name])
	}
	for name, values := range w.header {
		if marked, ok := strings.CutPrefix(name, http.TrailerPrefix); ok && httpguts.ValidTrailerHeader(marked) {
			w.out.field(marked, values)
		}
	}
	w.out.text("\r\n")
}
