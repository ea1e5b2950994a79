package sites

import (
	"net/netip"
	"time"
)

// ZoneStatus is what the DNS server knows of a zone now.
type ZoneStatus struct {
	Serial    uint32
	Names     int
	Signed    bool
	DS        []DS      // what the parent should have; empty for an unsigned zone
	RenewalAt time.Time // when signatures are next made anew; zero: never
	Peers     []PeerStatus
	Secondary *SecondaryStatus // of a secondary zone
}

// NameAnswer is what the DNS server tells the world of a name.
type NameAnswer struct {
	Zone      string       // that the name lies in; empty: none that is answered for, so questions are refused
	Exists    bool         // false: there is no such name
	Alias     string       // what it is a CNAME for, the last of a chain; empty: for nothing
	Addresses []netip.Addr // its own, or those of what it is an alias for as far as they are known here
	Delegated bool         // it lies below a delegation to other nameservers
	Silent    bool         // the zone is a secondary one without content, so nothing is told
}

// PeerStatus is how far a nameserver that transfers the zone has come.
type PeerStatus struct {
	Addr      netip.AddrPort
	Notified  uint32 // serial that it was last told of, 0 for none
	Answered  bool   // and whether it has said so
	Requested time.Time
	Served    uint32 // serial that it was last sent, 0 for none
	Err       string // why the last NOTIFY or transfer failed, for people
}

// SecondaryStatus is how a secondary zone keeps up with its primaries.
type SecondaryStatus struct {
	RefreshedAt time.Time // when a primary last confirmed the content
	ExpiresAt   time.Time // when it is no longer answered from
	Err         string    // why the last attempt failed, for people; empty: it did not
}

// Delegation is what the rest of the world is told of a zone by its parent.
type Delegation struct {
	State    DelegationState
	Parent   string // the parent zone; empty where it was not found
	Findings []Finding
}

// DelegationState sums the findings up.
type DelegationState string

const (
	DelegationGood    DelegationState = "good"    // the world reaches the zone here
	DelegationPartly  DelegationState = "partly"  // reachable, yet something is wrong
	DelegationMissing DelegationState = "missing" // the parent does not delegate the zone
	DelegationBroken  DelegationState = "broken"  // delegated, yet resolvers cannot use it
	DelegationUnknown DelegationState = "unknown" // the parent could not be asked
	DelegationLocal   DelegationState = "local"   // nobody's: each machine keeps names below localhost for itself (RFC 6761 section 6.3)
)

// Sentence says what the state means for the world.
func (d Delegation) Sentence(zone string) string {
	parent := "The parent zone"
	if d.Parent != "" {
		parent = "The parent zone " + d.Parent
	}
	switch d.State {
	case DelegationGood:
		return parent + " delegates " + zone + " to its nameservers, and resolvers reach it."
	case DelegationPartly:
		return "Resolvers reach " + zone + ", yet something should be mended."
	case DelegationMissing:
		return parent + " does not delegate " + zone + ", so nobody finds it. Enter the lines of the zone's page at the registrar."
	case DelegationBroken:
		return parent + " delegates " + zone + ", yet resolvers cannot use it."
	case DelegationLocal:
		return zone + " is a name of this machine alone: no resolver of the world leads here."
	case DelegationUnknown:
		return "The parent zone could not be asked. That says nothing about the delegation; try again later."
	}
	return "Whether the world is led here has not been checked since the start of berth."
}

// FindingKind tells faults of a delegation apart.
type FindingKind string

const (
	FindingNotDelegated FindingKind = "not-delegated" // the parent has no NS records of the zone
	FindingLame         FindingKind = "lame"          // a nameserver answers without authority
	FindingUnreachable  FindingKind = "unreachable"   // a nameserver does not answer
	FindingNameserver   FindingKind = "nameserver"    // the parent and the zone name different nameservers
	FindingMissingGlue  FindingKind = "missing-glue"  // the parent lacks the address of a nameserver inside the zone
	FindingWrongGlue    FindingKind = "wrong-glue"    // the parent has another address of it
	FindingMissingDS    FindingKind = "missing-ds"    // the zone is signed and the parent has no DS record: valid, not secured
	FindingWrongDS      FindingKind = "wrong-ds"      // a DS record names no key of the zone
)

// Finding is one fault of a delegation.
type Finding struct {
	Kind     FindingKind
	Server   string // the nameserver concerned, if one
	Sentence string // what is wrong and what would be right
}

// Harmless reports whether answers still arrive.
func (f Finding) Harmless() bool {
	switch f.Kind {
	case FindingMissingDS, FindingNameserver, FindingMissingGlue, FindingWrongGlue:
		return true
	}
	return false
}

// QueryLine is a query as the live log shows it.
type QueryLine struct {
	At        time.Time
	Client    netip.Addr
	Transport string // "UDP", "TCP" or "TLS"
	Name      string
	Type      string
	Rcode     string
	Limited   bool // answered with less, or not at all, by response rate limiting
}
