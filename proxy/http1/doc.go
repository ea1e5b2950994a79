// Package http1 is a server of HTTP/1.1 (RFC 9112) and 1.0 for connections that are set up, whether TLS is on them or not. net/http parses
// requests; this package refuses those whose framing is unclear, has handlers answer them, and writes responses: a small one with
// its header in one piece, so that it is one TLS record and one system call, and without a second goroutine unless a handler
// takes its time.
//
// It knows no host, no site and no log but that of panics. A Server's methods may be called concurrently; a ResponseWriter and the
// request's body may be used in different goroutines until the handler returns.
package http1
