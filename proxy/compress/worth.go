package compress

import (
	"net/http"
	"strconv"
	"strings"
)

// least is the length in bytes below which a body fits one packet however it is encoded.
const least = 512

// Worthwhile reports whether a response is one to be encoded: it has a body, of a type and length that gain by it, nobody
// has encoded it before, and its sender does not object (RFC 9111 section 5.2.2.6).
func Worthwhile(status int, h http.Header) bool {
	switch {
	case status < http.StatusOK, status == http.StatusNoContent, status == http.StatusResetContent:
		return false
	case status == http.StatusPartialContent, status == http.StatusNotModified:
		return false
	case len(h["Content-Encoding"]) > 0 || len(h["Content-Range"]) > 0:
		return false
	case !compressible(h["Content-Type"]):
		return false
	case tooShort(h["Content-Length"]):
		return false
	}
	for _, line := range h["Cache-Control"] {
		if strings.Contains(strings.ToLower(line), "no-transform") {
			return false
		}
	}
	return true
}

func tooShort(length []string) bool {
	if len(length) != 1 {
		return false
	}
	n, err := strconv.ParseInt(length[0], 10, 64)
	return err != nil || n < least
}

// compressible goes by the media type. Pictures, sound, film, archives and web fonts are compressed already.
func compressible(contentType []string) bool {
	if len(contentType) != 1 {
		return false
	}
	media, _, _ := strings.Cut(contentType[0], ";")
	media = strings.ToLower(strings.Trim(media, " \t"))
	if strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "+xml") || strings.HasSuffix(media, "+text") {
		return true
	}
	switch media {
	case "application/json", "application/javascript", "application/x-javascript", "application/ecmascript", "application/xml",
		"application/wasm", "application/x-ndjson", "application/jsonl", "application/yaml", "application/toml", "application/graphql",
		"application/sql", "application/rtf", "application/vnd.apple.mpegurl", "application/vnd.ms-fontobject", "application/x-www-form-urlencoded",
		"font/ttf", "font/otf", "font/collection", "application/x-font-ttf", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon":
		return true
	}
	return false
}

// endless reports whether a response is one that goes on for as long as its client stays.
func endless(h http.Header) bool {
	return strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "text/event-stream")
}

// Describe changes the header of a response to that of the same response in coding c. The tag becomes a weak one: the bytes
// are others, what they mean is not.
func Describe(h http.Header, c Coding) {
	Varies(h)
	if c == Identity {
		return
	}
	h["Content-Encoding"] = []string{c.Name()}
	delete(h, "Content-Length")
	delete(h, "Accept-Ranges")
	if tag := h.Get("Etag"); strings.HasPrefix(tag, `"`) {
		h["Etag"] = []string{"W/" + tag}
	}
}

// Varies notes that the response depends on Accept-Encoding.
func Varies(h http.Header) {
	for _, line := range h["Vary"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name == "*" || strings.EqualFold(name, "Accept-Encoding") {
				return
			}
		}
	}
	// A slice of its own: the old one may be shared.
	h["Vary"] = append(h["Vary"][:len(h["Vary"]):len(h["Vary"])], "Accept-Encoding")
}
