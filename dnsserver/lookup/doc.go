// Package lookup owns the look at a custom domain from outside: where its records lead, and what they prove. It asks the
// nameservers of the domain themselves where it can, so that no cache hides a record that somebody has just entered, and the
// resolver otherwise.
//
// It must not know what follows from a look, the server, SQL or HTTP; of berth it knows the nouns of sites alone.
//
// All functions are safe for concurrent use.
package lookup
