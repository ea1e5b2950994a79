package sites

import "time"

// AccountID is the key of an account; it is never used twice.
type AccountID int64

// Role says what an account may do.
type Role string

const (
	RoleOwner Role = "owner" // its own sites
	RoleAdmin Role = "admin" // everything
)

// Account is a person.
type Account struct {
	ID           AccountID
	Name         string
	Role         Role
	PasswordHash string // opaque here; panel/auth makes and checks it
	Quota        Quota
	TwoStepSince time.Time // since when a login needs a code, too; zero: it does not
	CreatedAt    time.Time
}

// Quota bounds what an account may own. Zero means no bound.
type Quota struct {
	Sites int   // number of sites
	Bytes int64 // unpacked bytes of all releases kept
}

// DefaultQuota is what a new owner gets.
var DefaultQuota = Quota{Sites: 10, Bytes: 2 << 30}

// Usage is what an account owns now, in the units of Quota.
type Usage struct {
	Sites int
	Bytes int64
}

// Token is an API token; only the hash of its secret is kept.
type Token struct {
	ID        int64
	Account   AccountID
	Label     string
	CreatedAt time.Time
	UsedAt    time.Time // zero: never; kept to the hour
}

// Actor is who asks for a change. Origin is the client's address or "cli" or "berth".
type Actor struct {
	ID     AccountID
	Name   string
	Role   Role
	Origin string
}

// Admin reports whether the actor may do everything.
func (a Actor) Admin() bool { return a.Role == RoleAdmin }

// System is the actor of what berth does on its own.
var System = Actor{Name: "berth", Role: RoleAdmin, Origin: "berth"}

// Operator is who acts by the command line of the server. It is no account, so it owns nothing.
var Operator = Actor{Name: "operator", Role: RoleAdmin, Origin: "cli"}
