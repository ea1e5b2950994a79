package cache

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"berth/proxy/compress"
)

// storable reports whether a response may be kept for others, RFC 9111 section 3, and worth it. Nothing is guessed: a
// response that does not say how long it is good for is not kept.
func storable(r *http.Request, status int, h http.Header, c *control) bool {
	switch {
	case r.Method != http.MethodGet || !understood(status):
		return false
	case c.private || c.noStore && !c.mustUnderstand:
		return false
	case len(h["Set-Cookie"]) > 0: // for one visitor, whatever else is said
		return false
	case len(h["Trailer"]) > 0:
		return false
	case len(r.Header["Authorization"]) > 0 && !c.forAuthorized():
		return false
	case len(r.Header["Cookie"]) > 0 && !c.forEverybody(h):
		return false
	case variesOnAll(h["Vary"]):
		return false
	}
	if c.lifetime() > 0 && !c.noCache {
		return true
	}
	asked := c.noCache || c.lifetime() == 0
	return asked && (h.Get("Etag") != "" || h.Get("Last-Modified") != "")
}

// forAuthorized is RFC 9111 section 3.5.
func (c *control) forAuthorized() bool { return c.public || c.sMaxAge != unset || c.mustRevalidate }

// common reports whether a response answers those who have waited for it, too: it is good for some time, or said to be for
// everybody. Of any other the origin wants to judge for each request whether it is right (RFC 9111 sections 4 and 5.2.2.4).
func (c *control) common() bool {
	return c.public || c.sMaxAge != unset || c.lifetime() > 0 && !c.noCache
}

// forEverybody reports whether the origin has said that a response is meant for all, and not only for how long. A plain
// max-age in answer to somebody with a cookie too often means their browser.
func (c *control) forEverybody(h http.Header) bool {
	return c.public || c.sMaxAge != unset || len(h[targeted]) > 0
}

// understood are the statuses that say the same of a resource to everybody, and can be kept without knowing more.
func understood(status int) bool {
	switch status {
	case 200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 451, 501:
		return true
	}
	return false
}

// failed are the statuses for which something stale may stand in, RFC 5861 section 4.
func failed(status int) bool {
	return status == 500 || status == 502 || status == 503 || status == 504
}

// variesOnAll reports whether nobody else's request selects the response.
func variesOnAll(vary []string) bool {
	for _, line := range vary {
		if strings.Contains(line, "*") {
			return true
		}
	}
	return false
}

// varying returns the names of the fields that select a response, canonical.
func varying(vary []string) []string {
	var names []string
	for _, line := range vary {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, http.CanonicalHeaderKey(name))
			}
		}
	}
	return names
}

// selecting is a field of a request as far as it selects a response.
func selecting(h http.Header, name string) string {
	lines := h[name]
	switch {
	case name == "Accept-Encoding":
		return compress.Class(lines)
	case len(lines) == 0:
		return ""
	case len(lines) == 1:
		return lines[0]
	}
	return strings.Join(lines, ", ")
}

// initialAge is how old a response was when it came, RFC 9111 section 4.2.3.
func initialAge(h http.Header, asked, came time.Time) time.Duration {
	age := time.Duration(0)
	if told, ok := deltaSeconds(h.Get("Age")); ok {
		age = told
	}
	age += came.Sub(asked)
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		age = max(age, came.Truncate(time.Second).Sub(date))
	}
	return max(0, age)
}

// length is the announced length of a body, -1 where there is none or it makes no sense.
func length(h http.Header) int64 {
	if lines := h["Content-Length"]; len(lines) == 1 {
		if n, err := strconv.ParseInt(lines[0], 10, 64); err == nil && n >= 0 {
			return n
		}
	}
	return -1
}
