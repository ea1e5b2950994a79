package zonefile

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"berth/sites"
)

// Bounds of a zone file.
const (
	maxBytes   = 16 << 20
	maxRecords = 100_000
	maxFaults  = 1000 // that are told one by one
)

// ZoneFile implements sites.Syntax. It reads the files of BIND (RFC 1035 section 5, RFC 2308 section 4, $GENERATE). What is left
// out on purpose is told in one note for each type. A file that is too large is refused as sites.ErrTooLarge.
//
// The records of one set get one TTL (RFC 2181 section 5.2), and a TTL outside of the bounds becomes the nearest one, each with a
// note.
func (Syntax) ZoneFile(zone string, r io.Reader) ([]sites.Record, []sites.LineFault, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read zone file: %w", err)
	}
	if len(text) > maxBytes {
		return nil, nil, sites.Refuse(sites.ErrTooLarge, "A zone file can have at most %d MB.", maxBytes>>20)
	}
	zone = sites.CanonicalHost(zone)
	f := &file{
		zone: zone, origin: zone,
		sets: make(map[setKey]*set), leftOut: make(map[string]*leftOut),
	}
	return f.read(strings.TrimPrefix(string(text), "\ufeff"))
}

// file is a zone file that is being read.
type file struct {
	zone   string
	origin string // of relative names, without trailing dot; empty: the root
	owner  string // of the entry before, absolute; empty: none yet
	ttls   ttls

	records []sites.Record
	sets    map[setKey]*set
	faults  []sites.LineFault
	untold  int // faults beyond maxFaults
	leftOut map[string]*leftOut

	generatedRecords, generatedBytes int
}

type setKey struct{ owner, rrtype string }

// set is what has been read of a record set.
type set struct {
	ttl, line int
	uneven    bool
	data      map[string]int // and the line
}

// leftOut counts the records of a type that were left out.
type leftOut struct {
	line, count int
	why         string
}

func (f *file) read(text string) ([]sites.Record, []sites.LineFault, error) {
	lex := &lexer{text: text}
	for {
		e, ok, fault := lex.next()
		if !ok {
			break
		}
		if fault != "" {
			f.fault(e.line, "%s", fault)
			continue
		}
		if err := f.entry(e); err != nil {
			return nil, nil, err
		}
	}
	for rrtype, out := range f.leftOut {
		what := fmt.Sprintf("%d %s records are left out: ", out.count, rrtype)
		if out.count == 1 {
			what = fmt.Sprintf("This %s record is left out: ", rrtype)
		}
		f.faults = append(f.faults, sites.LineFault{Line: out.line, Sentence: what + out.why, Note: true})
	}
	slices.SortStableFunc(f.faults, func(a, b sites.LineFault) int { return a.Line - b.Line })
	if f.untold > 0 {
		f.faults = append(f.faults, sites.LineFault{Line: strings.Count(text, "\n") + 1, Sentence: fmt.Sprintf("%d more lines are faulty or were changed.", f.untold)})
	}
	return f.records, f.faults, nil
}

func (f *file) fault(line int, format string, args ...any) { f.tell(line, false, format, args...) }

func (f *file) note(line int, format string, args ...any) { f.tell(line, true, format, args...) }

func (f *file) tell(line int, note bool, format string, args ...any) {
	if len(f.faults) >= maxFaults {
		f.untold++
		return
	}
	f.faults = append(f.faults, sites.LineFault{Line: line, Sentence: fmt.Sprintf(format, args...), Note: note})
}

// entry reads a directive or a record. An error ends the reading.
func (f *file) entry(e entry) error {
	first := e.fields[0]
	if !e.blank && !first.quoted && strings.HasPrefix(first.text, "$") {
		return f.directive(e)
	}
	sentence, err := f.record(e)
	if sentence != "" {
		f.fault(e.line, "%s", sentence)
	}
	return err
}

