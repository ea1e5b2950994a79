// Package dnstest runs other people's nameservers for tests: named of BIND, nsd, knotd and unbound.
//
// It owns their processes, each a child on a free port of 127.0.0.1 with its files in a directory of the test, ended and
// waited for when the test ends. It must not know berth's own server: tests bring the two together. Tests alone import it.
//
// Everything is safe for concurrent use, but the functions that take a testing.TB must be called from the test's goroutine.
package dnstest
