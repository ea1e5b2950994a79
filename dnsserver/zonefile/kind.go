package zonefile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// kind is a type of records that people may enter.
type kind struct {
	name    string
	holds   string // what its data is, for people
	example string
	owner   ownerRule
	read    func(*data) (value, error)
}

// value is a record's data in canonical form, and the host that it points at, without trailing dot.
type value struct{ data, target string }

// ownerRule says which names may have records of a kind.
type ownerRule uint8

const (
	anyOwner     ownerRule = iota
	hostOwner              // a host: no underscore (RFC 1123 section 2.1)
	cutOwner               // a delegated zone: no wildcard either (RFC 4592 section 4.2)
	serviceOwner           // _service._proto.name (RFC 2782)
)

// kinds returns what is offered, in the order in which it is shown to people.
func kinds() []*kind {
	return []*kind{
		{"A", "an IPv4 address", "192.0.2.10", hostOwner, readA},
		{"AAAA", "an IPv6 address", "2001:db8::10", hostOwner, readAAAA},
		{"CNAME", "one host name", "www.example.org", anyOwner, readCNAME},
		{"MX", "a preference and a mail host", "10 mail.example.org", hostOwner, readMX},
		{"TXT", "text", "v=spf1 -all", anyOwner, readTXT},
		{"SRV", "priority, weight, port and host", "0 5 5060 sip.example.org", serviceOwner, readSRV},
		{"CAA", "flags, a tag and a value", `0 issue "letsencrypt.org"`, anyOwner, readCAA},
		{"NS", "the host name of a nameserver", "ns1.example.org", cutOwner, readNS},
		{"DS", "key tag, algorithm, digest type and digest", "12345 13 2 followed by 64 hexadecimal digits", cutOwner, readDS},
		{"HTTPS", "a priority, a host and parameters", `1 . alpn="h2"`, anyOwner, readSVCB},
		{"SVCB", "a priority, a host and parameters", `1 doh.example.org alpn="h2"`, anyOwner, readSVCB},
		{"TLSA", "usage, selector, matching type and data", "3 1 1 followed by 64 hexadecimal digits", anyOwner, readTLSA},
		{"SSHFP", "algorithm, fingerprint type and fingerprint", "4 2 followed by 64 hexadecimal digits", anyOwner, readSSHFP},
		{"PTR", "one host name", "host.example.org", anyOwner, readPTR},
	}
}

// offered is the table of kinds; it is never written to.
var offered = kinds()

// Types returns the types of records that people may enter, in the order in which they are shown.
func Types() []string {
	names := make([]string, len(offered))
	for i, k := range offered {
		names[i] = k.name
	}
	return names
}

// kindOf returns the kind of that name, which may be in the general form TYPE123 (RFC 3597 section 5).
func kindOf(text string) (*kind, error) {
	name := typeName(strings.TrimSpace(text))
	if i := slices.IndexFunc(offered, func(k *kind) bool { return k.name == name }); i >= 0 {
		return offered[i], nil
	}
	list := strings.Join(Types(), ", ")
	switch {
	case name == "":
		return nil, invalid("type", "Choose the record's type. Offered are %s.", list)
	case name == "SPF":
		return nil, invalid("type", "SPF rules are entered as a TXT record. The type SPF is obsolete (RFC 7208).")
	case made(name):
		return nil, invalid("type", "Records of type %s cannot be entered: berth makes them itself. Offered are %s.", name, list)
	case name == "ANAME" || name == "ALIAS":
		return nil, invalid("type", "%s is not a type of DNS records. Give the name A and AAAA records, or an HTTPS record such as %q.", name, "0 www.example.org")
	}
	return nil, invalid("type", "Records of type %s are not offered. Offered are %s.", shown(name), list)
}

// made holds for the types that the server makes itself.
func made(name string) bool {
	switch name {
	case "SOA", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "CDS", "CDNSKEY", "ZONEMD":
		return true
	}
	return false
}

// typeName is the name of a type in upper case, with the general form replaced by the mnemonic where there is one.
func typeName(text string) string {
	name := strings.ToUpper(text)
	if digits, ok := strings.CutPrefix(name, "TYPE"); ok {
		if n, err := strconv.ParseUint(digits, 10, 16); err == nil && dns.TypeToString[uint16(n)] != "" {
			return dns.TypeToString[uint16(n)]
		}
	}
	return name
}

// isType holds for names of types, offered or not.
func isType(text string) bool {
	name := typeName(text)
	if _, known := dns.StringToType[name]; known {
		return true
	}
	digits, general := strings.CutPrefix(name, "TYPE")
	_, err := strconv.ParseUint(digits, 10, 16)
	return general && err == nil
}

// wrong is the sentence for data that is not of the kind.
func (k *kind) wrong() error {
	return invalid("data", "%s holds %s, such as %s.", k.article(), k.holds, k.example)
}

// article is the kind with its indefinite article, at the beginning of a sentence.
func (k *kind) article() string {
	switch k.name {
	case "A", "AAAA", "MX", "SRV", "NS", "HTTPS", "SVCB", "SSHFP":
		return fmt.Sprintf("An %s record", k.name)
	}
	return fmt.Sprintf("A %s record", k.name)
}

// shown is text as a sentence shows it: quoted, and not too long.
func shown(text string) string {
	text = text[:min(len(text), 240)]
	if runes := []rune(text); len(runes) > 60 {
		text = string(runes[:57]) + "…"
	}
	return strconv.Quote(text)
}
