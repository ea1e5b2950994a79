package zonefile

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// data is what stands behind a record's type.
type data struct {
	kind   *kind
	owner  string  // of the record, canonical
	text   string  // as people entered it; empty when it comes from a file
	fields []field // the same, split
	broken string  // why it could not be split, as a sentence
	origin string  // of relative names, without trailing dot; empty: names are absolute, dot or not
}

// need returns the fields without their quotes if there are n.
func (d *data) need(n int) ([]string, error) {
	return d.exactly(n, n)
}

// atLeast is need for data whose last field may be split by blanks.
func (d *data) atLeast(n int) ([]string, error) {
	return d.exactly(n, len(d.fields))
}

func (d *data) exactly(least, most int) ([]string, error) {
	if d.broken != "" {
		return nil, invalid("data", "%s", d.broken)
	}
	if len(d.fields) < least || len(d.fields) > most {
		return nil, d.kind.wrong()
	}
	texts := make([]string, len(d.fields))
	for i, f := range d.fields {
		texts[i] = f.text
	}
	return texts, nil
}

// number reads a number of so many bits; what names it for people, as in "The preference".
func (d *data) number(text, what string, bits int) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		most := uint64(1)<<bits - 1
		return 0, invalid("data", "%s is a number from 0 to %d, and %s is none. %s holds %s, such as %s.",
			what, most, shown(text), d.kind.article(), d.kind.holds, d.kind.example)
	}
	return n, nil
}

// host reads a host name that the record points at.
func (d *data) host(text string, underscore bool) (string, error) {
	name := absolute(text, d.origin)
	if text == "@" && d.origin == "" {
		return "", invalid("data", "Write the host's name in full instead of @.")
	}
	if sentence := d.kind.targetFault(text, name, underscore); sentence != "" {
		return "", invalid("data", "%s", sentence)
	}
	return name, nil
}

// hex reads hexadecimal digits, which may be split by blanks, of so many bytes; 0: of any number but none.
func (d *data) hex(parts []string, what string, bytes int) (string, error) {
	digits := strings.ToUpper(strings.Join(parts, ""))
	decoded, err := hex.DecodeString(digits)
	switch {
	case err != nil:
		return "", invalid("data", "%s consists of pairs of hexadecimal digits (0 to 9, A to F), and %s does not.", what, shown(digits))
	case len(decoded) == 0:
		return "", d.kind.wrong()
	case bytes > 0 && len(decoded) != bytes:
		return "", invalid("data", "%s of this type has %d hexadecimal digits, not %d.", what, 2*bytes, len(digits))
	}
	return digits, nil
}

// raw is the data with its quotes, without parentheses and comments.
func (d *data) raw() string {
	var b strings.Builder
	for i, f := range d.fields {
		if i > 0 && !f.glued {
			b.WriteByte(' ')
		}
		if f.quoted {
			b.WriteString(`"` + f.text + `"`)
		} else {
			b.WriteString(f.text)
		}
	}
	return b.String()
}

// decodeGeneric replaces data in the general form (RFC 3597 section 5) by that of its type.
func (d *data) decodeGeneric() error {
	if len(d.fields) < 2 || d.fields[0].quoted || d.fields[0].text != `\#` {
		return nil
	}
	rr, err := dns.NewRR(fmt.Sprintf(". 300 IN %s %s", d.kind.name, d.raw()))
	if err != nil || rr == nil {
		return invalid("data", `%s cannot hold that: behind \# stand the number of bytes and so many pairs of hexadecimal digits.`, d.kind.article())
	}
	lex := lexer{text: dataOf(rr), flat: true}
	e, _, fault := lex.next()
	d.text, d.fields, d.broken, d.origin = "", e.fields, fault, ""
	return nil
}

// dataOf is the data of a record in presentation format.
func dataOf(rr dns.RR) string {
	return strings.TrimPrefix(rr.String(), rr.Header().String())
}
