// Package diagnosis owns the judgement of what keeps a site, a name or the server from working. From what the parts of berth know, each of
// its own, it makes the findings that the command "berth why" and the panel show, in the order in which a visitor meets what they are about.
//
// It must not know where the facts come from: no store, no network, no HTTP, no DNS. What a fact means, such as the state of a delegation, is
// said by package sites wherever others say it, too.
//
// All its functions depend on their arguments alone, so that they may be called concurrently.
package diagnosis
