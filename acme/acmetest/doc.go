// Package acmetest owns a real ACME authority for tests: it builds and runs Pebble, and can stand a fault in front of it.
//
// It must not know berth: what is tested gets a directory URL and a root certificate, like for any other CA.
//
// Start and NewFront are for the test's own goroutine; the methods of what they return are safe for concurrent use.
package acmetest
