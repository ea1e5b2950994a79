package http2

import (
	"net/http"
	"strings"
)

// role is what a field of a response is to the server.
type role int

const (
	ordinary role = iota
	passing       // differs from response to response, so that it would only drive others out of the compression's table
	hopByHop      // is about a connection of HTTP/1
	lengthField
	typeField
	encodingField
	dateField
	trailerField
)

// field is a name that is known beforehand.
type field struct {
	lower, canonical string
	role             role
}

// fieldsByLower and fieldsByCanonical are common names, which need not be converted or looked at again. They never change.
var fieldsByLower, fieldsByCanonical = commonFields()

func commonFields() (byLower, byCanonical map[string]field) {
	byLower, byCanonical = make(map[string]field), make(map[string]field)
	add := func(role role, names ...string) {
		for _, lower := range names {
			f := field{lower, http.CanonicalHeaderKey(lower), role}
			byLower[lower], byCanonical[f.canonical] = f, f
		}
	}
	add(hopByHop, "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade", "te")
	add(lengthField, "content-length")
	add(typeField, "content-type")
	add(encodingField, "content-encoding")
	add(dateField, "date")
	add(trailerField, "trailer")
	add(passing, "age", "content-range", "etag", "location", "set-cookie", "x-request-id")
	add(ordinary, "accept", "accept-charset", "accept-encoding", "accept-language", "accept-ranges",
		"access-control-allow-credentials", "access-control-allow-headers", "access-control-allow-methods",
		"access-control-allow-origin", "access-control-expose-headers", "access-control-max-age",
		"access-control-request-headers", "access-control-request-method", "allow", "alt-svc", "authorization", "cache-control",
		"cache-status", "cdn-cache-control", "content-disposition", "content-language", "content-location",
		"content-security-policy", "cookie", "cross-origin-opener-policy", "cross-origin-resource-policy", "dnt", "expect",
		"expires", "forwarded", "from", "host", "if-match", "if-modified-since", "if-none-match", "if-range",
		"if-unmodified-since", "last-modified", "link", "max-forwards", "origin", "permissions-policy", "pragma", "priority",
		"proxy-authenticate", "proxy-authorization", "range", "referer", "referrer-policy", "refresh", "retry-after",
		"sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site",
		"sec-fetch-user", "server", "server-timing", "strict-transport-security", "upgrade-insecure-requests", "user-agent",
		"vary", "via", "www-authenticate", "x-content-type-options", "x-forwarded-for", "x-forwarded-host",
		"x-forwarded-proto", "x-frame-options", "x-xss-protection")
	return byLower, byCanonical
}

// fieldOf finds out about a field of a response, however its name is written. It is false for a name that is none.
func fieldOf(name string) (field, bool) {
	if f, ok := fieldsByCanonical[name]; ok {
		return f, true
	}
	lower := strings.ToLower(name)
	if f, ok := fieldsByLower[lower]; ok {
		return f, true
	}
	return field{lower: lower}, validName(lower)
}
