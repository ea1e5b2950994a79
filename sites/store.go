package sites

import (
	"context"
	"time"
)

// Store keeps the nouns durably. Reads see the last commit; writes are serialised.
type Store interface {
	Reader
	// Write runs fn in the one write transaction, records the event with the new revision, and commits. When fn or
	// the commit fails nothing has changed. It returns the new revision. fn may still complete the event, with
	// what is known only inside the transaction.
	Write(ctx context.Context, event *Event, fn func(Tx) error) (int64, error)
	// NextRevision takes the next revision for what berth does of its own accord and keeps nowhere, such as signing a zone
	// anew. It changes no row that people can see, so there is no event either.
	NextRevision(ctx context.Context) (int64, error)
	// PruneEvents looks at the limit oldest events after the one with the ID after, and removes those from before a time, but for
	// the last "site.create" of each site that is there: what has happened to the site begins with it. It returns the last
	// event that it has looked at, 0 where those after it are not old enough. It makes neither revision nor event.
	PruneEvents(ctx context.Context, before time.Time, after int64, limit int) (last int64, err error)
	// PruneClock returns now, or what the last call has returned and a step where that is earlier. The first call returns now.
	PruneClock(ctx context.Context, now time.Time, step time.Duration) (time.Time, error)
}

// Reader reads. What does not exist is ErrNotFound.
type Reader interface {
	SiteReader
	DomainReader
	ReleaseReader
	ZoneReader
	RecordReader
	AccountReader
	EventReader
	TrafficReader
	// Revision is the number of the last commit.
	Revision(ctx context.Context) (int64, error)
	// Setting reads a value of the installation, such as its zone.
	Setting(ctx context.Context, key string) (string, error)
}

// SiteReader reads sites and what hangs on them.
type SiteReader interface {
	Site(ctx context.Context, name string) (Site, error)
	SiteByID(ctx context.Context, id SiteID) (Site, error)
	// Sites lists by name; owner 0 lists everybody's.
	Sites(ctx context.Context, owner AccountID) ([]Site, error)
	// Hosts lists a site's hosts, its own name first.
	Hosts(ctx context.Context, site SiteID) ([]Host, error)
	// HostsOf lists the hosts of an account's sites, by site; owner 0 lists everybody's.
	HostsOf(ctx context.Context, owner AccountID) ([]Host, error)
	Host(ctx context.Context, name string) (Host, error)
	// HostWithin finds a host at or below a name, if any.
	HostWithin(ctx context.Context, name string) (Host, error)
	Template(ctx context.Context, name string) (Template, error)
	Templates(ctx context.Context) ([]Template, error)
}

// DomainReader reads custom domains and the names that are kept for accounts.
type DomainReader interface {
	Domain(ctx context.Context, site SiteID, name string) (Domain, error)
	// Domains lists a site's by name; site 0 lists everybody's.
	Domains(ctx context.Context, site SiteID) ([]Domain, error)
	HeldName(ctx context.Context, name string) (HeldName, error)
	// HeldNames lists by name.
	HeldNames(ctx context.Context) ([]HeldName, error)
	// FormerOwner is the account that had a site of a name which was deleted, 0 where there were several.
	FormerOwner(ctx context.Context, site string) (AccountID, error)
}

// ReleaseReader reads releases.
type ReleaseReader interface {
	Release(ctx context.Context, site SiteID, number int) (Release, error)
	// Releases lists newest first; site 0 lists everybody's.
	Releases(ctx context.Context, site SiteID) ([]Release, error)
	// HeadReleases lists of each site of an account the newest and the active release; owner 0 lists everybody's.
	HeadReleases(ctx context.Context, owner AccountID) ([]Release, error)
	// Arrivals lists the uploads that are kept, in the order of arrival.
	Arrivals(ctx context.Context) ([]KeptArrival, error)
}

// ZoneReader reads zones, their keys and the TSIG keys.
type ZoneReader interface {
	Zone(ctx context.Context, name string) (Zone, error)
	ZoneByID(ctx context.Context, id ZoneID) (Zone, error)
	// Zones lists the main zone first, then by name.
	Zones(ctx context.Context) ([]Zone, error)
	// ZoneKeys lists a zone's keys by role and age; zone 0 lists all zones'.
	ZoneKeys(ctx context.Context, zone ZoneID) ([]ZoneKey, error)
	TSIGKeys(ctx context.Context) ([]TSIGKey, error)
}

// RecordQuery selects records. Zero fields select all.
type RecordQuery struct {
	Zone   ZoneID
	Site   SiteID
	Owner  AccountID // of the site
	Name   string
	Type   string
	Limit  int
	Offset int
}

