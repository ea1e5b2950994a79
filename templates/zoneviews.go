package templates

import "time"

// ZonesView lists the zones, for admins.
type ZonesView struct {
	Shell
	Zones []ZoneRow
	Form  ZoneForm
}

// ZoneRow is a zone in a list.
type ZoneRow struct {
	Name       string
	Kind       string // main, primary, secondary
	Signed     bool
	Serial     int64 // 0: there is no content yet
	Records    int   // that people entered
	Names      int   // that the server answers for
	Delegation Delegation
	Problem    string // why the content cannot be renewed, a sentence
}

// ZoneForm is what was typed to add a zone. Inputs: name, kind, primaries.
type ZoneForm struct {
	Name      string
	Kind      string // primary, secondary; empty: primary
	Primaries string // lines of an address and, after a space, the name of a TSIG key
	Faults    Faults // by input name
}

// Delegation is how the parent delegates a zone.
type Delegation struct {
	State     string // good, partly, missing, broken, unknown, local; empty: not checked
	Sentence  string // what it means for the world
	Parent    string // empty: not found
	CheckedAt time.Time
	Findings  []Finding
}

// Finding is one fault of a delegation.
type Finding struct {
	Kind     string // such as lame, missing-glue, wrong-ds
	Server   string // the nameserver concerned, if one
	Sentence string
	Harmless bool // answers still arrive
}

// ZoneView is the page of one zone, for admins.
type ZoneView struct {
	Shell
	Name          string
	Kind          string // main, primary, secondary
	Signed        bool   // it should be, or as a secondary is, signed
	Serial        int64  // 0: there is no content yet
	Records       int
	Names         int
	NS            []string // lines to enter at the registrar
	Glue          []string
	DS            []string
	Delegation    Delegation
	Keys          []KeyRow
	DSFrom        time.Time // when the DS record of a key-signing key that waits for it may be entered; zero: none waits
	RenewalAt     time.Time // when signatures are next made anew; zero: unknown
	Peers         []PeerRow
	PeerForm      PeerForm
	TSIGKeys      []string // the names that a peer can use
	Secondary     SecondaryState
	PrimariesForm PrimariesForm
	DeleteFault   string
}

// KeyRow is a DNSSEC key. Its times are a plan; a zero time is not planned.
type KeyRow struct {
	Role        string // ksk, zsk
	Tag         int
	PublishedAt time.Time
	ActiveAt    time.Time
	RetiredAt   time.Time
	RemovedAt   time.Time
	ParentAt    time.Time // of a ksk: not before this may its DS record be entered
}

// PeerRow is a nameserver that may transfer the zone.
type PeerRow struct {
	Name    string
	From    []string // addresses and networks
	Notify  []string // addresses with ports
	Key     string   // of TSIG; empty: none
	Servers []PeerServer
}

// PeerServer is how far one address of a peer has come.
type PeerServer struct {
	Addr      string
	Notified  int64 // serial that it was last told of; 0: none
	Answered  bool
	Served    int64 // serial that it was last sent; 0: none
	Requested time.Time
	Problem   string // why the last NOTIFY or transfer failed, a sentence
}

// PeerForm is what was typed to add a secondary. Inputs: peer_name, from, notify, key.
type PeerForm struct {
	Name   string
	From   string
	Notify string
	Key    string
	Faults Faults // by input name
}

// SecondaryState is how a secondary zone keeps up with its primaries.
type SecondaryState struct {
	RefreshedAt time.Time // zero: never
	ExpiresAt   time.Time // zero: unknown
	Problem     string    // why the last attempt failed, a sentence
}

// PrimariesForm is where a secondary zone comes from. Inputs: primaries.
type PrimariesForm struct {
	Text  string // lines of an address and, after a space, the name of a TSIG key
	Fault string
}

// TSIGKeysView lists the TSIG keys, for admins. Inputs of the form that adds one: name, algorithm, secret.
type TSIGKeysView struct {
	Shell
	Keys   []TSIGKeyRow
	Form   TSIGKeyForm
	Secret Secret // of the key just made; shown this once
}

// TSIGKeyRow is a TSIG key in a list.
type TSIGKeyRow struct {
	Name      string
	Algorithm string
	CreatedAt time.Time
}

// TSIGKeyForm is what was typed. An empty secret asks berth to make one up.
type TSIGKeyForm struct {
	Name      string
	Algorithm string // hmac-sha256, hmac-sha512
	Secret    string // Base64
	Faults    Faults // by input name
}

// QueriesView is the live query log, for admins. Query parameters: name.
type QueriesView struct {
	Shell
	Name string // what is watched
}
