package zonefile

import (
	"fmt"
	"strings"
)

// head is what stands between a record's owner and its data.
type head struct {
	ttl    int // seconds
	hasTTL bool
	rrtype string // in upper case
}

// readHead reads TTL and class, in either order, and the type. It returns the fields behind them, or what is wrong.
func readHead(fields []field) (h head, rest []field, sentence string) {
	class := false
	for i, f := range fields {
		text := strings.ToUpper(f.text)
		if f.quoted {
			break
		}
		switch ttl, isTTL := parseTTL(text); {
		case isType(text):
			h.rrtype = typeName(text)
			return h, fields[i+1:], ""
		case (text == "IN" || text == "CLASS1") && !class:
			class = true
		case text == "CH" || text == "HS" || text == "CS" || strings.HasPrefix(text, "CLASS"):
			return h, nil, fmt.Sprintf("Records are of the class IN here, not %s.", shown(text))
		case isTTL && !h.hasTTL:
			h.ttl, h.hasTTL = ttl, true
		case kindless(text):
			h.rrtype = text
			return h, fields[i+1:], ""
		default:
			return h, nil, fmt.Sprintf("%s is neither a TTL nor a class nor the type of a record.", shown(f.text))
		}
	}
	return h, nil, "The line does not say which type of record it is."
}

// kindless holds for what people write where a type belongs, and which is none.
func kindless(text string) bool { return text == "ANAME" || text == "ALIAS" }

// ttls finds the TTL of a record that gives none: that of $TTL, else that of the record before (RFC 1035 section 5.1), else
// the last number of the SOA record (RFC 1035 section 3.3.13).
type ttls struct {
	latest    int  // of the record that was read last
	standing  int  // of records that give none
	known     bool // standing is
	directive bool // standing is that of $TTL
	told      map[int]bool
}

func (t *ttls) byDirective(ttl int) { t.standing, t.known, t.directive = ttl, true, true }

// seen takes the TTL of a record.
func (t *ttls) seen(h head, rest []field) {
	switch {
	case h.hasTTL:
		t.latest = h.ttl
		if !t.directive {
			t.standing, t.known = h.ttl, true
		}
		return
	case !t.known && h.rrtype == "SOA" && len(rest) > 0:
		t.standing, t.known = parseTTL(rest[len(rest)-1].text)
	}
	t.latest = DefaultTTL
	if t.known {
		t.latest = t.standing
	}
}

// bounded is the latest TTL within the bounds; news holds where it was moved there for the first time.
func (t *ttls) bounded() (ttl int, news bool) {
	ttl = min(max(t.latest, MinTTL), MaxTTL)
	if ttl == t.latest || t.told[t.latest] {
		return ttl, false
	}
	if t.told == nil {
		t.told = make(map[int]bool)
	}
	t.told[t.latest] = true
	return ttl, true
}

// parseTTL reads seconds, or BIND's form with units such as 1h30m.
func parseTTL(text string) (int, bool) {
	total, number, digits := 0, 0, 0
	for _, c := range strings.ToLower(text) {
		if c >= '0' && c <= '9' {
			number, digits = number*10+int(c-'0'), digits+1
			if number > 1<<31-1 {
				return 0, false
			}
			continue
		}
		unit, ok := map[rune]int{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 604800}[c]
		if !ok || digits == 0 {
			return 0, false
		}
		total, number, digits = total+number*unit, 0, 0
		if total > 1<<31-1 {
			return 0, false
		}
	}
	total += number
	return total, text != "" && total <= 1<<31-1
}
