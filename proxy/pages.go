package proxy

import (
	"net/http"
	"strconv"
	"strings"
)

// Pages renders the pages that visitors see instead of a site. Its methods are safe for concurrent use.
type Pages interface {
	// Page returns a complete HTML document. host has the form of a DNS name or an IP address.
	Page(kind PageKind, host string) []byte
	// TooLarge is the document for those who have sent more than the mostMB MiB that the site takes at a time; 413.
	TooLarge(host string, mostMB int) []byte
	// Policy returns the Content-Security-Policy that the documents need.
	Policy() string
}

// PageKind says why a page of berth's own is served instead of a site.
type PageKind int

const (
	PageUnknownHost  PageKind = iota + 1 // no site has the name; 404
	PageStopped                          // its owner has stopped the site; 503
	PagePlaceholder                      // the site has no release yet; 200
	PageStarting                         // the first instance is being started; 503
	PageInstanceDown                     // the site should be served and cannot be; 502
	PageMaintenance                      // its owner works on the site; 503
	PageUnauthorized                     // the site asks for a password; 401
	PageForbidden                        // the site does not answer this client; 403
	PageTooMany                          // there are more requests, or wrong passwords, than may be; 429
)

// answer is what a page says to those who do not read it.
type answer struct {
	status     int
	retryAfter int // seconds, 0 for none
	line       string
}

func (k PageKind) answer() answer {
	switch k {
	case PageUnknownHost:
		return answer{status: http.StatusNotFound, line: "There is no site at this address."}
	case PageStopped:
		return answer{status: http.StatusServiceUnavailable, retryAfter: 600, line: "This site is stopped."}
	case PagePlaceholder:
		return answer{status: http.StatusOK, line: "This site has no content yet."}
	case PageStarting:
		return answer{status: http.StatusServiceUnavailable, retryAfter: 5, line: "This site is starting."}
	case PageInstanceDown:
		return answer{status: http.StatusBadGateway, line: "This site cannot be reached at the moment."}
	case PageMaintenance:
		return answer{status: http.StatusServiceUnavailable, retryAfter: 300, line: "This site is being worked on."}
	case PageUnauthorized:
		return answer{status: http.StatusUnauthorized, line: "This site asks for a user name and a password."}
	case PageForbidden:
		return answer{status: http.StatusForbidden, line: "This site is not open to your network."}
	case PageTooMany:
		return answer{status: http.StatusTooManyRequests, retryAfter: 1, line: "Too many requests. Try again in a moment."}
	}
	return answer{status: http.StatusInternalServerError, line: "Something went wrong."}
}

// page answers with the site's own page of the kind or, where it has none, with berth's: the document for those who ask for
// HTML, one line for all others.
func (p *Proxy) page(w http.ResponseWriter, r *http.Request, kind PageKind, host string) {
	if p.ownPage(w, r, kind, host) {
		return
	}
	a := kind.answer()
	h := w.Header()
	h.Set("Vary", "Accept")
	h.Set("X-Robots-Tag", "noindex")
	if a.retryAfter > 0 && h.Get("Retry-After") == "" {
		h.Set("Retry-After", strconv.Itoa(a.retryAfter))
	}
	if kind == PagePlaceholder && r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD") // nobody should believe that something was received
		p.line(w, http.StatusMethodNotAllowed, a.line)
		return
	}
	if !wantsHTML(r.Header) {
		p.line(w, a.status, a.line)
		return
	}
	p.document(w, a.status, p.pages.Page(kind, host))
}

func (p *Proxy) document(w http.ResponseWriter, status int, page []byte) {
	w.Header().Set("Content-Security-Policy", p.pages.Policy())
	send(w, status, "text/html; charset=utf-8", page)
}

// refuse answers a request that is not for any site.
func (p *Proxy) refuse(w http.ResponseWriter, status int) {
	p.line(w, status, http.StatusText(status)+".")
}

func (p *Proxy) line(w http.ResponseWriter, status int, line string) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	send(w, status, "text/plain; charset=utf-8", []byte(line+"\n"))
}

// send answers with a whole body, which nobody may keep unless the header says otherwise already.
func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	switch {
	case h.Get("Cache-Control") != "":
	case status == http.StatusPermanentRedirect:
		h.Set("Cache-Control", "max-age=3600") // without it a browser keeps the redirect for ever
	default:
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// wantsHTML reports whether Accept names text/html: a browser's does, and those of curl, scripts and subresources do not.
func wantsHTML(h http.Header) bool {
	for _, field := range h["Accept"] {
		for media := range strings.SplitSeq(field, ",") {
			name, parameters, _ := strings.Cut(media, ";")
			if strings.EqualFold(strings.TrimSpace(name), "text/html") && !rejected(parameters) {
				return true
			}
		}
	}
	return false
}

// rejected reports whether the parameters of a media range give it the weight zero.
func rejected(parameters string) bool {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(name, "q") {
			weight, err := strconv.ParseFloat(value, 64)
			return err == nil && weight == 0
		}
	}
	return false
}
