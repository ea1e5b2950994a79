package rules

import (
	"net/url"
	"slices"
	"strings"
)

// splat is the name of what * stands for.
const splat = "splat"

// pattern is a path in which :name stands for a whole segment, and one * for anything.
type pattern struct {
	head  []token // up to the *, or the whole
	tail  []token // behind it
	star  bool
	names []string // of what is captured, in order
}

// token is text that must be there, decoded, or a placeholder.
type token struct {
	text        string
	placeholder bool
}

// parsePattern reads a path of a rule. The error is a sentence.
func parsePattern(text string) (pattern, error) {
	decoded, err := url.PathUnescape(text)
	switch {
	case strings.ContainsAny(text, "?#"):
		return pattern{}, wrong("A path ends before ? and #. In _redirects, parameters come behind it and a space, as id=:id.")
	case err != nil:
		return pattern{}, wrong("The path has a %% that is not followed by two hexadecimal digits. A percent sign itself is %%25.")
	case hidden(decoded):
		return pattern{}, wrong("Nothing whose name begins with a dot is ever served, so no request meets this path.")
	case strings.Count(text, "*") > 1:
		return pattern{}, wrong("The path has more than one *. One is possible.")
	}
	var p pattern
	head, tail, star := strings.Cut(trimSlash(mergeSlashes(text)), "*")
	p.star = star
	if p.head, err = p.parseTokens(head); err != nil {
		return pattern{}, err
	}
	if star {
		p.names = append(p.names, splat)
	}
	if p.tail, err = p.parseTokens(tail); err != nil {
		return pattern{}, err
	}
	if len(p.names) > mostNames {
		return pattern{}, wrong("The path has more than %d placeholders.", mostNames)
	}
	return p, nil
}

// parseTokens splits text, which can be unescaped, at its placeholders. Each begins a segment and is all of it.
func (p *pattern) parseTokens(text string) ([]token, error) {
	var tokens []token
	for begin := 0; text != ""; {
		at := strings.Index(text[begin:], "/:")
		if at < 0 {
			return append(tokens, literal(text)), nil
		}
		at += begin + len("/:")
		name := text[at : at+nameLength(text[at:])]
		rest := text[at+len(name):]
		switch {
		case name == "":
			begin = at // a colon before anything else is a colon
			continue
		case rest != "" && rest[0] != '/':
			return nil, wrong("In a path a placeholder is a whole segment, such as /:%s/. Text cannot follow it.", name)
		case name == splat:
			return nil, wrong("The path cannot have a placeholder :splat, which is what * stands for. Give it another name.")
		case slices.Contains(p.names, name):
			return nil, wrong("The placeholder :%s is there twice. Give each its own name.", name)
		}
		p.names = append(p.names, name)
		tokens = append(tokens, literal(text[:at-1]), token{placeholder: true})
		text, begin = rest, 0
	}
	return tokens, nil
}

func literal(text string) token {
	decoded, err := url.PathUnescape(text)
	if err != nil { // parsePattern has read the same text
		decoded = text
	}
	return token{text: decoded}
}

// nameLength is how much of text is the name of a placeholder: letters, digits and underscores, a letter first.
func nameLength(text string) int {
	for i := range len(text) {
		c := text[i] | 0x20
		if !(c >= 'a' && c <= 'z' || i > 0 && (text[i] >= '0' && text[i] <= '9' || text[i] == '_')) {
			return i
		}
	}
	return len(text)
}

// exact reports whether the pattern is met by one path alone, which it returns.
func (p *pattern) exact() (string, bool) {
	if p.star || len(p.names) > 0 {
		return "", false
	}
	return p.head[0].text, true
}

// everything reports whether all paths meet the pattern.
func (p *pattern) everything() bool {
	return p.star && len(p.head) == 1 && p.head[0].text == "/" && len(p.tail) == 0
}

// firstSegment is the one that all paths of the pattern begin with; empty where they may differ.
func (p *pattern) firstSegment() string {
	if path, exact := p.exact(); exact {
		return segmentOf(path)
	}
	segment, _, whole := strings.Cut(p.head[0].text[1:], "/")
	if !whole {
		return ""
	}
	return segment
}

// segmentOf is the first segment of a path.
func segmentOf(path string) string {
	segment, _, _ := strings.Cut(path[1:], "/")
	return segment
}

// match compares a trimmed path and appends what is captured to values, in the order of names.
func (p *pattern) match(path string, values []string) ([]string, bool) {
	rest := path
	for i, t := range p.head {
		value, after, ok := t.take(rest)
		if !ok && p.meansFolder(i) && rest == t.text[:len(t.text)-1] {
			return append(values, ""), true
		}
		if !ok {
			return values, false
		}
		if t.placeholder {
			values = append(values, value)
		}
		rest = after
	}
	if !p.star {
		return values, rest == ""
	}
	return p.matchTail(rest, values)
}

// meansFolder reports whether the head's token at i is followed by nothing but * after a slash: /a/* is met by /a.
func (p *pattern) meansFolder(i int) bool {
	return p.star && len(p.tail) == 0 && i == len(p.head)-1 && strings.HasSuffix(p.head[i].text, "/")
}

// matchTail goes backwards from the end to the *, so there is never a choice.
func (p *pattern) matchTail(rest string, values []string) ([]string, bool) {
	before := len(values)
	for _, t := range slices.Backward(p.tail) {
		value, left, ok := t.takeLast(rest)
		if !ok {
			return values, false
		}
		if t.placeholder {
			values = append(values, value)
		}
		rest = left
	}
	values = append(values, rest)
	slices.Reverse(values[before:])
	return values, true
}

// take cuts what a token means off the beginning of a path.
func (t token) take(path string) (value, rest string, ok bool) {
	if !t.placeholder {
		rest, ok = strings.CutPrefix(path, t.text)
		return "", rest, ok
	}
	end := strings.IndexByte(path, '/')
	if end < 0 {
		end = len(path)
	}
	return path[:end], path[end:], end > 0
}

// takeLast cuts what a token means off the end of a path.
func (t token) takeLast(path string) (value, rest string, ok bool) {
	if !t.placeholder {
		rest, ok = strings.CutSuffix(path, t.text)
		return "", rest, ok
	}
	begin := strings.LastIndexByte(path, '/') + 1
	return path[begin:], path[:begin], begin < len(path)
}

// trimSlash removes a slash at the end: rules do not tell /a from /a/.
func trimSlash(path string) string {
	if len(path) > 1 {
		return strings.TrimSuffix(path, "/")
	}
	return path
}

// mergeSlashes turns every run of slashes into one.
func mergeSlashes(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	var b strings.Builder
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b.WriteByte(path[i])
		}
	}
	return b.String()
}

// hidden reports whether a path names something that begins with a dot, beside /.well-known; such is never served.
func hidden(path string) bool {
	const wellKnown = "/.well-known"
	if rest, ok := strings.CutPrefix(path, wellKnown); ok && (rest == "" || rest[0] == '/') {
		path = rest
	}
	return strings.Contains(path, "/.")
}
