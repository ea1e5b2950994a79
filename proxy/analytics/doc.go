// Package analytics owns the counting of requests to sites: requests, bytes, statuses and different visitors by the hour, and what was
// asked for most on each day. It keeps no address and no cookie: a visitor is a number made of address, browser and a
// secret that lives for one day in this process alone.
//
// It must not know HTTP servers, SQL or the panel: what ends comes as sites.Hit, and what was counted goes to a Store.
//
// *Counts is safe for concurrent use.
package analytics
