package zonefile

import (
	"strings"
)

const (
	maxString = 255   // bytes of a string (RFC 1035 section 3.3)
	maxText   = 16384 // bytes of a TXT record, so that a set of some still fits a message
)

func readTXT(d *data) (value, error) {
	parts, err := d.strings()
	if err != nil {
		return value{}, err
	}
	var out []byte
	total := 0
	for _, part := range parts {
		total += len(part)
		for first := true; first || len(part) > 0; first = false {
			n := min(len(part), maxString)
			if out != nil {
				out = append(out, ' ')
			}
			out, part = appendQuoted(out, part[:n]), part[n:]
		}
	}
	if total > maxText {
		return value{}, invalid("data", "A TXT record can hold at most %d bytes of text, not %d.", maxText, total)
	}
	return value{data: string(out)}, nil
}

// strings returns the strings of text: as it is where people entered it without quotes.
func (d *data) strings() ([][]byte, error) {
	if d.text != "" && !inQuotes(d.text) {
		return [][]byte{[]byte(d.text)}, nil
	}
	if d.broken != "" {
		return nil, invalid("data", "%s", d.broken)
	}
	parts := make([][]byte, len(d.fields))
	for i, f := range d.fields {
		part, ok := unescape(f.text)
		if !ok {
			return nil, invalid("data", `A backslash stands before the character that it protects, or before three digits from 000 to 255. Write \\ for a backslash.`)
		}
		parts[i] = part
	}
	if len(parts) == 0 {
		return nil, d.kind.wrong()
	}
	return parts, nil
}

// inQuotes holds for text that is meant in presentation format.
func inQuotes(text string) bool {
	return strings.HasPrefix(strings.TrimLeft(text, "( \t\r\n"), `"`)
}
