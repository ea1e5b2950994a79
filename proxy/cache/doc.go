// Package cache owns a shared HTTP cache in memory (RFC 9111): what may be kept of which responses and for how long, the
// store with its bound in bytes, the joining of requests that miss the same thing, and the answers given from what is kept,
// each in the coding that the client likes best.
//
// It must not know sites, their rules, or how an origin answers: that is a function handed in with each request, and what
// belongs together is a Space.
//
// A *Cache and a *Space are safe for concurrent use. A hit takes no lock but, of a large body, its own.
package cache
