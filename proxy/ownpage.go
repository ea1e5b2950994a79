package proxy

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"
)

// pageFor is the path of the site's own page of the kind, or empty.
func (pol *policy) pageFor(kind PageKind) string {
	switch kind {
	case PageInstanceDown:
		return pol.options.Pages.Down
	case PageMaintenance:
		return pol.options.Pages.Maintenance
	}
	return ""
}

// ownPage answers with a page of the site's release instead of one of berth's. It reports false where there is none, or none
// that can be had now, and then has answered nothing.
func (p *Proxy) ownPage(w http.ResponseWriter, r *http.Request, kind PageKind, host string) bool {
	rt := p.table.find(host)
	if rt == nil || rt.policy == nil || rt.policy.own == nil {
		return false
	}
	path := rt.policy.pageFor(kind)
	if path == "" || !p.files.take() {
		return false
	}
	defer p.files.give()
	h, err := rt.policy.own.handler()
	if err != nil {
		p.log.Warn("a site's own page cannot be served", "host", host, "page", path, "error", err)
		return false
	}
	s := &standIn{ResponseWriter: w, header: make(http.Header), answer: kind.answer()}
	h.ServeHTTP(s, pageRequest(r, path))
	return !s.missing
}

// pageRequest asks for a file as a whole; of what the visitor has asked for only the encodings matter.
func pageRequest(r *http.Request, path string) *http.Request {
	u := &url.URL{Path: path}
	page := &http.Request{
		Method: http.MethodGet, URL: u, RequestURI: u.RequestURI(), Host: r.Host, RemoteAddr: r.RemoteAddr,
		Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor, Body: http.NoBody, Header: make(http.Header),
	}
	if accepted, ok := r.Header["Accept-Encoding"]; ok {
		page.Header["Accept-Encoding"] = accepted
	}
	if r.Method == http.MethodHead {
		page.Method = http.MethodHead
	}
	return page.WithContext(r.Context())
}

// standIn is a file that is sent with another status than 200. Any other answer than the file is dropped.
type standIn struct {
	http.ResponseWriter
	header  http.Header
	answer  answer
	began   bool
	missing bool
}

func (s *standIn) Header() http.Header { return s.header }

func (s *standIn) WriteHeader(status int) {
	if s.began || status < http.StatusOK {
		return
	}
	s.began = true
	if s.missing = status != http.StatusOK; s.missing {
		return
	}
	for _, name := range []string{"Etag", "Last-Modified", "Accept-Ranges"} {
		delete(s.header, name) // these tell of the file, not of what was asked for
	}
	h := s.ResponseWriter.Header()
	maps.Copy(h, s.header)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex")
	if s.answer.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(s.answer.retryAfter))
	}
	s.ResponseWriter.WriteHeader(s.answer.status)
}

func (s *standIn) Write(buf []byte) (int, error) {
	if !s.began {
		s.WriteHeader(http.StatusOK)
	}
	if s.missing {
		return len(buf), nil
	}
	return s.ResponseWriter.Write(buf)
}
