// Package analytics owns the counting of requests to sites: requests, bytes, statuses and different visitors by the hour, and what was
// asked for most on each day. It keeps no address and no cookie: a visitor is a number made of address, browser and a
// secret of the day. Secret and numbers outlive a restart in a file that is removed when the day ends.
//
// It must not know HTTP servers, SQL or the panel: what ends comes as sites.Hit, and what was counted goes to a Store.
//
// *Counts is safe for concurrent use.
package analytics
