// Package compress owns the content codings of responses: which one a client and a response agree on, and the encoding of
// whole bodies and of streams.
//
// It must not know what a site is, nor where a response comes from.
//
// A *Compressor is safe for concurrent use. A *Writer belongs to one response, and is used by one goroutine at a time.
package compress
