package proxy

import (
	"net/netip"
	"strconv"
	"strings"
)

// hostname is the name in a Host field as the table has it: lower-case, without port and trailing dot. IP addresses
// are well-formed too, though no site has one for a name. It reports false for anything else.
func hostname(field string) (string, bool) {
	if strings.HasPrefix(field, "[") {
		return ipv6Literal(field)
	}
	name, port, hasPort := strings.Cut(field, ":")
	if hasPort && !validPort(port) {
		return "", false
	}
	name = strings.TrimSuffix(name, ".")
	return lowerName(name)
}

func ipv6Literal(field string) (string, bool) {
	inner, rest, ok := strings.Cut(field[1:], "]")
	if !ok || (rest != "" && (rest[0] != ':' || !validPort(rest[1:]))) {
		return "", false
	}
	addr, err := netip.ParseAddr(inner)
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", false
	}
	return addr.String(), true
}

func validPort(port string) bool {
	if port == "" {
		return true // RFC 3986 section 3.2.3
	}
	for _, c := range []byte(port) {
		if c < '0' || c > '9' {
			return false
		}
	}
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

// lowerName checks that name has the form of a DNS name and lower-cases it; it allocates only where it must.
func lowerName(name string) (string, bool) {
	if name == "" || len(name) > 253 {
		return "", false
	}
	upper := false
	label := 0
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
			label++
		case c >= 'A' && c <= 'Z':
			upper = true
			label++
		case c == '.' && label > 0:
			label = 0
		default:
			return "", false
		}
		if label > 63 {
			return "", false
		}
	}
	if upper {
		name = strings.ToLower(name)
	}
	return name, label > 0
}
