package sites

import (
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// keptNames are labels that visitors, mail systems or browsers would take for something other than a site of an owner.
var keptNames = []string{
	"www", "ns", "mail", "smtp", "imap", "pop", "pop3", "mx", "ftp", "webmail",
	"autoconfig", "autodiscover", "mta-sts", "wpad", "isatap", "localhost",
	"admin", "administrator", "root", "postmaster", "hostmaster", "webmaster", "abuse", "security",
	"panel", "berth", "api", "login", "account", "status", "acme", "dns",
}

// Names is the rule for site names of one zone. It is immutable and safe for concurrent use.
type Names struct {
	zone     string
	reserved map[string]bool
	own      map[string]bool // hosts of berth's own, wherever they lie
}

// NewNames returns the rule for sites below zone. The hosts, absolute names such as the panel's and the
// nameservers', are reserved with whatever label of theirs stands directly below the zone.
func NewNames(zone string, hosts ...string) *Names {
	n := &Names{zone: zone, reserved: make(map[string]bool), own: make(map[string]bool)}
	for _, name := range keptNames {
		n.reserved[name] = true
	}
	for _, host := range hosts {
		n.own[CanonicalHost(host)] = true
		if below, ok := strings.CutSuffix(CanonicalHost(host), "."+zone); ok {
			labels := strings.Split(below, ".")
			n.reserved[labels[len(labels)-1]] = true
		}
	}
	return n
}

// Parse returns the canonical, lower-case form of a site name, or a Refusal that says which rule it breaks:
// a label of letters, digits and hyphens (RFC 1123 section 2.1), at most 63 long (RFC 1035 section 2.3.4), where
// "xn--" stands only before valid IDNA 2008, and which berth does not keep for itself.
func (n *Names) Parse(input string) (string, error) {
	name := strings.ToLower(strings.TrimSpace(input))
	if sentence := malformed(name); sentence != "" {
		return "", RefuseField(ErrInvalid, "name", "%s", sentence)
	}
	if n.reserved[name] || nameserverLabel(name) {
		return "", RefuseField(ErrReserved, "name", "The name %q is reserved. Choose another one.", name)
	}
	if len(name)+1+len(n.zone) > 253 {
		return "", RefuseField(ErrInvalid, "name", "The name is too long below %s.", n.zone)
	}
	return name, nil
}

// Host is the DNS name of a site.
func (n *Names) Host(name string) string { return name + "." + n.zone }

func malformed(name string) string {
	switch {
	case name == "":
		return "Give the site a name."
	case strings.HasPrefix(name, "_"):
		return "A name that begins with an underscore is reserved for services such as certificates. Use letters, digits and hyphens."
	case len(name) > 63:
		return "A name can be at most 63 characters long."
	case strings.ContainsFunc(name, notLDH):
		return "A name can hold only the letters a to z, digits and hyphens."
	case name[0] == '-' || name[len(name)-1] == '-':
		return "A name cannot begin or end with a hyphen."
	case len(name) >= 4 && name[2:4] == "--" && !validALabel(name):
		return "A name with two hyphens in third and fourth place must be a valid internationalised name (xn--…)."
	}
	return ""
}

func notLDH(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
}

func validALabel(name string) bool {
	if !strings.HasPrefix(name, "xn--") {
		return false
	}
	profile := idna.New(idna.ValidateForRegistration(), idna.StrictDomainName(true))
	unicode, err := profile.ToUnicode(name)
	if err != nil || unicode == name {
		return false
	}
	back, err := profile.ToASCII(unicode)
	return err == nil && back == name
}

// nameserverLabel keeps ns0, ns1, … free: the operator may add nameservers after sites exist.
func nameserverLabel(name string) bool {
	digits, ok := strings.CutPrefix(name, "ns")
	return ok && digits != "" && !strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
}

// CanonicalHost is host in lower case without the trailing dot.
func CanonicalHost(host string) string {
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// ownHostFirst orders hosts as SiteStatus promises.
func ownHostFirst(hosts []Host) {
	slices.SortStableFunc(hosts, func(a, b Host) int {
		switch {
		case a.Kind == b.Kind:
			return strings.Compare(a.Name, b.Name)
		case a.Kind == HostOwn:
			return -1
		}
		return 1
	})
}
