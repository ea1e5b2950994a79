package proxy

import (
	"net/http"

	"berth/proxy/cache"
	"berth/sites"
)

// cached answers for the site from what is kept of it, and otherwise from its origin.
func (p *Proxy) cached(w http.ResponseWriter, r *http.Request, rt *route, host string) {
	if p.cache.Hit(w, r, rt.kept.space) {
		return
	}
	p.cache.Fetch(w, r, rt.kept.space, func(w http.ResponseWriter, r *http.Request) { p.fromOrigin(w, r, rt, host) })
}

// kept is what the cache holds of one release of one site, for as long as hosts route there.
type kept struct {
	space *cache.Space
	hosts int // guarded by table.writing
}

// keptBetween returns what next holds on to of what before did: all, if the same release goes on being served.
func keptBetween(before *route, next sites.Published) *kept {
	same := before != nil && before.site.ID == next.ID && before.site.Release == next.Release && before.site.Root == next.Root &&
		serves(before.site.State) && serves(next.State)
	if same {
		return before.kept
	}
	return nil
}

// serves reports whether visitors of a site in that state may see its release.
func serves(state sites.State) bool { return state != sites.StateStopped && state != sites.StateEmpty }

// hold counts a host that routes to rt.
func (t *table) hold(rt *route) { rt.kept.hosts++ }

// letGo undoes hold. What no host routes to is gone from the cache at once.
func (t *table) letGo(rt *route) {
	if rt.kept.hosts--; rt.kept.hosts == 0 {
		t.cache.End(rt.kept.space)
	}
}
