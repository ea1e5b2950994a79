// Package acme owns the certificates: which ones exist, where they come from, their storage, their renewal and
// their end. The zone's apex and wildcard are ordered at the first start, and each site gets one of its own
// on creation where that is wanted; until it has come, the wildcard serves the site. Hosts in the zone are proven by
// its DNS (DNS-01), custom domains by our own listeners (HTTP-01, TLS-ALPN-01) unless their zone is ours as well. certmagic
// keeps and renews the certificates, acmez does the orders.
//
// What is to be done is derived: the published state says which hosts there are, storage says which certificates
// there are, and the difference is the work, so a crash at any instant costs no more than doing a step again. What was asked of
// a CA and what it wants is in the ledger, so a restart gains nothing either. The work of one host is done one step after
// the other; of several hosts, at once. Each CA has a line, with gates that close where it is in trouble or limits us; a host whose
// CA refuses goes to the other, and stays with the one that has issued its certificate. What a CA has issued that is not configured any more
// serves until there is another.
//
// OCSP responders, where certificates name one, are asked behind the handshakes, which carry the last answer until it ends; those of all
// certificates are in memory (about half a KiB each) and in storage.
//
// It must not know DNS servers, the proxy, SQL or HTTP handlers: challenge records leave through the interface
// Challenges, key pairs through GetCertificate.
//
// All methods of Manager are safe for concurrent use, except that Run is called once and Apply by one goroutine at
// a time. GetCertificate takes no lock and does no I/O for a certificate that is in memory; certificates of
// the zone itself always are, of the sites the most recently used 512 (about 8 KiB each). It never orders anything.
package acme
