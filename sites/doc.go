// Package sites owns what berth is about: sites, releases, hosts, zones, records, keys, accounts, templates and events, the
// rules they obey, and the use cases that change them. Every use case is one method of *Service: validate,
// one transaction with one event, publish to the appliers, return.
//
// It must not know SQL, Docker, HTTP or the wire of DNS; it reaches them through the interfaces Store, Runtime, Applier, Syntax and
// Parent.
//
// All methods of *Service are safe for concurrent use. The nouns are plain values; what is handed to an
// Applier is immutable and shared.
package sites
