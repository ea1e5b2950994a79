package proxy

import (
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// serveSecure answers a request that came over TLS. A gateway's client may have come to it without.
func (p *Proxy) serveSecure(w http.ResponseWriter, r *http.Request) {
	came := p.identify(r)
	if !came.secure {
		p.toHTTPS(w, r)
		return
	}
	p.serve(w, r, came)
}

// serve answers a request whose client came by HTTPS and is identified.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request, came arrival) {
	p.requests.enter()
	defer p.requests.leave()
	p.served.Add(1)
	if p.offer != nil && r.ProtoMajor < 3 && !came.gateway {
		w.Header()["Alt-Svc"] = p.offer
	}
	host, ok := checkTarget(r)
	switch {
	case r.Method == http.MethodOptions && r.RequestURI == "*":
		w.WriteHeader(http.StatusNoContent) // it asks whether the server is there (RFC 9110 section 9.3.7)
		return
	case !ok:
		p.refuse(w, http.StatusBadRequest)
		return
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		// Neither has a use for a site, and both make a gateway do what its visitor should not be able to ask for.
		p.refuse(w, http.StatusNotImplemented)
		return
	case !came.gateway && p.misdirected(r, host):
		p.refuse(w, http.StatusMisdirectedRequest)
		return
	}
	w, r, done := paced(w, r, p.limits.stall)
	defer done()
	switch host {
	case p.panelHost:
		p.panel.ServeHTTP(w, r)
	case p.zone, p.www:
		p.redirect(w, r, p.panelHost)
	default:
		p.serveSite(w, r, host)
	}
}

// servePlain answers a request that came without TLS. A gateway's client may have come to it by HTTPS.
func (p *Proxy) servePlain(w http.ResponseWriter, r *http.Request) {
	came := p.identify(r)
	switch {
	case came.secure:
		p.serve(w, r, came)
	case !p.selfChecks.answer(w, r):
		p.toHTTPS(w, r)
	}
}

// toHTTPS redirects to HTTPS, if that can have a certificate. CAs find their answers before that.
func (p *Proxy) toHTTPS(w http.ResponseWriter, r *http.Request) {
	host, ok := checkTarget(r)
	switch {
	case !ok:
		p.refuse(w, http.StatusBadRequest)
	case p.proven(w, r, host):
	case !p.secured(host):
		// Over HTTPS there would only be a warning.
		p.page(w, r, PageUnknownHost, host)
	default:
		p.redirect(w, r, host)
	}
}

// secured reports whether there can be a certificate for host: the wildcard's, or that of a name that is served.
func (p *Proxy) secured(host string) bool {
	if host == p.panelHost || host == p.zone || p.table.find(host) != nil {
		return true
	}
	label, ok := strings.CutSuffix(host, "."+p.zone)
	return ok && !strings.Contains(label, ".")
}

// redirect sends the client to the same resource over HTTPS at host. 308 keeps method and body.
func (p *Proxy) redirect(w http.ResponseWriter, r *http.Request, host string) {
	w.Header().Set("Location", "https://"+host+p.portSuffix+r.URL.RequestURI())
	p.line(w, http.StatusPermanentRedirect, "This page is at another address.")
}

// checkTarget returns the host that is asked for, and false when there is none, the request's target is not a path, or no line of
// HTTP/1.1 could say the same: HTTP/2 and 3 have methods and queries come with spaces in them.
func checkTarget(r *http.Request) (host string, ok bool) {
	if r.URL.Opaque != "" || !httpguts.ValidHeaderFieldName(r.Method) || strings.Contains(r.URL.RawQuery, " ") {
		return "", false
	}
	if r.URL.Path == "" {
		r.URL.Path = "/" // of an absolute target such as http://host
	}
	if r.URL.Path[0] != '/' {
		return "", false
	}
	return hostname(r.Host)
}

// serveSite answers for the site that host routes to.
func (p *Proxy) serveSite(w http.ResponseWriter, r *http.Request, host string) {
	rt := p.table.find(host)
	w, seen := p.observe(w, r, rt, host)
	defer seen.end()
	if p.settled(w, r, rt, host) {
		return
	}
	p.serveRoute(w, r, rt, host)
}

// serveRoute answers a request that the site's options let through.
func (p *Proxy) serveRoute(w http.ResponseWriter, r *http.Request, rt *route, host string) {
	if kind, ok := rt.page(); ok {
		p.page(w, r, kind, host)
		return
	}
	p.cached(w, r, rt, host)
}

// serveFiles answers from the release's files when the instance cannot. A static site outlives its instance.
func (p *Proxy) serveFiles(w http.ResponseWriter, r *http.Request, rt *route, host string) {
	if rt.files == nil {
		p.down(w, r, host)
		return
	}
	if !p.files.take() {
		p.scarce("too many requests for files", host)
		p.down(w, r, host)
		return
	}
	defer p.files.give()
	h, err := rt.files.handler()
	if err != nil {
		p.log.Warn("a release cannot be served", "host", host, "release", rt.site.Release, "error", err)
		p.down(w, r, host)
		return
	}
	h.ServeHTTP(w, r)
}

// scarce logs that a limit leaves a request without an answer from the site.
func (p *Proxy) scarce(what, host string) {
	if omitted, due := p.scarcity.due(time.Now()); due {
		p.log.Warn(what, "host", host, "omitted", omitted)
	}
}

func (p *Proxy) down(w http.ResponseWriter, r *http.Request, host string) {
	p.failures.Add(1)
	p.page(w, r, PageInstanceDown, host)
}
