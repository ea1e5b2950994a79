package proxy

import (
	"bytes"
	"net/http"
	"strings"
)

// dropForged removes what a client may not say, since only a gateway knows it: who the client is and what it asked for.
// Applications under CGI-like interfaces cannot tell "_" from "-", so neither does this.
func dropForged(h http.Header) {
	for name := range h {
		if forged(name) {
			delete(h, name)
		}
	}
}

func forged(name string) bool {
	var buf [32]byte // every request has a dozen names: none should cost an allocation
	folded := buf[:copy(buf[:], name)]
	for i, c := range folded {
		switch {
		case c == '_':
			folded[i] = '-'
		case c >= 'A' && c <= 'Z':
			folded[i] = c + ('a' - 'A')
		}
	}
	switch string(folded) {
	case "forwarded", "x-real-ip", "x-client-ip", "x-cluster-client-ip":
		return true
	case "true-client-ip", "cf-connecting-ip", "cf-connecting-ipv6", "fastly-client-ip":
		return true
	case "x-original-url", "x-rewrite-url": // some frameworks route by these
		return true
	case "proxy": // becomes HTTP_PROXY under CGI
		return true
	}
	return bytes.HasPrefix(folded, []byte("x-forwarded"))
}

// dropUpgrade removes the wish to speak HTTP/2 or TLS with an instance: all that came after it would be hidden from the edge.
func dropUpgrade(h http.Header) {
	for _, field := range h["Upgrade"] {
		for protocol := range strings.SplitSeq(field, ",") {
			name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(protocol)), "/")
			if name == "h2c" || name == "h2" || name == "http" || name == "tls" {
				delete(h, "Upgrade")
				delete(h, "Http2-Settings")
				return
			}
		}
	}
}
