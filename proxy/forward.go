package proxy

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// forward has the instance answer a request that has entered. An error means that nothing was answered yet and another
// answer can still be given; the request may then be forwarded again. What an intermediary has to do is in RFC 9110
// section 7.
func (up *upstream) forward(w http.ResponseWriter, r *http.Request) error {
	defer up.leave()
	if r.ContentLength != 0 {
		defer r.Body.Close() // whoever still sends it ends
	}
	up.direct(r)
	res, err := up.transport.Do(r, func(status int, header http.Header) {
		if r.ProtoAtLeast(1, 1) {
			up.interim(w, status, header)
		}
	})
	if err != nil {
		return err
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		return up.switchProtocols(w, r, res)
	}
	up.edge.inspect(up, res)
	up.respond(w, res)
	return nil
}

// direct makes the request one of ours. The client's own forwarding fields are gone already.
func (up *upstream) direct(r *http.Request) {
	h := r.Header
	upgrade := upgradeOf(h)
	if r.ContentLength != 0 {
		upgrade = "" // whoever reads the body would read from the connection beside those who join it
	}
	trailers := hasToken(h["Te"], "trailers")
	dropHopByHop(h)
	if upgrade != "" {
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{upgrade}
	}
	if trailers {
		h["Te"] = []string{"trailers"}
	}
	delete(h, "X-Forwarded-For")
	if client := clientAddr(r); client.IsValid() {
		h["X-Forwarded-For"] = []string{client.String()}
	}
	h["X-Forwarded-Host"] = []string{r.Host}
	h["X-Forwarded-Proto"] = []string{"https"} // whatever the last leg was: nothing else gets here
}

// dropListed removes the fields that the sender lists as being about the connection, but for those that say what is to come of
// it. For requests that is done before anything looks at them: the cache must not go by what the instance does not see.
func dropListed(h http.Header) {
	for _, field := range h["Connection"] {
		for name := range strings.SplitSeq(field, ",") {
			switch name = http.CanonicalHeaderKey(strings.TrimSpace(name)); name {
			case "", "Connection", "Upgrade", "Te":
			default:
				delete(h, name)
			}
		}
	}
}

// dropHopByHop removes the fields that are about the connection (RFC 9110 section 7.6.1).
func dropHopByHop(h http.Header) {
	dropListed(h)
	for _, name := range [...]string{
		"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade",
	} {
		delete(h, name)
	}
}

// upgradeOf is the protocol that a message wants to switch to, or empty.
func upgradeOf(h http.Header) string {
	if len(h["Upgrade"]) == 0 || !hasToken(h["Connection"], "upgrade") {
		return ""
	}
	return h["Upgrade"][0]
}

func hasToken(fields []string, token string) bool {
	return slices.ContainsFunc(fields, func(field string) bool {
		for part := range strings.SplitSeq(field, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
		return false
	})
}

// interim passes on a response that is not the last. The server itself asks for the body (100).
func (up *upstream) interim(w http.ResponseWriter, status int, header http.Header) {
	if status == http.StatusContinue {
		return
	}
	dropHopByHop(header)
	up.edge.dropEdgeHeaders(header)
	h := w.Header()
	before := maps.Clone(h)
	maps.Copy(h, header)
	w.WriteHeader(status)
	clear(h)
	maps.Copy(h, before)
}

// respond passes on the final response. A body that does not come whole takes the client's connection with it: nothing
// else tells the client (RFC 9112 section 8).
func (up *upstream) respond(w http.ResponseWriter, res *http.Response) {
	defer res.Body.Close()
	dropHopByHop(res.Header)
	h := w.Header()
	for name, values := range res.Header {
		if own := h[name]; own != nil {
			values = append(own[:len(own):len(own)], values...)
		}
		h[name] = values
	}
	announced := announce(h, res.Trailer)
	w.WriteHeader(res.StatusCode)
	if err := up.copyBody(w, res); err != nil {
		panic(http.ErrAbortHandler)
	}
	passTrailers(w, res.Trailer, announced)
}

// announce names the trailer fields that are known to come, and returns how many.
func announce(h http.Header, trailer http.Header) int {
	for name := range trailer {
		h["Trailer"] = append(h["Trailer"], name)
	}
	return len(trailer)
}

func passTrailers(w http.ResponseWriter, trailer http.Header, announced int) {
	if len(trailer) == 0 {
		return
	}
	_ = http.NewResponseController(w).Flush() // so that there is a trailer section, if the body is short
	prefix := ""
	if len(trailer) != announced {
		prefix = http.TrailerPrefix
	}
	for name, values := range trailer {
		w.Header()[prefix+name] = values
	}
}
