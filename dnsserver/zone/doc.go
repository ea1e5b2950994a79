// Package zone owns the content of one zone: its names and records, and what a question about them is answered with.
//
// The lookup is a pure function over a snapshot: an immutable tree in canonical order that queries read without a lock,
// and of which a change copies only what lies between the root and the names it touches. Challenges of certificate
// orders are part of the tree, so that a name with one, and the empty names above it, exist like any others.
//
// A signed zone has a chain of NSEC records and signatures, made when a name changes and of nothing but that name, the one
// before it and the SOA record. They follow from the content, the keys and the clock alone: a zone that has come about by
// many changes is the same, to the bit, as one that learns everything at once. The journal of the latest versions is part of
// the snapshot, too. The serial grows with every change of content, signatures included, and never otherwise.
//
// A zone is signed here (RFC 4035), or its content is another server's: loaded and patched as that has signed it, with NSEC
// or NSEC3. Either way a client that asks for it is given the proof of what does not exist.
//
// It must not know packets, sockets, transfers, SQL or HTTP; of berth it knows the nouns of sites alone.
//
// All methods of *Zone and *Snapshot are safe for concurrent use. Changes are to be applied in the order of their revisions.
package zone
