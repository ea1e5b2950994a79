package zonefile

import "strings"

// field is one token of an entry: raw, that is with its escapes but without the quotes around it.
type field struct {
	text   string
	quoted bool
	glued  bool // no blank stands before it
}

// entry is a logical line of a zone file (RFC 1035 section 5.1).
type entry struct {
	line   int  // where it begins, from 1
	blank  bool // it begins with a blank: the owner is that of the entry before
	fields []field
}

// lexer splits a zone file into entries. One that is flat reads a single record as people enter it: a semicolon begins
// no comment.
type lexer struct {
	text string
	at   int
	line int // of text[at], from 0
	flat bool

	unclosed int // parentheses that were never closed
}

// maxFields bounds the fields of an entry.
const maxFields = 4096

// maxUnclosed bounds how often the rest of a file is searched in vain for a closing parenthesis.
const maxUnclosed = 16

// next returns the next entry that is not empty. A fault is a sentence about the entry; the one after it is read as if
// nothing were wrong. ok is false at the end.
func (l *lexer) next() (e entry, ok bool, fault string) {
	for l.at < len(l.text) {
		start, line := l.at, l.line
		e = entry{line: line + 1, blank: l.text[l.at] == ' ' || l.text[l.at] == '\t'}
		open, fault := l.fill(&e)
		switch {
		case fault != "":
			l.skipLine()
			return e, true, fault
		case open:
			return e, true, l.unclosedAt(start, line)
		case len(e.fields) > 0:
			return e, true, ""
		}
	}
	return entry{}, false, ""
}

// fill reads up to the end of the entry. open means that a parenthesis was not closed.
func (l *lexer) fill(e *entry) (open bool, fault string) {
	depth, glued := 0, false
	for l.at < len(l.text) {
		if len(e.fields) > maxFields {
			return false, "The record has too many parts."
		}
		switch c := l.text[l.at]; {
		case c == '\n':
			l.at++
			l.line++
			if depth == 0 {
				return false, ""
			}
			glued = false
		case c == ' ' || c == '\t' || c == '\r':
			l.at++
			glued = false
		case c == ';' && !l.flat:
			l.skipComment()
		case c == '(':
			l.at++
			depth++
			glued = false
		case c == ')':
			l.at++
			depth--
			glued = false
			if depth < 0 {
				return false, "A closing parenthesis has no opening one."
			}
		case c == '"':
			text, ok := l.quoted()
			if !ok {
				return false, "The quotes are not closed on the same line."
			}
			e.fields = append(e.fields, field{text: text, quoted: true, glued: glued})
			glued = true
		default:
			e.fields = append(e.fields, field{text: l.word(), glued: glued})
			glued = true
		}
	}
	return depth > 0, ""
}

// quoted reads a string in quotes.
func (l *lexer) quoted() (text string, ok bool) {
	start := l.at + 1
	for i := start; i < len(l.text); i++ {
		switch l.text[i] {
		case '\\':
			if i+1 < len(l.text) && l.text[i+1] != '\n' {
				i++
			}
		case '\n':
			return "", false
		case '"':
			l.at = i + 1
			return l.text[start:i], true
		}
	}
	return "", false
}

// word reads a string without quotes.
func (l *lexer) word() string {
	start := l.at
	for ; l.at < len(l.text); l.at++ {
		switch l.text[l.at] {
		case '\\':
			if l.at+1 < len(l.text) && l.text[l.at+1] != '\n' {
				l.at++
			}
		case ';':
			if !l.flat {
				return l.text[start:l.at]
			}
		case ' ', '\t', '\r', '\n', '(', ')', '"':
			return l.text[start:l.at]
		}
	}
	return l.text[start:l.at]
}

func (l *lexer) skipComment() {
	if n := strings.IndexByte(l.text[l.at:], '\n'); n >= 0 {
		l.at += n
		return
	}
	l.at = len(l.text)
}

// skipLine goes on at the next line.
func (l *lexer) skipLine() {
	l.skipComment()
	if l.at < len(l.text) {
		l.at++
		l.line++
	}
}

// unclosedAt goes back to the line in which an entry began that has no end, and on with the line after it.
func (l *lexer) unclosedAt(start, line int) (fault string) {
	l.unclosed++
	if l.unclosed > maxUnclosed {
		return "A parenthesis is not closed, and neither were others before it. Nothing was read from here on."
	}
	l.at, l.line = start, line
	l.skipLine()
	return "A parenthesis is not closed."
}

// unescape returns the bytes that a raw field stands for.
func unescape(raw string) ([]byte, bool) {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		switch {
		case i == len(raw):
			return nil, false
		case raw[i] < '0' || raw[i] > '9':
			out = append(out, raw[i])
		default:
			n, ok := decimal(raw[i:])
			if !ok {
				return nil, false
			}
			out = append(out, n)
			i += 2
		}
	}
	return out, true
}

// decimal reads the three digits of an escaped byte.
func decimal(digits string) (byte, bool) {
	if len(digits) < 3 {
		return 0, false
	}
	n := 0
	for i := range 3 {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
		n = n*10 + int(digits[i]-'0')
	}
	return byte(n), n <= 255
}

// appendQuoted appends a string as a quoted one, printable on any terminal.
func appendQuoted(out []byte, text []byte) []byte {
	out = append(out, '"')
	for _, b := range text {
		switch {
		case b == '"' || b == '\\':
			out = append(out, '\\', b)
		case b < ' ' || b > '~':
			out = append(out, '\\', '0'+b/100, '0'+b/10%10, '0'+b%10)
		default:
			out = append(out, b)
		}
	}
	return append(out, '"')
}
