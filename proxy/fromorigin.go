package proxy

import (
	"errors"
	"net/http"
	"time"

	"berth/proxy/origin"
)

// fromOrigin answers from what serves the site: one of its instances, then another, then its files. The route is looked up
// anew whenever an instance turns out to be closed or not to be there: by then others may be published.
func (p *Proxy) fromOrigin(w http.ResponseWriter, r *http.Request, rt *route, host string) {
	var done tried
	for judged := rt; ; rt = p.table.find(host) {
		if rt != nil && rt.policy != nil && rt.site.ID != judged.site.ID {
			p.down(w, r, host) // the host has moved, and this request was let through by another site's options
			return
		}
		if kind, ok := rt.page(); ok {
			p.page(w, r, kind, host)
			return
		}
		up := rt.instances.pick(&done, p.limits.rest)
		if up == nil || rt.files != nil && (up.resting(p.limits.rest) || up.leftOut()) {
			p.serveFiles(w, r, rt, host)
			return
		}
		if !up.enter() {
			continue
		}
		if done.n > 0 {
			p.retries.Add(1)
		}
		err := up.forward(w, r)
		if err == nil {
			if up.answered() {
				p.log.Info("an instance can be reached again", "host", host, "address", up.target)
			}
			return
		}
		if !p.another(w, r, up, host, err) {
			return
		}
		done.add(up)
		if errors.Is(err, origin.ErrBusy) || timedOut(err) && !notConnected(err) {
			done.end() // it has waited long enough, and the others have as much to do
		}
	}
}

// another judges a request that the instance did not answer. It reports whether another source may be tried, and
// otherwise has dealt with the request.
func (p *Proxy) another(w http.ResponseWriter, r *http.Request, up *upstream, host string, err error) bool {
	switch status := bodyFault(r); status {
	case 0:
	case http.StatusRequestEntityTooLarge:
		p.tooLarge(w, r, host, r.Body.(*pacedBody).bound)
		return false
	default:
		p.refuse(w, status)
		return false
	}
	if r.Context().Err() != nil {
		// The client has gone, or is being cut off: then it must not take an empty response for the site's.
		panic(http.ErrAbortHandler)
	}
	busy := errors.Is(err, origin.ErrBusy)
	switch {
	case busy:
		p.scarce("an instance has no connection left", host)
	case up.failed(err, time.Now()):
		p.log.Warn("an instance cannot be reached", "host", host, "address", up.target, "error", err)
	default:
		p.log.Debug("an instance did not answer", "host", host, "address", up.target, "error", err)
	}
	if !busy {
		p.table.upstreams.fault(up, faultConnection, err)
	}
	if busy || notConnected(err) || repeatable(r) {
		return true
	}
	p.down(w, r, host)
	return false
}

// repeatable reports whether a request may be made a second time though the first may have been heard: its method is
// idempotent (RFC 9110 section 9.2.2), and nothing of it is lost.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return r.ContentLength == 0 && r.Header.Get("Upgrade") == ""
	}
	return false
}
