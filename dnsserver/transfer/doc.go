// Package transfer owns what nameservers say to each other about zones: transactions signed by TSIG (RFC 8945), whole and
// incremental transfers in and out (RFC 5936, RFC 1995), NOTIFY in and out (RFC 1996), the loop that keeps a
// secondary zone up to date, and what is on disk of zones: the content of secondary ones and the journals of others.
//
// It must not know sockets that others listen on, ordinary queries, SQL or HTTP: a Service is given packets and
// the means to answer them, and zones that others hold.
//
// All methods of *Service are safe for concurrent use. Put, Drop and Changed do not block.
package transfer
