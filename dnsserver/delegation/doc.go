// Package delegation owns the look at a zone from outside: what its parent tells the world of it, and whether the nameservers
// that the world is sent to answer. It asks the parent's nameservers themselves, so that no cache hides a change.
//
// It must not know zones' content, the server, SQL or HTTP; of berth it knows the nouns of sites alone.
//
// All functions are safe for concurrent use.
package delegation
