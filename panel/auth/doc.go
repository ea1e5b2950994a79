// Package auth owns how people and programs prove who they are: password hashing and the password rule, API
// tokens, authenticators and recovery codes, the throttle on login attempts and the browsers it knows, and browser sessions with their cookie.
//
// It must not know where accounts are kept, what they may do, or how pages look; callers hand it hashes and
// account numbers. It imports no other package of berth.
//
// Hasher, Throttle and Sessions are safe for concurrent use, and so are the functions.
package auth
