// Package zonefile owns the presentation format of DNS records (RFC 1035 section 5): it checks what people enter, brings it
// into one canonical form, and reads and writes zone files. Its sentences are for people who do not live in DNS.
//
// It must not know zones' content, servers, SQL or HTTP; of berth it knows the nouns of sites alone. Rules that concern more
// than one record, such as that a CNAME stands alone, are not its own.
//
// Syntax has no state: all its methods are safe for concurrent use.
package zonefile
