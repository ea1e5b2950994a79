// Package http1 owns how HTTP/1.1 (RFC 9112) and 1.0 are served on connections that are set up, with TLS or without. net/http parses
// requests; this package refuses those whose framing is unclear, has handlers answer them, and writes responses: a small one with
// its header in one piece, so that it is one TLS record and one system call, and without a second goroutine unless a handler
// takes its time.
//
// It must not know hosts, sites, or any log but that of panics. A Server's methods are safe for concurrent use; a ResponseWriter and
// the request's body may be used in different goroutines until the handler returns.
package http1
