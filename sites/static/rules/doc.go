// Package rules owns the meaning of the files _redirects and _headers that a release of static files may bring: which
// lines are rules and which are faulty, which rule a request meets, and what that rule says.
//
// The files come from strangers. What they may hold is bounded, and a request costs at most one look into a map, one pass
// over the rules whose first segment could be the path's, and no backtracking within a rule.
//
// It must not know anything of berth, nor HTTP: paths, queries and fields are strings here.
//
// A *Set is immutable, and all its methods are safe for concurrent use.
package rules
