package rules

import (
	"iter"
	"net/textproto"
	"slices"
	"strings"
)

// Field is a header field that the release wants in the answers for a path.
type Field struct {
	Name   string // canonical
	Value  string
	OfFile bool // it describes the file, so it is for answers with that file only, not for redirects and errors
	AddsUp bool // of two with one name both count
}

// headers is the rules of _headers in their order.
type headers struct{ blocks []block }

// block is a path and the fields that it gets.
type block struct {
	from   pattern
	fields []Field
}

// Fields yields what _headers says of a path, which is decoded and absolute. Of two with one name the later counts, unless
// they add up.
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
	fields  int            // accepted so far, of all paths
	longest map[string]int // bytes by name, of these
	sent    int            // how many of them one answer could have
	head    int            // bytes of those
}

// parseHeaders reads _headers: a path, then the fields for it.
func parseHeaders(content []byte) (headers, []Fault) {
	p := &headersParser{report: report{file: HeadersFile, mostLine: mostHeaderLine}, longest: make(map[string]int)}
	for l := range p.report.lines(content) {
		if l.text[0] == '/' || strings.HasPrefix(l.text, "https://") || strings.HasPrefix(l.text, "http://") {
			p.path(l)
		} else if !p.skip {
			p.field(l)
		}
	}
	return p.headers, p.report.faults
}

// path begins a block.
func (p *headersParser) path(l line) {
	p.skip = true
	text, comment, _ := strings.Cut(l.text, " ")
	from, err := parsePattern(text)
	switch {
	case len(p.headers.blocks) == mostPaths:
		p.report.add(l.number, wrong("The file has more than %d paths; use *. The lines below it have no effect, too.", mostPaths))
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
	at := slices.IndexFunc(b.fields, func(other Field) bool { return other.Name == f.Name })
	if at < 0 {
		if p.fields == mostFields {
			return wrong("The file has more than %d header fields, of all paths together.", mostFields)
		}
		if err := p.weigh(Field{}, f); err != nil {
			return err
		}
		b.fields, p.fields = append(b.fields, f), p.fields+1
		return nil
	}
	f.Value = b.fields[at].Value + ", " + f.Value
	if err := p.weigh(b.fields[at], f); err != nil {
		return err
	}
	b.fields[at] = f
	return nil
}

// weigh bounds what an answer could have that meets all paths: of each name the longest field, and all of those that add up.
// The field takes the place of the one before, if any.
func (p *headersParser) weigh(before, f Field) error {
	more, another := f.size()-before.size(), before.Name == ""
	if !f.AddsUp {
		longest := p.longest[f.Name]
		more, another = max(0, f.size()-longest), longest == 0
	}
	switch {
	case another && p.sent == mostSent:
		return wrong("With this line an answer could have more than %d header fields.", mostSent)
	case p.head+more > mostHead:
		return wrong("With this line an answer could have more than %d KB of header fields.", mostHead>>10)
	}
	if another {
		p.sent++
	}
	p.head += more
	p.longest[f.Name] = max(p.longest[f.Name], f.size())
	return nil
}

// size is what the field takes of an answer, in bytes.
func (f Field) size() int {
	if f.Name == "" {
		return 0
	}
	return len(f.Name) + len(": ") + len(f.Value) + len("\r\n")
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
	return Field{Name: name, Value: value, OfFile: ofFile(strings.ToLower(name)), AddsUp: name == "Vary"}, nil
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
