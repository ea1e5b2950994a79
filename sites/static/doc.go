// Package static owns how the files of a release become HTTP responses: which file a path means, in which of its
// precompressed encodings, with which headers, and what is answered where there is none. What a release wants to have
// otherwise it says in _redirects and _headers, whose meaning package rules owns.
//
// A release never changes while it is served, and it cannot be trusted: files are reached through an os.Root, so
// that no path and no symbolic link leads out of the release.
//
// It must not know anything of berth: no sites, no proxy. It sets X-Content-Type-Options, because it is the one
// that chooses content types; whoever stands in front need not.
//
// A *Handler and a *Survey are safe for concurrent use. Close may be called while requests are in flight; they end well.
package static
