package zonefile

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// maxName is the length of the longest name in text without trailing dot (RFC 1035 section 2.3.4).
const maxName = 253

// absolute returns a name as written in lower case, without trailing dot, and below origin if it is relative. "@" is the
// origin. It does not check the name.
func absolute(text, origin string) string {
	name, dotted := strings.CutSuffix(text, ".")
	switch {
	case text == "@" && origin != "":
		return origin
	case !dotted && origin != "":
		name += "." + origin
	}
	if len(name) > 2*maxName { // it is refused anyway, and must not cost more for each line that it is the origin of
		name = name[:2*maxName]
	}
	return toASCII(name)
}

// toASCII converts labels in other scripts (RFC 5891). What cannot be converted stays as it is, and is refused later.
func toASCII(name string) string {
	ascii := true
	for i := range len(name) {
		ascii = ascii && name[i] < 0x80
	}
	if ascii {
		return strings.ToLower(name)
	}
	labels := strings.Split(name, ".")
	for i, label := range labels {
		if converted, err := idna.Lookup.ToASCII(label); err == nil {
			labels[i] = converted
		}
	}
	return strings.ToLower(strings.Join(labels, "."))
}

// nameFault says what is wrong with an absolute name, in the form "a label …"; empty: nothing.
func nameFault(name string, underscore bool) string {
	if len(name) > maxName {
		return fmt.Sprintf("a name can be at most %d characters long", maxName)
	}
	for label := range strings.SplitSeq(name, ".") {
		if fault := labelFault(label, underscore); fault != "" {
			return fault
		}
	}
	return ""
}

func labelFault(label string, underscore bool) string {
	switch {
	case label == "":
		return "there is nothing between two of its dots, or before the first"
	case len(label) > 63:
		return "a part between dots can be at most 63 characters long"
	case !underscore && strings.Contains(label, "_"):
		return "the name of a host cannot hold an underscore"
	case strings.ContainsFunc(label, notLDH):
		return "a name can hold only letters, digits, hyphens and dots"
	case label[0] == '-' || label[len(label)-1] == '-':
		return "no part of a name can begin or end with a hyphen"
	}
	return ""
}

// notLDH holds for what no label has; an underscore is judged before.
func notLDH(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// ownerFault says what keeps a name from having records of the kind, as a sentence; empty: nothing.
func (k *kind) ownerFault(owner string) string {
	rest, wildcard := strings.CutPrefix(owner, "*.")
	switch {
	case owner == "" || owner == "@":
		return "Give the record's full name, such as www.example.org."
	case wildcard && k.owner == cutOwner:
		return fmt.Sprintf("A wildcard cannot have %s records.", k.name)
	case owner == "*" || strings.Contains(rest, "*"):
		return "A wildcard (*) can only be the whole first part of a name, such as *.example.org."
	}
	if fault := nameFault(rest, k.owner != hostOwner && k.owner != cutOwner); fault != "" {
		return fmt.Sprintf("The name %s is not valid for %s: %s.", shown(owner), k.name, fault)
	}
	if len(owner) > maxName {
		return fmt.Sprintf("The name %s is not valid: a name can be at most %d characters long.", shown(owner), maxName)
	}
	if k.owner == serviceOwner && !namesService(owner) {
		return "The name of an SRV record begins with the service and the protocol, such as _sip._tcp.example.org."
	}
	return ""
}

// namesService holds for names with two neighbouring labels that begin with an underscore.
func namesService(owner string) bool {
	before := false
	for label := range strings.SplitSeq(owner, ".") {
		now := strings.HasPrefix(label, "_")
		if now && before {
			return true
		}
		before = now || label == "*"
	}
	return false
}

// targetFault says what is wrong with the host that data points at, as a sentence; empty: nothing. The text is as
// people wrote it, the name what it means.
func (k *kind) targetFault(text, name string, underscore bool) string {
	_, rest, isURL := strings.Cut(text, "://")
	switch {
	case isURL:
		host, _, _ := strings.Cut(rest, "/")
		return fmt.Sprintf("%s points at a host name, not at an address of the web: write %s alone.", k.article(), shown(host))
	case isAddress(text):
		return fmt.Sprintf("%s points at a host name, and %s is an IP address. Give a name an A or AAAA record with it, and point at that name.", k.article(), shown(text))
	case name == "" || name == "@":
		return fmt.Sprintf("%s points at a host name, such as mail.example.org.", k.article())
	case strings.Contains(text, "@"):
		return fmt.Sprintf("%s points at a host name, and %s is a mail address.", k.article(), shown(text))
	}
	if fault := nameFault(name, underscore); fault != "" {
		return fmt.Sprintf("%s points at a host name, and %s is none: %s.", k.article(), shown(text), fault)
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case last == name:
		return fmt.Sprintf("Write the host's name in full, such as %s.", shown(name+".example.org"))
	case strings.Trim(last, "0123456789") == "":
		return fmt.Sprintf("%s points at a host name, and %s is neither one nor an IP address.", k.article(), shown(text))
	}
	return ""
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return err == nil
}
