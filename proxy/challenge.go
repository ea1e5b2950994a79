package proxy

import (
	"net/http"
	"strings"
)

// challengePath is where CAs look for the proof that a host is ours (RFC 8555 section 8.3).
const challengePath = "/.well-known/acme-challenge/"

// proven answers a CA that came without TLS. It reports whether the request was for that, even where nothing is to be found:
// the path is never redirected.
func (p *Proxy) proven(w http.ResponseWriter, r *http.Request, host string) bool {
	token, ok := strings.CutPrefix(r.URL.Path, challengePath)
	if !ok {
		return false
	}
	content, known := p.httpChallenge(host, token)
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		p.refuse(w, http.StatusMethodNotAllowed)
	case !known:
		p.refuse(w, http.StatusNotFound)
	default:
		w.Header().Set("Cache-Control", "no-store")
		send(w, http.StatusOK, "application/octet-stream", []byte(content))
	}
	return true
}
