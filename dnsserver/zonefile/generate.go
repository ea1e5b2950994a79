package zonefile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"berth/sites"
)

// generate reads BIND's $GENERATE start-stop[/step] owner [TTL] [class] type data.
func (f *file) generate(e entry) error {
	if len(e.fields) < 4 {
		f.fault(e.line, "Behind $GENERATE stand a range such as 1-20, a name, a type and data.")
		return nil
	}
	start, stop, step, ok := generateRange(e.fields[1].text)
	if !ok {
		f.fault(e.line, "%s is not a range. It is such as 1-20, or 0-100/2 for every second number.", shown(e.fields[1].text))
		return nil
	}
	templates := e.fields[2:]
	if length(templates) > maxText {
		f.fault(e.line, "The line is too long for $GENERATE.")
		return nil
	}
	for n := start; n <= stop; n += step {
		sentence, err := f.generated(entry{line: e.line, fields: templates}, n)
		if err != nil {
			return err
		}
		if sentence != "" {
			f.fault(e.line, "For the number %d: %s", n, sentence)
			return nil
		}
	}
	return nil
}

// generated reads the record that a template stands for; it returns what is wrong with it as a sentence. An error ends the
// reading.
func (f *file) generated(template entry, n int) (sentence string, err error) {
	e := entry{line: template.line, fields: slices.Clone(template.fields)}
	for i := range e.fields {
		text, ok := substitute(e.fields[i].text, n)
		if !ok {
			return fmt.Sprintf("%s is not understood; $ or ${offset,width,base} stands for the number.", shown(e.fields[i].text)), nil
		}
		e.fields[i].text = text
	}
	f.generatedRecords++
	f.generatedBytes += length(e.fields)
	if f.generatedRecords > maxRecords || f.generatedBytes > maxBytes {
		return "", sites.Refuse(sites.ErrTooLarge, "The $GENERATE lines of a zone file can make at most %d records.", maxRecords)
	}
	return f.record(e)
}

func length(fields []field) int {
	n := 0
	for _, f := range fields {
		n += len(f.text)
	}
	return n
}

func generateRange(text string) (start, stop, step int, ok bool) {
	text, every, stepped := strings.Cut(text, "/")
	first, last, ranged := strings.Cut(text, "-")
	start, ok1 := natural(first)
	stop, ok2 := natural(last)
	step, ok3 := 1, true
	if stepped {
		step, ok3 = natural(every)
	}
	return start, stop, step, ranged && ok1 && ok2 && ok3 && start <= stop && step > 0
}

func natural(text string) (int, bool) {
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err == nil
}

// substitute puts the number where a template has $; \$ stands for the character, and so does $$.
func substitute(template string, n int) (string, bool) {
	var out strings.Builder
	for i := 0; i < len(template); i++ {
		rest := template[i:]
		switch {
		case strings.HasPrefix(rest, `\$`) || strings.HasPrefix(rest, "$$"):
			out.WriteByte('$')
			i++
		case rest[0] == '\\' && len(rest) > 1:
			out.WriteString(rest[:2])
			i++
		case strings.HasPrefix(rest, "${"):
			modifier, _, closed := strings.Cut(rest[2:], "}")
			text, ok := modified(modifier, n)
			if !closed || !ok {
				return "", false
			}
			out.WriteString(text)
			i += len(modifier) + 2
		case rest[0] == '$':
			out.WriteString(strconv.Itoa(n))
		default:
			out.WriteByte(rest[0])
		}
	}
	return out.String(), true
}

// modified is the number as offset[,width[,base]] says.
func modified(modifier string, n int) (string, bool) {
	parts := strings.Split(modifier, ",")
	offset, err := strconv.ParseInt(parts[0], 10, 32)
	width, base, ok := 0, "d", true
	if len(parts) > 1 {
		width, ok = natural(parts[1])
	}
	if len(parts) > 2 {
		base = parts[2]
	}
	n += int(offset)
	if err != nil || !ok || len(parts) > 3 || width > maxName || n < 0 {
		return "", false
	}
	switch base {
	case "d":
		return fmt.Sprintf("%0*d", width, n), true
	case "o":
		return fmt.Sprintf("%0*o", width, n), true
	case "x":
		return fmt.Sprintf("%0*x", width, n), true
	case "X":
		return fmt.Sprintf("%0*X", width, n), true
	case "n":
		return nibbles(n, width, "0123456789abcdef"), true
	case "N":
		return nibbles(n, width, "0123456789ABCDEF"), true
	}
	return "", false
}

// nibbles are hexadecimal digits as labels, the lowest first, as names below ip6.arpa have them; the width counts the dots.
func nibbles(n, width int, digits string) string {
	var out strings.Builder
	for more := true; more; {
		out.WriteByte(digits[n&15])
		n >>= 4
		if more = n != 0 || out.Len() < width; more {
			out.WriteByte('.')
			more = n != 0 || out.Len() < width
		}
	}
	return out.String()
}
