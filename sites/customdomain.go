package sites

import (
	"context"
	"net/netip"
	"time"
)

// DomainState says how far a custom domain has come.
type DomainState string

const (
	DomainWaiting DomainState = "waiting" // it does not lead here, or nothing proves that the account may have it
	DomainActive  DomainState = "active"  // it routes to the site
	DomainLapsed  DomainState = "lapsed"  // it was active and leads elsewhere now; it still routes
)

// Domain is an account's own name that is to route to a site. While it waits it is a wish: several sites may wait for the same name,
// and the first that proves it gets it. From then on it is a Host, too.
type Domain struct {
	Name      string // lower-case A-labels without trailing dot
	Site      SiteID
	State     DomainState
	Token     string // what the TXT record that proves the account says
	CreatedAt time.Time
	ProvenAt  time.Time // the last time that it became active; zero: never
	StrayedAt time.Time // since when looks say that it leads elsewhere; zero: it leads here, or never has
}

// HeldName is a name that an account has given up, and that is kept for it for a while.
type HeldName struct {
	Name        string
	Account     AccountID
	AccountName string // filled by the store when read; empty: the account is gone
	Until       time.Time
}

// DomainStatus is a domain with everything that is known of it now.
type DomainStatus struct {
	Domain
	Unicode    string         // the name as people write it
	Registered string         // the domain that was registered for the name to lie in, as people write it
	Hosted     bool           // berth itself answers for the name, in a zone that is kept here
	Last       Sighting       // the last look
	Records    []DomainRecord // what is to be entered where the domain's DNS is kept
	Instead    []DomainRecord // what does as well where Records cannot be entered; empty: nothing does
	Expires    time.Time      // when a waiting one is given up; zero: it does not wait
}

// DomainRecord is a record to enter elsewhere. Names are absolute, without trailing dot.
type DomainRecord struct {
	Name  string
	Label string // the name below the domain that was registered, "@" for that itself: what most forms want to know
	Type  string
	Data  string
}

// Sighting is what one look at a domain has shown.
type Sighting struct {
	At       time.Time // zero: nobody has looked since berth started
	Sentence string    // what is seen in place of what is wanted; empty: all is as it should be
	Warning  string    // what should be known although the domain works; may be empty
}

// DomainLook looks at names from outside.
type DomainLook interface {
	// Look returns what the world is told of a name. An error says that nobody answered, so nothing is known.
	Look(ctx context.Context, name string) (DomainView, error)
	// Reach asks one of this server's addresses by HTTP, port 80, under a name, who is there.
	Reach(ctx context.Context, name string, addr netip.Addr) Reach
}

// DomainView is what the world is told of a name. Names are lower-case, without trailing dot.
type DomainView struct {
	Aliases   []string // the chain of CNAME records, as far as it was followed: not beyond a name of the main zone
	Addresses []netip.Addr
	Texts     []string // of the TXT records at the name that TextName gives
	IssuersAt string   // where the CAA records stand that count (RFC 8659 section 3); empty: there are none
	Issuers   []string // the authorities that they allow to issue
}

// TextName is where the TXT record stands that proves who may have a domain.
func TextName(domain string) string { return "_berth." + domain }

// Reach says who answers at an address of this server.
type Reach string

const (
	ReachHere    Reach = "here"    // this very process
	ReachNothing Reach = "nothing" // nobody
	ReachOther   Reach = "other"   // another program, or another machine
)

const (
	maxDomains      = 20                  // of a site
	holdTime        = 30 * 24 * time.Hour // that a name which was given up is kept for its account
	waitingTime     = 7 * 24 * time.Hour  // until a domain that nobody proves is given up
	lapsingLooks    = 4                   // looks in a row that must find a domain elsewhere before it lapses, over as many intervals
	defaultDomainBy = 6 * time.Hour       // the interval between two looks at an active domain
)
