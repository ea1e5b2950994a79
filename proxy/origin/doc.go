// Package origin owns the conversation with one origin server, an instance: its connections, kept and new, and HTTP/1.1 over
// them (RFC 9112). The request is written and the response read by the goroutine that asks, which spares the two that
// net/http's Transport keeps for every connection and the hand-overs between them; bodies are framed by net/http.
//
// It must not know sites, routes, or what is done with a response.
//
// All methods of *Transport are safe for concurrent use.
package origin
