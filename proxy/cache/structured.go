package cache

import (
	"strconv"
	"strings"
)

// dictionary reads a Structured Field of that type (RFC 9651 section 4.2.2) and calls member for each, the last one of a
// name counting, and reports whether it is well-formed. Values are given for integers and booleans; all others, whose
// types no cache directive has, are read over.
func dictionary(lines []string, member func(name string, v value)) bool {
	p := &parser{rest: strings.Trim(strings.Join(lines, ","), " ")}
	for p.rest != "" {
		name, ok := p.key()
		if !ok {
			return false
		}
		v := value{kind: boolean, flag: true}
		if p.skip('=') {
			if v, ok = p.memberValue(); !ok {
				return false
			}
		}
		if !p.parameters() {
			return false
		}
		member(name, v)
		p.rest = strings.TrimLeft(p.rest, " \t")
		if p.rest == "" {
			return true
		}
		if !p.skip(',') {
			return false
		}
		if p.rest = strings.TrimLeft(p.rest, " \t"); p.rest == "" {
			return false // a comma that nothing follows
		}
	}
	return true
}

// value is an item of a structured field as far as directives need it.
type value struct {
	kind   kind
	number int64
	flag   bool
}

type kind int

const (
	other kind = iota
	integer
	boolean
)

type parser struct{ rest string }

func (p *parser) skip(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// take cuts off the longest beginning whose bytes are all in.
func (p *parser) take(in func(c byte) bool) string {
	n := 0
	for n < len(p.rest) && in(p.rest[n]) {
		n++
	}
	taken := p.rest[:n]
	p.rest = p.rest[n:]
	return taken
}

func lower(c byte) bool { return c >= 'a' && c <= 'z' }
func upper(c byte) bool { return c >= 'A' && c <= 'Z' }
func digit(c byte) bool { return c >= '0' && c <= '9' }

func (p *parser) key() (string, bool) {
	if p.rest == "" || !lower(p.rest[0]) && p.rest[0] != '*' {
		return "", false
	}
	return p.take(func(c byte) bool { return lower(c) || digit(c) || strings.IndexByte("_-.*", c) >= 0 }), true
}

func (p *parser) memberValue() (value, bool) {
	if p.skip('(') {
		return p.innerList()
	}
	return p.item()
}

func (p *parser) innerList() (value, bool) {
	for {
		p.rest = strings.TrimLeft(p.rest, " ")
		if p.skip(')') {
			return value{}, true
		}
		if _, ok := p.item(); !ok || !p.parameters() {
			return value{}, false
		}
		if p.rest == "" || p.rest[0] != ' ' && p.rest[0] != ')' {
			return value{}, false
		}
	}
}

func (p *parser) parameters() bool {
	for p.skip(';') {
		p.rest = strings.TrimLeft(p.rest, " ")
		if _, ok := p.key(); !ok {
			return false
		}
		if p.skip('=') {
			if _, ok := p.item(); !ok {
				return false
			}
		}
	}
	return true
}

func (p *parser) item() (value, bool) {
	if p.rest == "" {
		return value{}, false
	}
	switch c := p.rest[0]; {
	case c == '-' || digit(c):
		return p.number()
	case c == '"':
		p.rest = p.rest[1:]
		return value{}, p.text()
	case c == '?':
		return p.boolean()
	case c == ':':
		return value{}, p.bytes()
	case c == '@':
		p.rest = p.rest[1:]
		v, ok := p.number()
		return value{}, ok && v.kind == integer
	case lower(c) || upper(c) || c == '*':
		p.take(func(c byte) bool {
			return lower(c) || upper(c) || digit(c) || strings.IndexByte("!#$%&'*+-.^_`|~:/", c) >= 0
		})
		return value{}, true
	}
	return value{}, false
}

func (p *parser) number() (value, bool) {
	sign := int64(1)
	if p.skip('-') {
		sign = -1
	}
	digits := p.take(digit)
	if digits == "" || len(digits) > 15 {
		return value{}, false
	}
	if p.skip('.') {
		fraction := p.take(digit)
		return value{}, len(digits) <= 12 && len(fraction) >= 1 && len(fraction) <= 3
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return value{kind: integer, number: sign * n}, err == nil
}

func (p *parser) text() bool {
	for {
		p.take(func(c byte) bool { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' })
		switch {
		case p.skip('"'):
			return true
		case p.skip('\\'):
			if !p.skip('"') && !p.skip('\\') {
				return false
			}
		default:
			return false
		}
	}
}

func (p *parser) boolean() (value, bool) {
	p.rest = p.rest[1:]
	switch {
	case p.skip('1'):
		return value{kind: boolean, flag: true}, true
	case p.skip('0'):
		return value{kind: boolean}, true
	}
	return value{}, false
}

func (p *parser) bytes() bool {
	p.rest = p.rest[1:]
	p.take(func(c byte) bool { return lower(c) || upper(c) || digit(c) || strings.IndexByte("+/=", c) >= 0 })
	return p.skip(':')
}
