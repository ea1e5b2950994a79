// Package panel owns the web panel and the REST API: routes, handlers, who is asking, and how refusals become
// pages and problem documents. routes.go lists every route; each screen and each part of the API has a file.
//
// It must not know SQL or Docker, and it decides nothing about sites: the rules are in package sites, the looks in
// package templates, passwords and sessions in panel/auth.
//
// A *Panel is safe for concurrent use. Close ends its streams, so that a server that drains is not held up by them.
package panel