func (f *file) directive(e entry) error {
	switch name := strings.ToUpper(e.fields[0].text); {
	case name == "$GENERATE":
		return f.generate(e)
	case name == "$INCLUDE":
		f.fault(e.line, "$INCLUDE is not followed: a file that is uploaded stands alone. Import the other file, too.")
	case name == "$ORIGIN" && len(e.fields) == 2:
		f.origin = absolute(e.fields[1].text, f.origin)
		if fault := nameFault(strings.TrimPrefix(f.origin, "*."), true); fault != "" && f.origin != "" {
			f.fault(e.line, "The origin %s is not a valid name: %s.", shown(e.fields[1].text), fault)
		}
	case name == "$TTL" && len(e.fields) == 2:
		ttl, ok := parseTTL(e.fields[1].text)
		if !ok {
			f.fault(e.line, "%s is not a TTL. It is a number of seconds, or such as 1h30m.", shown(e.fields[1].text))
			return nil
		}
		f.ttls.byDirective(ttl)
	case name == "$ORIGIN" || name == "$TTL":
		f.fault(e.line, "Behind %s stands one value.", name)
	default:
		f.fault(e.line, "%s is not known. Lines that begin with $ are $ORIGIN, $TTL or $GENERATE.", shown(e.fields[0].text))
	}
	return nil
}

// record reads a record; it returns what is wrong with it as a sentence. An error ends the reading.
func (f *file) record(e entry) (sentence string, err error) {
	fields := e.fields
	if !e.blank {
		f.owner = absolute(fields[0].text, f.origin)
		fields = fields[1:]
	} else if f.owner == "" {
		return "The line begins with a blank, and there is no line before it whose name it could have.", nil
	}
	h, fields, sentence := readHead(fields)
	if sentence != "" {
		return sentence, nil
	}
	f.ttls.seen(h, fields)
	if f.leaveOut(e.line, h.rrtype) {
		return "", nil
	}
	if f.owner != f.zone && !strings.HasSuffix(f.owner, "."+f.zone) {
		return fmt.Sprintf("The name %s is outside of the zone %s.", shown(f.owner), f.zone), nil
	}
	k, err := kindOf(h.rrtype)
	if err != nil {
		return err.Error(), nil
	}
	record, _, err := k.record(sites.Record{}, f.owner, data{fields: fields, origin: f.origin})
	if err != nil {
		return err.Error(), nil
	}
	return "", f.add(e.line, record)
}

// leaveOut notes a record that is berth's own or the parent's, and not to be taken from a file.
func (f *file) leaveOut(line int, rrtype string) bool {
	why := ""
	switch {
	case rrtype == "SOA":
		why = "berth makes the zone's SOA record itself."
	case made(rrtype):
		why = "berth makes the records of DNSSEC itself."
	case rrtype == "NS" && f.owner == f.zone:
		why = "the zone's own nameservers are those that berth is configured with."
	case rrtype == "DS" && f.owner == f.zone:
		why = "DS records of a zone stand in its parent zone."
	default:
		return false
	}
	if f.leftOut[rrtype] == nil {
		f.leftOut[rrtype] = &leftOut{line: line, why: why}
	}
	f.leftOut[rrtype].count++
	return true
}

// add takes a record in, once.
func (f *file) add(line int, record sites.Record) error {
	ttl, moved := f.ttls.bounded()
	if moved {
		f.note(line, "The TTL of %d seconds is taken as %d: a TTL can be %d to %d seconds.", f.ttls.latest, ttl, MinTTL, MaxTTL)
	}
	key := setKey{record.Name, record.Type}
	s := f.sets[key]
	if s == nil {
		s = &set{ttl: ttl, line: line, data: make(map[string]int, 1)}
		f.sets[key] = s
	}
	if before, twice := s.data[record.Data]; twice {
		f.note(line, "The same record stands in line %d.", before)
		return nil
	}
	s.data[record.Data] = line
	if s.ttl != ttl && !s.uneven {
		s.uneven = true
		f.note(line, "The %s records of %s have one TTL together: that of line %d is taken.", record.Type, record.Name, s.line)
	}
	record.TTL = uint32(s.ttl)
	if len(f.records) == maxRecords {
		return sites.Refuse(sites.ErrTooLarge, "A zone file can have at most %d records.", maxRecords)
	}
	f.records = append(f.records, record)
	return nil
}
