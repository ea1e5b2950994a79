package rules

import (
	"iter"
	"net/textproto"
	"strings"
)

// Field is a header field that the release wants in the answers for a path.
type Field struct {
	Name   string // canonical
	Value  string
	OfFile bool // it describes the file, so it is for answers with that file only, not for redirects and errors
}

// headers is the rules of _headers in their order.
type headers struct{ blocks []block }

// block is a path and the fields that it gets.
type block struct {
	from   pattern
	fields []Field
}

// Fields yields what _headers says of a path, which is decoded and absolute. Of two with one name the later counts.
func (s *Set) Fields(path string) iter.Seq[Field] {
	return func(yield func(Field) bool) {
		path = trimSlash(path)
		var room [mostNames]string
		for i := range s.headers.blocks {
			b := &s.headers.blocks[i]
			if _, ok := b.from.match(path, room[:0]); !ok {
				continue
			}
			for _, f := range b.fields {
				if !yield(f) {
					return
				}
			}
		}
	}
}

// headersParser reads _headers.
type headersParser struct {
	report  report
	headers headers
	skip    bool           // the path above was faulty, and said so
	longest map[string]int // bytes by name, of the fields accepted so far
	total   int            // of longest
}

// parseHeaders reads _headers: a path, then the fields for it.
func parseHeaders(content []byte) (headers, []Fault) {
	p := &headersParser{report: report{file: HeadersFile}, longest: make(map[string]int)}
	for l := range p.report.lines(content) {
		if l.text[0] == '/' || strings.HasPrefix(l.text, "https://") || strings.HasPrefix(l.text, "http://") {
			if full := p.path(l); full {
				break
			}
		} else if !p.skip {
			p.field(l)
		}
	}
	return p.headers, p.report.faults
}

// path begins a block. It reports whether the file has too many.
func (p *headersParser) path(l line) (full bool) {
	p.skip = true
	text, comment, _ := strings.Cut(l.text, " ")
	from, err := parsePattern(text)
	switch {
	case len(p.headers.blocks) == mostPaths:
		p.report.add(l.number, wrong("The file has more than %d paths. This one and those below have no effect; use *.", mostPaths))
		return true
	case l.text[0] != '/':
		p.report.add(l.number, wrong("A path begins with /, without a host. The lines below it have no effect, too."))
	case strings.TrimSpace(comment) != "" && strings.TrimSpace(comment)[0] != '#':
		p.report.add(l.number, wrong("A path is alone in its line: a space in it is %%20. The lines below it have no effect, too."))
	case err != nil:
		p.report.add(l.number, wrong("%s The lines below it have no effect, too.", err))
	default:
		p.headers.blocks = append(p.headers.blocks, block{from: from})
		p.skip = false
	}
	return false
}

// field adds a field to the last block.
func (p *headersParser) field(l line) {
	if len(p.headers.blocks) == 0 {
		p.report.add(l.number, wrong("The line is below no path. Begin with one, such as /*."))
		return
	}
	f, err := parseField(l.text)
	if err == nil {
		err = p.put(f)
	}
	if err != nil {
		p.report.add(l.number, err)
	}
}

// put joins values of one name, as a list (RFC 9110 section 5.3).
func (p *headersParser) put(f Field) error {
	b := &p.headers.blocks[len(p.headers.blocks)-1]
	at := -1
	for i := range b.fields {
		if b.fields[i].Name == f.Name {
			at, f.Value = i, b.fields[i].Value+", "+f.Value
		}
	}
	if at < 0 && len(b.fields) == mostFields {
		return wrong("The path has more than %d header fields.", mostFields)
	}
	const frame = len(": \r\n")
	grown := max(0, len(f.Name)+len(f.Value)+frame-p.longest[f.Name])
	if p.total+grown > mostHead {
		return wrong("With this line an answer could have more than %d KB of header fields.", mostHead>>10)
	}
	p.total, p.longest[f.Name] = p.total+grown, p.longest[f.Name]+grown
	if at >= 0 {
		b.fields[at] = f
	} else {
		b.fields = append(b.fields, f)
	}
	return nil
}

// parseField reads a line such as X-Frame-Options: DENY. The error is a sentence.
func parseField(text string) (Field, error) {
	name, value, ok := strings.Cut(text, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	switch {
	case strings.HasPrefix(name, "!"):
		return Field{}, wrong("Taking away header fields with ! is not supported here. Give the field another value.")
	case !ok:
		return Field{}, wrong("The line has no colon. A header field is written as Name: value, and a path begins with /.")
	case !isToken(name):
		return Field{}, wrong("%s is no name of a header field, which has letters, digits and hyphens.", quote(name))
	case value == "":
		return Field{}, wrong("%s has no value.", quote(name))
	case strings.ContainsFunc(value, func(c rune) bool { return c > '~' }):
		return Field{}, wrong("The value of %s has a character that is not ASCII, which header fields cannot carry.", quote(name))
	}
	if err := refused(strings.ToLower(name)); err != nil {
		return Field{}, err
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	return Field{Name: name, Value: value, OfFile: ofFile(strings.ToLower(name))}, nil
}

// isToken is as RFC 9110 section 5.6.2.
func isToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			continue
		}
		return false
	}
	return name != ""
}

// refused says why a release cannot set a field; the name is in lower case.
func refused(name string) error {
	switch name {
	case "basic-auth":
		return wrong("Passwords are not kept in a release. Set one for the site in the panel, under Settings → password.")
	case "set-cookie":
		return wrong("A file cannot set cookies: the answer is kept and given to many. A script of the page can set one.")
	case "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer",
		"transfer-encoding", "upgrade", "http2-settings":
		return wrong("%s is about the connection, which is the server's to manage.", quote(textproto.CanonicalMIMEHeaderKey(name)))
	case "content-length", "content-encoding", "content-range", "accept-ranges", "etag", "last-modified":
		return wrong("%s follows from the file and from what the browser asks for, so the server sets it.", quote(textproto.CanonicalMIMEHeaderKey(name)))
	case "date", "age", "server", "via", "alt-svc", "allow", "location", "host", "status", "www-authenticate", "retry-after",
		"cache-status", "warning", "early-data":
		return wrong("%s is set by the server alone.", quote(textproto.CanonicalMIMEHeaderKey(name)))
	}
	return nil
}

// ofFile tells the fields that describe a file; the name is in lower case.
func ofFile(name string) bool {
	switch name {
	case "cache-control", "cdn-cache-control", "surrogate-control", "expires", "pragma",
		"content-type", "content-language", "content-disposition", "content-location":
		return true
	}
	return false
}
