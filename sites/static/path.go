package static

import (
	"net/url"
	"strings"
)

// wellKnown is the one folder with a leading dot that is meant for the public; RFC 8615.
const wellKnown = ".well-known"

// visible reports whether a decoded path may be looked up: it is absolute, does not go up, and names nothing that
// begins with a dot, except /.well-known itself.
func visible(path string) bool {
	if path[0] != '/' {
		return false
	}
	rest := path
	if path == "/"+wellKnown || strings.HasPrefix(path, "/"+wellKnown+"/") {
		rest = path[1+len(wellKnown):]
	}
	return !strings.Contains(rest, "/.")
}

// hasEncodedSlash reports whether a slash came as %2F: no file has one in its name.
func hasEncodedSlash(u *url.URL) bool {
	return u.RawPath != "" && strings.Contains(strings.ToLower(u.RawPath), "%2f")
}

// mergeSlashes turns every run of slashes into one.
func mergeSlashes(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b.WriteByte(path[i])
		}
	}
	return b.String()
}
