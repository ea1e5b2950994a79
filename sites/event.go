package sites

import (
	"strings"
	"time"
)

// Event is one line of the audit log. Every change writes exactly one.
type Event struct {
	ID       int64
	Revision int64 // the revision that the change made
	At       time.Time
	Actor    string // account name, or "berth"
	Origin   string // client address, "cli" or "berth"
	Action   string // noun.verb, such as "site.create"
	Subject  string // what it was done to, such as the site's name
	Detail   string // a short sentence; may be empty

	by Actor // whose rights the change needs when it is made; zero: nobody's
}

// EventFilter selects events, newest first. Zero fields select all.
type EventFilter struct {
	Subject string
	Limit   int
}

// ofSite tells whether the subject is a site, or a name of one.
func (e Event) ofSite() bool {
	noun, _, _ := strings.Cut(e.Action, ".")
	return noun == "site" || noun == "release" || noun == "record" || noun == "domain"
}
