// Package embedded owns the serving of static releases by this process: the in-process runtime for servers where no
// container engine is reachable, and the handlers by which the proxy serves a release's files itself. It keeps a
// bounded number of release directories open and the last lines of each instance's log.
//
// It must not know how requests are routed, nor SQL, Docker or DNS.
//
// All methods of *Runtime, and the handlers that it returns, are safe for concurrent use. A request to a handler takes
// no lock of others: its own instance's log is locked while it gets a line, and all directories only while one is opened.
package embedded
