package zone

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/miekg/dns"
)

// NewSecondary returns a zone whose content another server makes: it comes by Load and Patch, and neither Apply nor
// anything else that alters or signs a zone is to be called on it. Before the first Load, and after Expire, every
// question is answered SERVFAIL.
func NewSecondary(zone string, logger *slog.Logger) (*Zone, error) {
	wire, err := PackName(zone)
	if err != nil {
		return nil, fmt.Errorf("zone %q: %w", zone, err)
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	z := &Zone{origin: origin(wire), log: logger}
	z.apex = z.origin.name(wire)
	z.current.Store(z.unknown())
	return z, nil
}

// Load makes records the zone's whole content: with one SOA record, or the same at both ends as a transfer has it
// (RFC 5936 section 2.2). What is not at or below the apex is left out (section 3.5). When the content cannot be
// served, the error says why and the zone stays as it was.
func (z *Zone) Load(records []dns.RR) error {
	z.writing.Lock()
	defer z.writing.Unlock()
	if n := len(records); n > 1 && dns.IsDuplicate(records[0], records[n-1]) {
		records = records[:n-1]
	}
	next, _, err := z.altered(z.unknown(), nil, records)
	if err != nil {
		return fmt.Errorf("load zone %s: %w", z.Name(), err)
	}
	next.follow(z.Current(), nil, nil)
	z.current.Store(next)
	return nil
}

// Patch carries out one step of an incremental transfer (RFC 1995): the records that go, among them the zone's SOA
// record, and those that come, with the next one. When they do not fit to the content exactly, the error says why and
// the zone stays as it was; the whole of it is to be transferred then.
func (z *Zone) Patch(removed, added []dns.RR) error {
	z.writing.Lock()
	defer z.writing.Unlock()
	if err := z.patch(removed, added); err != nil {
		return fmt.Errorf("patch zone %s at serial %d: %w", z.Name(), z.Current().Serial(), err)
	}
	return nil
}

func (z *Zone) patch(removed, added []dns.RR) error {
	base := z.Current()
	if !base.Known() {
		return errors.New("the zone has no content")
	}
	next, d, err := z.altered(base, removed, added)
	if err != nil {
		return err
	}
	if int32(next.Serial()-base.Serial()) <= 0 { // RFC 1982
		return fmt.Errorf("the serial %d does not follow", next.Serial())
	}
	next.follow(base, d.touched, d.hashed)
	z.current.Store(next)
	return nil
}

// altered returns a snapshot without the removed and with the added records, and how it was made.
func (z *Zone) altered(base *Snapshot, removed, added []dns.RR) (*Snapshot, *draft, error) {
	gone, err := z.facts(removed)
	if err != nil {
		return nil, nil, err
	}
	come, err := z.facts(added)
	if err != nil {
		return nil, nil, err
	}
	d := z.draft(base)
	if err := d.apply(gone, come); err != nil {
		return nil, nil, err
	}
	next, err := d.finish()
	return next, d, err
}

// Expire drops the content of a secondary zone that could not be refreshed in time (RFC 1035 section 3.3.13).
func (z *Zone) Expire() {
	z.writing.Lock()
	defer z.writing.Unlock()
	z.current.Store(z.unknown())
}

// unknown is a secondary zone without content.
func (z *Zone) unknown() *Snapshot { return &Snapshot{root: &node{}, hashes: &node{}, apex: z.apex} }

// Known reports whether the zone has content to answer from. Without, everything is answered SERVFAIL.
func (z *Snapshot) Known() bool { return z.soa != nil }

// SOA is the zone's SOA record with its signatures; its set is nil as long as the zone is not known.
func (z *Snapshot) SOA() Placed { return z.placedSOA(true) }

// Name is the zone's name without the trailing dot, in lower case.
func (z *Zone) Name() string { return strings.TrimSuffix(presentation(z.apex.wire), ".") }

// presentation returns a name in wire form as text.
func presentation(wire string) string {
	text, _, err := dns.UnpackDomainName([]byte(wire), 0)
	if err != nil { // no name gets here that was not packed before
		return "."
	}
	return text
}
