package zonefile

import (
	"strings"

	"berth/sites"
)

// Bounds of a TTL, in seconds.
const (
	DefaultTTL = 300 // where none is given
	MinTTL     = 30
	MaxTTL     = sites.MaxTTL
)

// Syntax implements sites.Syntax. The zero value is ready for use.
type Syntax struct{}

var _ sites.Syntax = Syntax{}

// Record implements sites.Syntax. A TTL of 0 stands for DefaultTTL. Text of a TXT record, and the value of a CAA record, may
// be given as it is, without quotes and escapes; text of any length is split into strings (RFC 1035 section 3.3.14). Labels
// in other scripts are converted (RFC 5891). In the canonical form names of Data are lower-case and end with a dot, and
// hexadecimal digits are upper-case, so that equal records are equal strings.
func (Syntax) Record(in sites.Record) (sites.Record, string, error) {
	k, err := kindOf(in.Type)
	if err != nil {
		return sites.Record{}, "", err
	}
	if in.TTL == 0 {
		in.TTL = DefaultTTL
	}
	if in.TTL < MinTTL || in.TTL > MaxTTL {
		return sites.Record{}, "", invalid("ttl", "A TTL can be %d to %d seconds (one day).", MinTTL, MaxTTL)
	}
	text := strings.TrimSpace(in.Data)
	switch {
	case text == "":
		return sites.Record{}, "", invalid("data", "Enter what the record holds, such as %s.", k.example)
	case strings.ContainsAny(text, "\r\n\x00") && !strings.HasPrefix(text, "("):
		return sites.Record{}, "", invalid("data", "A record is one line.")
	}
	lex := lexer{text: text, flat: !strings.HasPrefix(text, "(")}
	e, _, fault := lex.next()
	if lex.at < len(text) {
		return sites.Record{}, "", invalid("data", "A record is one line.")
	}
	d := data{text: text, fields: e.fields, broken: fault}
	return k.record(in, absolute(strings.TrimSpace(in.Name), ""), d)
}

// record checks owner and data, and returns the record in canonical form with the host that it points at.
func (k *kind) record(in sites.Record, owner string, d data) (sites.Record, string, error) {
	if sentence := k.ownerFault(owner); sentence != "" {
		return sites.Record{}, "", invalid("name", "%s", sentence)
	}
	d.kind, d.owner = k, owner
	if err := d.decodeGeneric(); err != nil {
		return sites.Record{}, "", err
	}
	v, err := k.read(&d)
	if err != nil {
		return sites.Record{}, "", err
	}
	in.Name, in.Type, in.Data = owner, k.name, v.data
	return in, v.target, nil
}

func invalid(field, format string, args ...any) error {
	return sites.RefuseField(sites.ErrInvalid, field, format, args...)
}
