package templates

import "strconv"

// RecordRow is a DNS record in a list.
type RecordRow struct {
	ID   int64
	Name string // absolute, without trailing dot
	Type string // such as MX
	TTL  int64  // seconds
	Data string // presentation format
	Site string // whose owner may change it; empty: admins alone
}

// State is what can be changed of the record.
func (r RecordRow) State() string { return strconv.FormatInt(r.TTL, 10) + " " + r.Data }

// RecordForm is what was typed, and what is wrong with it. Inputs: name, type, ttl, data.
type RecordForm struct {
	Under  string // the domain that the name is completed with
	Name   string // empty: the domain itself
	Type   string
	TTL    string // seconds
	Data   string
	Faults Faults // by input name
}

// RecordList is a page of a list of records. Query parameters: name, type, page.
type RecordList struct {
	Records []RecordRow
	Name    string // what the list is narrowed to, absolute; empty: all names
	Type    string // and this; empty: all types
	Page    int    // from 1
	More    bool   // there is a page after this one
}

// SiteRecordsView is the DNS records of one site, for its owner.
type SiteRecordsView struct {
	Shell
	RecordList
	Site      string
	Host      string   // the site's own name in DNS
	Addresses []string // of this server; empty: not told
	Signed    bool     // the zone is signed
	Form      RecordForm
}

// ZoneRecordsView is the DNS records of a zone, for admins.
type ZoneRecordsView struct {
	Shell
	RecordList
	Zone  string
	Total int // records of the zone
	Form  RecordForm
}

// EditRecordView changes or deletes one record, of a site or, where Site is empty, of a zone. Inputs: ttl, data, and was, which
// is the record as it is shown (RecordRow.State).
type EditRecordView struct {
	Shell
	Site   string
	Zone   string
	Record RecordRow
	Form   RecordForm
}

// ImportView is the import of a zone file. Inputs: mode (merge, replace), text, file; and for applying mode, text and hash.
type ImportView struct {
	Shell
	Zone    string
	Mode    string // merge, replace; empty: merge
	Text    string // the zone file
	Fault   string // of the file
	Again   string // why the preview is shown again, a sentence
	Hash    string // names what is planned
	Planned bool   // what follows is what the import would do
	Added   []RecordRow
	Changed []RecordChange
	Removed []RecordRow
	Kept    int // records that stay as they are
	Lines   []LineFault
}

// RecordChange is a record before and after an import.
type RecordChange struct{ Before, After RecordRow }

// LineFault says what is wrong with a line of a zone file.
type LineFault struct {
	Line     int // 0: the sentence names the record
	Sentence string
	Note     bool // left out on purpose; nothing is wrong
}
