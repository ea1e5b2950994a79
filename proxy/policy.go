package proxy

import (
	"net/http"
	"slices"
	"strings"

	"berth/sites"
)

// policy is what a site's options come to, made once for a route. All but its burden is immutable.
type policy struct {
	options   sites.Options
	canonical string  // host that the site's others redirect to; empty: none
	burden    *burden // nil: nothing bounds it
	own       *files  // of the site's own pages; nil: it has none
}

// newPolicy returns nil where there are no options, which is what most sites have. before is the site's policy until now, if
// any: what it has to bear goes on.
func newPolicy(site sites.Published, served *files, before *policy) *policy {
	o := site.Options
	if o.Zero() {
		return nil
	}
	pol := &policy{options: o}
	if slices.Contains(site.Hosts, o.Canonical) && !slices.Contains(site.Lapsed, o.Canonical) {
		pol.canonical = o.Canonical
	}
	if o.Bounds.RequestsPerSecond > 0 || o.Bounds.Connections > 0 {
		pol.burden = newBurden()
		if before != nil && before.burden != nil {
			pol.burden = before.burden
		}
	}
	if o.Pages != (sites.ErrorPages{}) {
		pol.own = served
	}
	return pol
}

// settled answers a request to a site whose owner has set options, and reports false where there are none. Whom the site
// does not answer at all does not count against its bounds.
func (p *Proxy) settled(w http.ResponseWriter, r *http.Request, rt *route, host string) bool {
	if rt == nil || rt.policy == nil {
		return false
	}
	pol := rt.policy
	w = marked(w, pol.hstsAt(host, p.zone), pol.exclusive())
	switch {
	case !pol.options.Admits(clientAddr(r)):
		p.page(w, r, PageForbidden, host)
		return true
	case !pol.burden.enter(pol.options.Bounds):
		p.page(w, r, PageTooMany, host)
		return true
	}
	defer pol.burden.leave()
	switch {
	case p.oversized(w, r, host, pol.options.Bounds.BodyMB):
	case p.moved(w, r, pol, host):
	case pol.options.Login.Required() && !p.loggedIn(w, r, rt, host):
	case pol.options.Maintenance:
		p.page(w, r, PageMaintenance, host)
	default:
		p.serveEitherForm(w, r, rt, host)
	}
	return true
}

// exclusive reports whether the site is for some people only, so that nobody between may keep its answers for others.
func (pol *policy) exclusive() bool {
	return pol.options.Login.Required() || len(pol.options.Allow) > 0
}

// hstsAt is the Strict-Transport-Security field at one of the site's hosts, or empty (RFC 6797). A host that the zone lies
// below does not speak for the names there: they are those of others.
func (pol *policy) hstsAt(host, zone string) string {
	const year = "max-age=31536000"
	switch {
	case pol.options.HSTS == sites.HSTSSubdomains && !liesBelow(zone, host):
		return year + "; includeSubDomains"
	case pol.options.HSTS != sites.HSTSOff:
		return year
	}
	return ""
}

func liesBelow(name, above string) bool {
	rest, ok := strings.CutSuffix(name, above)
	return ok && strings.HasSuffix(rest, ".")
}
