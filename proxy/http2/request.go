package http2

import (
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2/hpack"
)

// target is what a request's pseudo fields say.
type target struct{ method, scheme, authority, path string }

// unset is what requests begin as: a context can only be given to a copy.
var unset http.Request

// newRequest makes a request of a header, and reports false when it is malformed (RFC 9113 section 8).
func (s *stream) newRequest(b *block) bool {
	t, ok := readTarget(b.fields[:b.pseudo])
	if !ok {
		return false
	}
	r := unset.WithContext(&s.context)
	s.request = r
	s.head = t.method == http.MethodHead
	r.Method, r.Proto, r.ProtoMajor = t.method, "HTTP/2.0", 2
	r.RemoteAddr, r.TLS = s.conn.remote, s.conn.tls
	host, length, ok := readFields(r, b.fields[b.pseudo:])
	if !ok || host != "" && t.authority != "" && host != t.authority {
		return false
	}
	if r.Host = t.authority; r.Host == "" {
		r.Host = host
	}
	if !httpguts.ValidHostHeader(r.Host) || strings.Contains(r.Host, "@") || !setURL(r, t) {
		return false
	}
	announceTrailers(r)
	if s.expects = httpguts.HeaderValuesContainsToken(r.Header["Expect"], "100-continue"); s.expects {
		delete(r.Header, "Expect")
	}
	return s.setBody(r, length, b.end)
}

// readTarget reads the pseudo fields. CONNECT has other ones.
func readTarget(fields []hpack.HeaderField) (t target, ok bool) {
	for _, f := range fields {
		var to *string
		switch f.Name {
		case ":method":
			to = &t.method
		case ":scheme":
			to = &t.scheme
		case ":authority":
			to = &t.authority
		case ":path":
			to = &t.path
		default:
			return t, false
		}
		if *to != "" || f.Value == "" && to != &t.authority {
			return t, false
		}
		*to = f.Value
	}
	if t.method == http.MethodConnect {
		return t, t.scheme == "" && t.path == "" && t.authority != ""
	}
	return t, httpguts.ValidHeaderFieldName(t.method) && (t.scheme == "https" || t.scheme == "http") && t.path != ""
}

// method is what a request says that is not read further.
func (b *block) method() string {
	for _, f := range b.fields {
		if f.Name == ":method" {
			return f.Value
		}
	}
	return ""
}

func setURL(r *http.Request, t target) bool {
	r.RequestURI = t.path
	switch {
	case t.method == http.MethodConnect:
		r.URL, r.RequestURI = &url.URL{Host: t.authority}, t.authority
		return true
	case t.path == "*":
		r.URL = &url.URL{Path: "*"}
		return t.method == http.MethodOptions
	case t.path[0] != '/':
		return false
	case plain(t.path):
		path, query, _ := strings.Cut(t.path, "?")
		r.URL = &url.URL{Path: path, RawQuery: query}
		return true
	}
	var err error
	r.URL, err = url.ParseRequestURI(t.path)
	return err == nil
}

// plain reports whether a path, with a query or without, has nothing in it that is to be decoded or looked at twice.
func plain(path string) bool {
	for i := range len(path) {
		switch b := path[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9':
		case b == '/' || b == '-' || b == '.' || b == '_' || b == '=' || b == '&':
		case b == '?' && i < len(path)-1:
		default:
			return false
		}
	}
	return true
}

// readFields fills in the header. A length of -1 means that there is none.
func readFields(r *http.Request, fields []hpack.HeaderField) (host string, length int64, ok bool) {
	length = -1
	r.Header = make(http.Header, len(fields))
	values := make([]string, len(fields))
	var cookies []string
	for i, f := range fields {
		switch f.Name {
		case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
			return "", 0, false
		case "te":
			if f.Value != "trailers" {
				return "", 0, false
			}
		case "host":
			if host != "" {
				return "", 0, false
			}
			host = f.Value
			continue
		case "cookie":
			cookies = append(cookies, f.Value)
			continue
		case "content-length":
			n, err := strconv.ParseUint(f.Value, 10, 63)
			if err != nil || length >= 0 || f.Value[0] == '+' {
				return "", 0, false
			}
			length = int64(n)
		}
		name := canonical(f.Name)
		if before := r.Header[name]; before != nil {
			r.Header[name] = append(before, f.Value)
			continue
		}
		values[i] = f.Value
		r.Header[name] = values[i : i+1 : i+1]
	}
	if cookies != nil {
		r.Header["Cookie"] = []string{strings.Join(cookies, "; ")}
	}
	return host, length, true
}

func canonical(lower string) string {
	if f, ok := fieldsByLower[lower]; ok {
		return f.canonical
	}
	return textproto.CanonicalMIMEHeaderKey(lower)
}

// announceTrailers puts the names of trailer fields where net/http has them.
func announceTrailers(r *http.Request) {
	for _, value := range r.Header["Trailer"] {
		for name := range strings.SplitSeq(value, ",") {
			name = http.CanonicalHeaderKey(textproto.TrimString(name))
			if name == "" || !httpguts.ValidTrailerHeader(name) {
				continue
			}
			if r.Trailer == nil {
				r.Trailer = make(http.Header)
			}
			r.Trailer[name] = nil
		}
	}
	delete(r.Header, "Trailer")
}

// setBody reports false when the length cannot be true.
func (s *stream) setBody(r *http.Request, length int64, end bool) bool {
	s.body.stream, s.body.length = s, length
	switch {
	case end:
		s.whole = true
		r.Body = http.NoBody
		return length <= 0
	case length == 0:
		r.Body = http.NoBody
	default:
		r.Body, r.ContentLength = &s.body, length
	}
	return true
}
