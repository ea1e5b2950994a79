// Package proxy owns the way of a visitor's request: the listeners, TLS, the table of hosts, the connections to
// instances, the draining of those that are replaced, and the answers that are berth's own.
//
// It must not know SQL, Docker, DNS or how certificates are come by. Pages, the panel, the static file server and
// certificates are handed in by Config.
//
// All methods of *Proxy are safe for concurrent use, except that Serve is called once. A request takes no lock on its
// way to a site; Apply swaps immutable routes one by one beneath the requests that run.
package proxy