// RecordReader reads records. Lists are ordered by name, read from the root on, then by type and data.
type RecordReader interface {
	Record(ctx context.Context, id int64) (Record, error)
	Records(ctx context.Context, q RecordQuery) ([]Record, error)
	// RecordsWithin lists the first records at or below a name, limit -1: all.
	RecordsWithin(ctx context.Context, name string, limit int) ([]Record, error)
	// RecordsTo lists records whose data points at a host.
	RecordsTo(ctx context.Context, target string) ([]Record, error)
	// CountRecords counts those of a site or, where site is 0, of a zone.
	CountRecords(ctx context.Context, zone ZoneID, site SiteID) (int, error)
}

// AccountReader reads accounts and tokens.
type AccountReader interface {
	Account(ctx context.Context, name string) (Account, error)
	AccountByID(ctx context.Context, id AccountID) (Account, error)
	Accounts(ctx context.Context) ([]Account, error)
	Usage(ctx context.Context, id AccountID) (Usage, error)
	AccountByToken(ctx context.Context, hash []byte) (Account, Token, error)
	Tokens(ctx context.Context, account AccountID) ([]Token, error)
	TwoStep(ctx context.Context, account AccountID) (TwoStep, error)
}

// EventReader reads the audit log.
type EventReader interface {
	Events(ctx context.Context, f EventFilter) ([]Event, error)
}

// Tx is the write transaction: its reads see its writes. It is valid until fn returns and is not safe for concurrent use.
type Tx interface {
	Reader
	SiteWriter
	DomainWriter
	ZoneWriter
	RecordWriter
	AccountWriter
	PutSetting(ctx context.Context, key, value string) error
}

// SiteWriter changes sites, hosts, releases and kept uploads. Insert methods answer ErrTaken when a unique name is in use.
type SiteWriter interface {
	InsertSite(ctx context.Context, s Site) (SiteID, error)
	UpdateSite(ctx context.Context, s Site) error
	DeleteSite(ctx context.Context, id SiteID) error // with its hosts, releases, records and kept uploads
	InsertHost(ctx context.Context, h Host) error
	DeleteHost(ctx context.Context, name string) error
	InsertRelease(ctx context.Context, r Release) error
	UpdateRelease(ctx context.Context, r Release) error
	DeleteRelease(ctx context.Context, site SiteID, number int) error // never one that the site names
	InsertArrival(ctx context.Context, a KeptArrival) error
	UpdateArrival(ctx context.Context, a KeptArrival) error // its starts
	DeleteArrival(ctx context.Context, id int64) error
}

// DomainWriter changes custom domains and the names that are kept for accounts.
type DomainWriter interface {
	InsertDomain(ctx context.Context, d Domain) error // ErrTaken: the site has it
	UpdateDomain(ctx context.Context, d Domain) error // state and times
	DeleteDomain(ctx context.Context, site SiteID, name string) error
	// PutHeldName keeps a name in place of what was kept under it, and forgets names whose time was over before now.
	PutHeldName(ctx context.Context, h HeldName, now time.Time) error
	DeleteHeldName(ctx context.Context, name string) error
	// PutFormerOwner notes that an account has had a site of the name.
	PutFormerOwner(ctx context.Context, site string, owner AccountID) error
}

// ZoneWriter changes zones and keys. Insert methods answer ErrTaken when a unique name is in use.
type ZoneWriter interface {
	InsertZone(ctx context.Context, z Zone) (ZoneID, error)
	UpdateZone(ctx context.Context, z Zone) error
	DeleteZone(ctx context.Context, id ZoneID) error // with its keys and records
	InsertZoneKey(ctx context.Context, k ZoneKey) (int64, error)
	UpdateZoneKey(ctx context.Context, k ZoneKey) error // its times
	DeleteZoneKey(ctx context.Context, id int64) error
	InsertTSIGKey(ctx context.Context, k TSIGKey) error
	DeleteTSIGKey(ctx context.Context, name string) error
}

// RecordWriter changes records. ErrTaken says that name, type and data are those of another record.
type RecordWriter interface {
	InsertRecord(ctx context.Context, r Record) (int64, error) // under r.ID, where it is set
	UpdateRecord(ctx context.Context, r Record) error          // name, TTL, data and target
	DeleteRecord(ctx context.Context, id int64) error
}

// AccountWriter changes accounts and tokens.
type AccountWriter interface {
	InsertAccount(ctx context.Context, a Account) (AccountID, error)
	UpdateAccount(ctx context.Context, a Account) error
	DeleteAccount(ctx context.Context, id AccountID) error // with its tokens and TwoStep
	PutTwoStep(ctx context.Context, t TwoStep) error       // in place of the account's
	DeleteTwoStep(ctx context.Context, account AccountID) error
	InsertToken(ctx context.Context, t Token, hash []byte) (int64, error)
	UpdateToken(ctx context.Context, t Token) error
	DeleteToken(ctx context.Context, account AccountID, id int64) error
}
