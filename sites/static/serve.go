package static

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// notFoundPage is what a site can bring for paths that it does not have.
const notFoundPage = "404.html"

// serve answers with a page, which it closes.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, p page) {
	defer p.Close()
	body, encoding := h.represent(w, r, p)
	if body.File != p.File {
		defer body.Close()
	}
	header := w.Header()
	keep(header, edgeControl)
	header.Set("Etag", etag(body.info, encoding))
	// ServeContent leaves the length of encoded content open. It may be set unless the answer could be 412, which
	// ServeContent would send with this length and without a body.
	if encoding != "" && r.Header.Get("If-Match") == "" && r.Header.Get("If-Unmodified-Since") == "" {
		header.Set("Content-Length", strconv.FormatInt(body.info.Size(), 10))
	}
	h.dress(w, r, true)
	http.ServeContent(w, sinceExactly(r, body.info.ModTime()), "", body.info.ModTime(), body.File)
}

// sinceExactly leaves If-Modified-Since out of a request unless it is what this file was sent with. Comparing which is
// later, as ServeContent does, would keep a client at the newer file when the site goes back to an older release.
func sinceExactly(r *http.Request, modified time.Time) *http.Request {
	since := r.Header.Get("If-Modified-Since")
	if since == "" || since == modified.UTC().Format(http.TimeFormat) {
		return r
	}
	without := *r
	without.Header = r.Header.Clone()
	without.Header.Del("If-Modified-Since")
	return &without
}

// represent chooses the encoding of a page and sets the headers that describe it. The result is p itself, or a
// sibling of it that the caller closes.
func (h *Handler) represent(w http.ResponseWriter, r *http.Request, p page) (page, string) {
	header := w.Header()
	header.Set("Content-Type", contentType(p))
	if isEncoded(p.name) || h.encodings() == 0 {
		return p, ""
	}
	header.Set("Vary", "Accept-Encoding")
	// Several ranges come as multipart, and what an encoding of parts would mean nobody agrees on.
	if strings.Contains(r.Header.Get("Range"), ",") {
		return p, ""
	}
	for e := range preferred(r.Header["Accept-Encoding"], h.encodings()) {
		sibling, err := h.open(p.name + e.suffix)
		if err == nil {
			header.Set("Content-Encoding", e.name)
			return sibling, e.name
		}
	}
	return p, ""
}

// etag is a strong one: within a release a file never changes, and the next release is unpacked later.
func etag(info fs.FileInfo, encoding string) string {
	var buf [64]byte
	b := append(buf[:0], '"')
	b = strconv.AppendInt(b, info.Size(), 36)
	b = append(b, '-')
	b = strconv.AppendInt(b, info.ModTime().UnixNano(), 36)
	if encoding != "" {
		b = append(b, '-')
		b = append(b, encoding...)
	}
	return string(append(b, '"'))
}

// contentType goes by the page's name, else by its first bytes.
func contentType(p page) string {
	if known := typeByName(p.name); known != "" {
		return known
	}
	var head [512]byte
	n, err := p.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "application/octet-stream"
	}
	return http.DetectContentType(head[:n])
}

// notFound answers with the site's own page where it has one.
func (h *Handler) notFound(w http.ResponseWriter, r *http.Request) {
	h.record(r, slog.LevelInfo, http.StatusNotFound, nil)
	p, err := h.open(notFoundPage)
	if err == nil {
		h.serveNotFound(w, r, p)
		return
	}
	header := w.Header()
	keep(header, edgeControlMissing)
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(builtinNotFound)))
	h.dress(w, r, false)
	w.WriteHeader(http.StatusNotFound)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, builtinNotFound) // the client has gone when this fails
	}
}

// serveNotFound answers 404 with a page of the site, which it closes.
func (h *Handler) serveNotFound(w http.ResponseWriter, r *http.Request, p page) {
	defer p.Close()
	header := w.Header()
	keep(header, edgeControlMissing)
	body, _ := h.represent(w, r, p)
	if body.File != p.File {
		defer body.Close()
	}
	header.Set("Content-Length", strconv.FormatInt(body.info.Size(), 10))
	h.dress(w, r, false)
	w.WriteHeader(http.StatusNotFound)
	if r.Method != http.MethodHead {
		_, _ = io.CopyN(w, body.File, body.info.Size())
	}
}

// fail answers when a file is there and cannot be read. The reason goes to the log only.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	if errors.Is(err, fs.ErrClosed) {
		status = http.StatusServiceUnavailable
	}
	h.record(r, slog.LevelError, status, err)
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "This file cannot be read at the moment. Please try again.", status)
}

func (h *Handler) record(r *http.Request, level slog.Level, status int, err error) {
	const most = 256
	path := r.URL.Path
	if len(path) > most {
		path = path[:most] + "…"
	}
	attrs := []slog.Attr{slog.Int("status", status), slog.String("method", r.Method), slog.String("path", path)}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	h.log.LogAttrs(r.Context(), level, http.StatusText(status), attrs...)
}

const builtinNotFound = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Page not found</title>
<style>
body { margin: 0; min-height: 100vh; display: grid; place-content: center; gap: .75rem; padding: 1.5rem;
	box-sizing: border-box; text-align: center; font: 1rem/1.5 system-ui, sans-serif }
h1 { margin: 0; font-size: 1.5rem; font-weight: 600 }
p { margin: 0; opacity: .75 }
a { color: inherit }
</style>
<h1>Page not found</h1>
<p>There is nothing at this address. <a href="/">Go to the start page</a></p>
</html>
`
