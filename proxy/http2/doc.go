// Package http2 owns HTTP/2 on connections that are set up: streams, flow control, header compression, and the order in which
// responses share a connection. Frames and HPACK themselves are golang.org/x/net/http2's.
//
// It must not know what is served, nor how connections are accepted, secured and admitted: a handler and bounds are handed in by
// Server. How long a Write on a connection may take is the connection's own business.
//
// The methods of *Server are safe for concurrent use; Serve is called once for each connection. A ResponseWriter is, as
// net/http's, for one goroutine at a time, but for its deadlines, and not to be used once the handler has returned. A request's
// body and context may be used beside it.
//
// One goroutine reads a connection. It runs handlers on goroutines of a crew, and never writes: frames are appended to what is
// pending on the connection, and whoever wants it gone and finds nobody writing takes the whole and writes it, while others
// append and go on. So frames of several streams share TLS records and system calls, and no request waits for a goroutine that
// does nothing but write.
package http2
