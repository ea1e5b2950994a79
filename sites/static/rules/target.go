package rules

import (
	"net/url"
	"slices"
	"strings"
)

// target is where a rule leads: a path of the same site, or an address elsewhere.
type target struct {
	origin   string // such as https://example.org; empty: the same site
	path     []part
	query    []part // with its ?; nil: none
	fragment []part // with its #; nil: none
}

// part is text as it comes in a URL, or the value of a capture.
type part struct {
	text    string
	capture int // index of a value; -1: text
}

// parseTarget reads a target whose captures are those of names. The error is a sentence.
func parseTarget(text string, names []string) (t target, err error) {
	if scheme, rest, ok := strings.Cut(text, "://"); ok && text[0] != '/' {
		if t.origin, text, err = parseOrigin(strings.ToLower(scheme), rest); err != nil {
			return target{}, err
		}
	}
	if strings.HasPrefix(text, "//") || strings.HasPrefix(text, `/\`) {
		return target{}, wrong("The target begins with two slashes. Begin with one for this site, with https:// for another.")
	}
	path, fragment, hasFragment := strings.Cut(text, "#")
	path, query, hasQuery := strings.Cut(path, "?")
	if t.path, err = parseParts(path, names); err != nil {
		return target{}, err
	}
	if hasQuery {
		if t.query, err = parseParts("?"+query, names); err != nil {
			return target{}, err
		}
	}
	if hasFragment {
		t.fragment, err = parseParts("#"+fragment, names)
	}
	return t, err
}

// parseOrigin splits off what may not come from a request: else anybody could make links of this site that lead anywhere.
func parseOrigin(scheme, rest string) (origin, path string, err error) {
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	origin = scheme + "://" + rest[:end]
	u, err := url.Parse(origin)
	switch {
	case scheme != "https" && scheme != "http":
		return "", "", wrong("The target leads to something that is no web page. It begins with /, https:// or http://.")
	case err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsAny(u.Host, `*\"<>^|{}`+"`"):
		return "", "", wrong("The target's host is no host name. Write it out: placeholders are possible behind it only.")
	}
	if strings.ContainsFunc(u.Host, func(c rune) bool { return c > '~' }) {
		return "", "", wrong("The target's host has a character that is not ASCII. Write it as browsers send it, with xn--.")
	}
	path = rest[end:]
	if path == "" || path[0] != '/' {
		path = "/" + path
	}
	return origin, path, nil
}

// parseParts splits text at the placeholders that are known. A colon before anything else is a colon.
func parseParts(text string, names []string) ([]part, error) {
	if _, err := url.PathUnescape(text); err != nil {
		return nil, wrong("The target has a %% that is not followed by two hexadecimal digits. A percent sign itself is %%25.")
	}
	var parts []part
	begin := 0
	for i := 0; i < len(text); i++ {
		if text[i] != ':' {
			continue
		}
		length := nameLength(text[i+1:])
		name := text[i+1 : i+1+length]
		at := slices.Index(names, name)
		switch {
		case length > 0 && at >= 0:
			parts = append(parts, part{escapeText(text[begin:i]), -1}, part{"", at})
			begin = i + 1 + length
		case length > 0 && i > 0 && strings.IndexByte("/=-.", text[i-1]) >= 0:
			return nil, unknownName(name)
		}
		i += length
	}
	return append(parts, part{escapeText(text[begin:]), -1}), nil
}

func unknownName(name string) error {
	if name == splat {
		return wrong("The target has :splat, and the path has no * that it could stand for.")
	}
	return wrong("The target has :%s, and nothing in front of it has that name.", name)
}

// escapeText escapes what may not be in a URL and leaves the rest, such as escapes, as it is.
func escapeText(text string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			b.WriteString(string([]byte{'%', hex[c>>4], hex[c&15]}))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// location is the address with the values filled in, escaped. passed is the query where the target has none of its own.
func (t *target) location(values []string, passed string) string {
	var b strings.Builder
	b.WriteString(t.origin)
	b.WriteString(t.escapedPath(values))
	if t.query != nil {
		fill(&b, t.query, values, url.QueryEscape)
	} else if passed != "" {
		b.WriteString("?" + passed)
	}
	fill(&b, t.fragment, values, url.PathEscape)
	return b.String()
}

// escapedPath begins with exactly one slash, so it cannot be taken for another host.
func (t *target) escapedPath(values []string) string {
	var b strings.Builder
	fill(&b, t.path, values, func(value string) string {
		return (&url.URL{Path: "/" + value}).EscapedPath()[1:]
	})
	return mergeSlashes(b.String())
}

// local is the decoded path with the values filled in; empty where the target is elsewhere.
func (t *target) local(values []string) string {
	if t.origin != "" {
		return ""
	}
	path, err := url.PathUnescape(t.escapedPath(values))
	if err != nil { // parseParts has read the same text
		return ""
	}
	return mergeSlashes(path)
}

func fill(b *strings.Builder, parts []part, values []string, escape func(string) string) {
	for _, p := range parts {
		if p.capture < 0 {
			b.WriteString(p.text)
		} else {
			b.WriteString(escape(values[p.capture]))
		}
	}
}
