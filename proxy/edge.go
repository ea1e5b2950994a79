package proxy

import (
	"net/http"
	"slices"
	"strings"
)

// dropEdgeHeaders removes what an instance may not say, since it would be about others: an Alt-Svc would send visitors
// around the edge; Clear-Site-Data clears the cookies of all names of the domain; and a cookie for the zone or above
// goes to the panel and to every other site.
func (u *upstreams) dropEdgeHeaders(h http.Header) {
	delete(h, "Alt-Svc")
	delete(h, "Clear-Site-Data")
	if cookies, ok := h["Set-Cookie"]; ok {
		h["Set-Cookie"] = slices.DeleteFunc(cookies, func(cookie string) bool { return widerThanSite(cookie, u.zone) })
	}
}

// widerThanSite reports whether a Set-Cookie field has a Domain attribute that names the zone or a parent of it. Of
// several attributes a browser takes one, and a domain that is not a plain name it may decode to any: neither is wanted.
func widerThanSite(cookie, zone string) bool {
	_, attributes, _ := strings.Cut(cookie, ";")
	for attribute := range strings.SplitSeq(attributes, ";") {
		name, value, _ := strings.Cut(attribute, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "Domain") {
			continue
		}
		value = strings.TrimSpace(value)
		if value == "" {
			continue // that is the site's own host
		}
		domain, ok := lowerName(strings.TrimSuffix(strings.TrimLeft(value, "."), "."))
		if !ok || domain == zone || strings.HasSuffix(zone, "."+domain) {
			return true
		}
	}
	return false
}
