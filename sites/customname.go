package sites

import (
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// ParseDomain returns the canonical form of a custom domain: lower-case A-labels (RFC 5890) without trailing dot. What surrounds
// it in an address that was copied, such as https:// and a path, is dropped. A Refusal says which rule it breaks.
func (n *Names) ParseDomain(input string) (string, error) {
	refuse := func(kind error, format string, args ...any) (string, error) {
		return "", RefuseField(kind, "name", format, args...)
	}
	name := bareName(input)
	switch {
	case name == "":
		return refuse(ErrInvalid, "Give the domain, such as www.example.com.")
	case strings.HasPrefix(name, "*."):
		return refuse(ErrInvalid, "A domain with a star cannot be added. Add each name by itself, such as www.%s.", name[2:])
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) {
		ascii, err := domainProfile().ToASCII(name)
		if err != nil {
			return refuse(ErrInvalid, "%q is not a domain name. Write it like www.example.com.", name)
		}
		name = ascii
	}
	if sentence := badDomain(name); sentence != "" {
		return refuse(ErrInvalid, "%s", sentence)
	}
	switch {
	case n.own[name]:
		return refuse(ErrReserved, "%s is a name of this server's own.", name)
	case within(name, n.zone):
		return refuse(ErrReserved, "%s lies in %s, where names come with their sites. Make a site of that name instead.", name, n.zone)
	}
	return name, nil
}

// domainProfile maps what people write as resolvers do (RFC 5891 section 5).
func domainProfile() *idna.Profile {
	return idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false))
}

// bareName is the host of what was typed or pasted.
func bareName(input string) string {
	name := strings.TrimSpace(input)
	if _, rest, ok := strings.Cut(name, "://"); ok {
		name = rest
	}
	name, _, _ = strings.Cut(name, "/")
	name, _, _ = strings.Cut(name, ":")
	return CanonicalHost(name)
}

// badDomain says what is wrong with a name as a custom domain, empty for nothing.
func badDomain(name string) string {
	labels := strings.Split(name, ".")
	switch last := labels[len(labels)-1]; {
	case len(labels) < 2:
		return "A domain has at least two parts, such as example.com."
	case len(name) > maxNameLength:
		return "The name is too long: a domain name has at most 253 characters."
	case last != "" && strings.Trim(last, "0123456789") == "":
		return "That is an IP address. Give a domain, such as www.example.com."
	}
	for _, label := range labels {
		if label == "" {
			return "A domain name has no two dots in a row and none in front."
		}
		if sentence := malformed(label); sentence != "" {
			return "“" + label + "” cannot be a part of a domain. " + sentence
		}
	}
	if suffix, _ := publicsuffix.PublicSuffix(name); suffix == name {
		return name + " is what other people's names end with. Give a whole domain, such as example." + name + "."
	}
	return ""
}

// registered is the domain that was registered for a name to lie in: one label below a public suffix.
func registered(name string) string {
	domain, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return name
	}
	return domain
}

// unicodeName is a name as people write it.
func unicodeName(name string) string {
	text, err := idna.Display.ToUnicode(name)
	if err != nil {
		return name
	}
	return text
}
