package proxy

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"berth/sites"
)

// moved redirects a request that has come to another host or to the other form of its path than the site's owner wants.
func (p *Proxy) moved(w http.ResponseWriter, r *http.Request, pol *policy, host string) bool {
	path := r.URL.EscapedPath()
	form := wantedForm(r, pol.options.TrailingSlash)
	elsewhere := pol.canonical != "" && pol.canonical != host
	if form == path && !elsewhere {
		return false
	}
	if elsewhere {
		host = pol.canonical
	}
	to := "https://" + host + p.portSuffix + form
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		to += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", to)
	// Were it kept, browsers would go in circles once the owner wants it the other way around.
	w.Header().Set("Cache-Control", "no-cache")
	p.line(w, http.StatusPermanentRedirect, "This page is at another address.")
	return true
}

// wantedForm is the escaped path that a request should have. Files, which have a dot in their names, the root and what
// has a registered place (RFC 8615) are right as they are.
func wantedForm(r *http.Request, mode sites.TrailingSlash) string {
	path := r.URL.EscapedPath()
	if mode == sites.SlashAsIs || !isPage(r, path) {
		return path
	}
	switch bare := strings.TrimRight(path, "/"); {
	case mode == sites.SlashRemove:
		return bare
	case bare == path:
		return path + "/"
	}
	return path
}

// isPage reports whether the path can have both forms.
func isPage(r *http.Request, path string) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || strings.HasPrefix(path, "/.well-known/") {
		return false
	}
	bare := strings.TrimRight(path, "/")
	return bare != "" && !strings.Contains(bare[strings.LastIndexByte(bare, '/'):], ".")
}

// serveEitherForm answers under the form of the path that the owner wants, even where what serves the site has it under the
// other one: a redirect there would come back here for ever, so it is followed for the visitor.
func (p *Proxy) serveEitherForm(w http.ResponseWriter, r *http.Request, rt *route, host string) {
	if rt.policy.options.TrailingSlash == sites.SlashAsIs || !repeatable(r) || !isPage(r, r.URL.EscapedPath()) {
		p.serveRoute(w, r, rt, host)
		return
	}
	other := inOtherForm(r)
	f := &followed{ResponseWriter: w, from: r.URL, to: other.URL, host: r.Host, before: w.Header().Clone()}
	p.serveRoute(f, r, rt, host)
	if f.follows {
		p.serveRoute(w, other, rt, host)
	}
}

// inOtherForm is the same request with a slash more or less at its path's end.
func inOtherForm(r *http.Request) *http.Request {
	u, other := *r.URL, *r
	toggle := func(path string) string {
		if bare, ok := strings.CutSuffix(path, "/"); ok {
			return bare
		}
		return path + "/"
	}
	u.Path = toggle(u.Path)
	if u.RawPath != "" {
		u.RawPath = toggle(u.RawPath)
	}
	other.URL, other.RequestURI = &u, u.RequestURI()
	return &other
}

// followed is a response that is dropped if it redirects to the other form of its path.
type followed struct {
	http.ResponseWriter
	from, to *url.URL
	host     string
	before   http.Header // as it was when the response began
	began    bool
	follows  bool
}

func (f *followed) Unwrap() http.ResponseWriter { return f.ResponseWriter }

func (f *followed) WriteHeader(status int) {
	if status >= http.StatusOK && !f.began {
		f.began = true
		if f.follows = f.leads(status); f.follows {
			f.reset()
		}
	}
	if !f.follows {
		f.ResponseWriter.WriteHeader(status)
	}
}

// leads reports whether the response does nothing but redirect to the other form.
func (f *followed) leads(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return false
	}
	h := f.Header()
	if _, ok := h["Set-Cookie"]; ok {
		return false // the visitor must get it
	}
	location, err := f.from.Parse(h.Get("Location"))
	return err == nil && (location.Host == "" || strings.EqualFold(location.Host, f.host)) &&
		location.EscapedPath() == f.to.EscapedPath() && location.RawQuery == f.to.RawQuery && location.Fragment == ""
}

func (f *followed) reset() {
	h := f.Header()
	clear(h)
	for name, values := range f.before {
		h[name] = slices.Clone(values)
	}
}

func (f *followed) Write(buf []byte) (int, error) {
	if !f.began {
		f.WriteHeader(http.StatusOK)
	}
	if f.follows {
		return len(buf), nil
	}
	return f.ResponseWriter.Write(buf)
}

func (f *followed) FlushError() error {
	if !f.began {
		f.WriteHeader(http.StatusOK)
	}
	if f.follows {
		return nil
	}
	return http.NewResponseController(f.ResponseWriter).Flush()
}

// Flush makes it an http.Flusher, which handlers may look for.
func (f *followed) Flush() { _ = f.FlushError() }
