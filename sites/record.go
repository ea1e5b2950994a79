package sites

import "io"

// Record is one DNS record that an owner or admin has entered.
type Record struct {
	ID       int64
	Zone     ZoneID
	Site     SiteID // whose owner may change it, 0: admins alone
	SiteName string // filled by the store when read
	Name     string // absolute, lower-case, without trailing dot
	Type     string // such as "MX"
	TTL      uint32 // seconds
	Data     string // presentation format, RFC 1035 section 5, as Syntax gives it
	Target   string // the host that the data points at, without trailing dot; empty for none
}

// Syntax knows the presentation format of records. Its errors are of kind ErrInvalid, with a sentence for people and the
// faulty field: "name", "type", "ttl" or "data".
type Syntax interface {
	// Record returns the record in canonical form, and the host that its data points at, if any, without trailing dot. Names
	// in the data without trailing dot are absolute, as people mean them.
	Record(in Record) (_ Record, target string, err error)
	// ZoneFile reads a zone file (RFC 1035 section 5) for the zone. Lines that are faulty are told apart and do not
	// keep others from being read; SOA records, and DNSSEC records that the server makes itself, are left out with a note.
	ZoneFile(zone string, r io.Reader) ([]Record, []LineFault, error)
	// WriteZoneFile writes records as a zone file.
	WriteZoneFile(w io.Writer, zone string, records []Record) error
}

// LineFault says what is wrong with a line of a zone file.
type LineFault struct {
	Line     int    // from 1; 0: the sentence names the record
	Sentence string // for people
	Note     bool   // nothing is wrong: the line was left out on purpose, or taken with the change that the sentence tells
}
