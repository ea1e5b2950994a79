package zonefile

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"berth/sites"

	"github.com/miekg/dns"
)

// maxColumn is the widest that the column of owners becomes; longer names stand out.
const maxColumn = 40

// WriteZoneFile implements sites.Syntax. The same records give the same file: they are in canonical order (RFC 4034 section 6.1), SOA
// and NS records first at each name.
func (Syntax) WriteZoneFile(w io.Writer, zone string, records []sites.Record) error {
	zone = sites.CanonicalHost(zone)
	lines := make([]line, len(records))
	column := 0
	for i, record := range records {
		if strings.ContainsAny(record.Data, "\r\n") || strings.ContainsAny(record.Name+record.Type, " \t\r\n") {
			return fmt.Errorf("write zone file: the %s record of %q is not in canonical form", record.Type, record.Name)
		}
		lines[i] = newLine(zone, record)
		column = max(column, min(len(lines[i].owner), maxColumn))
	}
	slices.SortFunc(lines, line.compare)
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "$ORIGIN %s.\n", zone)
	for _, l := range lines {
		fmt.Fprintf(out, "%-*s %5d IN %-5s %s\n", column, l.owner, l.record.TTL, l.record.Type, l.record.Data)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write zone file: %w", err)
	}
	return nil
}

// line is a record with what it is sorted by.
type line struct {
	record sites.Record
	owner  string   // as it is written
	labels []string // of the owner, from the right
	rank   int      // of the type
}

func newLine(zone string, record sites.Record) line {
	owner, inside := strings.CutSuffix(record.Name, "."+zone)
	switch {
	case record.Name == zone:
		owner = "@"
	case !inside:
		owner += "."
	}
	labels := strings.Split(record.Name, ".")
	slices.Reverse(labels)
	return line{record, owner, labels, rank(record.Type)}
}

func rank(rrtype string) int {
	switch rrtype {
	case "SOA":
		return -2
	case "NS":
		return -1
	}
	return int(dns.StringToType[rrtype])
}

func (l line) compare(m line) int {
	return cmp.Or(
		slices.Compare(l.labels, m.labels),
		cmp.Compare(l.rank, m.rank),
		strings.Compare(l.record.Type, m.record.Type),
		strings.Compare(l.record.Data, m.record.Data),
		cmp.Compare(l.record.TTL, m.record.TTL),
	)
}
