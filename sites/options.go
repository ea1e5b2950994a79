package sites

import (
	"net/netip"
	"reflect"
	"slices"
)

// Options are what an owner has chosen for how a site answers. The zero Options change nothing.
type Options struct {
	Canonical     string         // host that the site's other hosts redirect to; empty: each of them answers
	TrailingSlash TrailingSlash  // of pages' paths
	HSTS          HSTS           // whether browsers are told to come by HTTPS only (RFC 6797)
	Login         Login          // what visitors must know; zero: nothing
	Allow         []netip.Prefix // whom the site answers; empty: everybody
	Maintenance   bool           // visitors get a page that says so, with 503
	Pages         ErrorPages
	Bounds        Bounds
}

// TrailingSlash says which of the two forms of a page's path visitors are redirected to.
type TrailingSlash string

const (
	SlashAsIs   TrailingSlash = ""
	SlashAdd    TrailingSlash = "add"
	SlashRemove TrailingSlash = "remove"
)

// HSTS is how far a site's Strict-Transport-Security goes.
type HSTS string

const (
	HSTSOff        HSTS = ""
	HSTSHost       HSTS = "host"       // the host alone, for a year
	HSTSSubdomains HSTS = "subdomains" // and all names below it
)

// ErrorPages are files of the active release, as paths from its root such as "/errors/down.html", that stand in for
// berth's own pages; empty: berth's own.
type ErrorPages struct {
	Down        string // the site cannot be reached
	Maintenance string
}

// Bounds limit what a site takes from its visitors; 0 means no bound of its own.
type Bounds struct {
	RequestsPerSecond int // with a burst of as many
	Connections       int // requests at a time, upgraded connections among them
	BodyMB            int // MiB of one request's body
}

// Admits reports whether the site answers the client.
func (o Options) Admits(client netip.Addr) bool {
	return len(o.Allow) == 0 || slices.ContainsFunc(o.Allow, func(network netip.Prefix) bool { return network.Contains(client) })
}

// Equal reports whether the two mean the same.
func (o Options) Equal(other Options) bool {
	if !slices.Equal(o.Allow, other.Allow) {
		return false
	}
	o.Allow, other.Allow = nil, nil
	return reflect.DeepEqual(o, other)
}

// Zero reports whether the options change nothing.
func (o Options) Zero() bool { return o.Equal(Options{}) }
