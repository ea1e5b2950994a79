package proxy

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"berth/proxy/cache"
	"berth/sites"
)

// table finds the route of a host. Readers take no lock; there is one writer at a time.
type table struct {
	upstreams *upstreams
	static    func(root string) (http.Handler, error)
	cache     *cache.Cache

	writing sync.Mutex
	routes  sync.Map // host name → *route
	hosts   atomic.Int64
}

func newTable(u *upstreams, static func(string) (http.Handler, error), c *cache.Cache) *table {
	return &table{upstreams: u, static: static, cache: c}
}

// route is how one site is served; its hosts share it. It is immutable.
type route struct {
	site      sites.Published
	instances group   // empty: none
	files     *files  // nil: berth cannot serve the release itself
	policy    *policy // nil: the site has no options
	kept      *kept
}

// page is the page that stands in for the site, if one does. A nil route is that of an unknown host.
func (rt *route) page() (PageKind, bool) {
	switch {
	case rt == nil:
		return PageUnknownHost, true
	case rt.site.State == sites.StateEmpty:
		return PagePlaceholder, true
	case rt.site.State == sites.StateStopped:
		return PageStopped, true
	case len(rt.instances) > 0 || rt.files != nil:
		return 0, false
	case rt.site.State == sites.StateStarting, rt.site.State == sites.StateSleeping:
		return PageStarting, true
	}
	return PageInstanceDown, true
}

// find returns nil for a host that routes nowhere.
func (t *table) find(host string) *route {
	if found, ok := t.routes.Load(host); ok {
		return found.(*route)
	}
	return nil
}

func (t *table) size() int { return int(t.hosts.Load()) }

func (t *table) apply(ch sites.Change) {
	t.writing.Lock()
	defer t.writing.Unlock()
	for _, site := range ch.Sites {
		t.put(site)
	}
	if ch.Full {
		t.keepOnly(ch.Sites)
		return
	}
	for _, host := range ch.Gone {
		// A host that has moved to another site within the change is both gone and there.
		if !slices.ContainsFunc(ch.Sites, func(s sites.Published) bool { return slices.Contains(s.Hosts, host) }) {
			t.remove(host)
		}
	}
}

func (t *table) keepOnly(published []sites.Published) {
	named := make(map[string]struct{}, len(published))
	for _, site := range published {
		for _, host := range site.Hosts {
			named[host] = struct{}{}
		}
	}
	t.routes.Range(func(key, _ any) bool {
		if _, ok := named[key.(string)]; !ok {
			t.remove(key.(string))
		}
		return true
	})
}

// put routes the site's hosts. A site that is as it was keeps its route, so that a full change that heals nothing
// costs little.
func (t *table) put(site sites.Published) {
	next := &route{site: site}
	var policyBefore *policy
	for _, host := range site.Hosts {
		before := t.find(host)
		if before == nil {
			continue
		}
		if samePublished(before.site, site) && t.routesAll(site.Hosts, before) {
			return
		}
		if next.files == nil && before.files != nil && before.files.root == site.Root {
			next.files = before.files
		}
		if before.site.ID == site.ID && policyBefore == nil {
			policyBefore = before.policy
		}
		if next.kept == nil {
			next.kept = keptBetween(before, site)
		}
	}
	t.complete(next)
	next.policy = newPolicy(site, t.pagesOf(next), policyBefore)
	for _, host := range site.Hosts {
		t.set(host, next)
	}
}

func (t *table) complete(rt *route) {
	if rt.site.Root == "" {
		rt.files = nil
	} else if rt.files == nil {
		rt.files = &files{root: rt.site.Root, open: t.static}
	}
	if rt.kept == nil {
		rt.kept = &kept{space: new(cache.Space)}
	}
	if serves(rt.site.State) && len(rt.site.Instances) > 0 && len(rt.site.Hosts) > 0 {
		rt.instances = t.upstreams.retain(rt.site)
	}
}

// pagesOf is what the site's own pages come from: the release's files, whoever serves the release.
func (t *table) pagesOf(rt *route) *files {
	if rt.files != nil || rt.site.Content == "" {
		return rt.files
	}
	return &files{root: rt.site.Content, open: t.static}
}

func (t *table) routesAll(hosts []string, rt *route) bool {
	for _, host := range hosts {
		if t.find(host) != rt {
			return false
		}
	}
	return true
}

// set replaces the route before it lets go of the old one's instance: whoever is turned away there finds the new route.
func (t *table) set(host string, rt *route) {
	t.hold(rt)
	before, replaced := t.routes.Swap(host, rt)
	if !replaced {
		t.hosts.Add(1)
		return
	}
	t.release(before.(*route))
}

func (t *table) remove(host string) {
	before, found := t.routes.LoadAndDelete(host)
	if !found {
		return
	}
	t.hosts.Add(-1)
	t.release(before.(*route))
}

func (t *table) release(rt *route) {
	t.letGo(rt)
	if len(rt.instances) > 0 {
		t.upstreams.release(rt.instances)
	}
}

func samePublished(a, b sites.Published) bool {
	return a.ID == b.ID && a.Name == b.Name && a.State == b.State && a.Release == b.Release &&
		a.Root == b.Root && a.Content == b.Content && slices.Equal(a.Instances, b.Instances) && slices.Equal(a.Hosts, b.Hosts) && slices.Equal(a.Lapsed, b.Lapsed) &&
		a.Options.Equal(b.Options) && a.HealthPath == b.HealthPath
}
