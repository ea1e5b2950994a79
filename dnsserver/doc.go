// Package dnsserver owns the conversation with resolvers and other nameservers: it takes packets over UDP, TCP and TLS, and
// answers them from the zones (package zone).
//
// A packet takes one way: guard (response bit, opcode, one question, EDNS version, class, zone), lookup, limits for clients
// over UDP that may be forged, fit to size, write. What concerns other nameservers goes to package transfer.
//
// It must not know SQL, Docker, HTTP or who asks for a certificate; of berth it knows the nouns of sites alone.
//
// All methods of *Server are safe for concurrent use. Changes are to be applied in the order of their revisions.
package dnsserver
