package sites

import (
	"iter"
	"strings"
)

// maxNameLength is the most characters of a domain name without trailing dot (RFC 1035 section 2.3.4).
const maxNameLength = 253

// parseDomain returns the canonical form of a domain name that a zone can have, or the sentence that says what is wrong with it.
func parseDomain(input string) (name, sentence string) {
	name = CanonicalHost(strings.TrimSpace(input))
	labels := strings.Split(name, ".")
	switch {
	case name == "":
		return "", "Give the zone's name, such as example.org."
	case len(labels) < 2:
		return "", "A zone's name has at least two labels, such as example.org."
	case len(name) > maxNameLength:
		return "", "The name is too long: a domain name has at most 253 characters."
	}
	for _, label := range labels {
		switch {
		case label == "":
			return "", "A domain name has no two dots in a row and none in front."
		case len(label) > 63:
			return "", "Each label of a domain name can be at most 63 characters long."
		case strings.ContainsFunc(label, notLDH):
			return "", "A zone's name can hold only the letters a to z, digits, hyphens and dots. Write an internationalised name in its xn-- form."
		case label[0] == '-' || label[len(label)-1] == '-':
			return "", "A label of a domain name cannot begin or end with a hyphen."
		case len(label) >= 4 && label[2:4] == "--" && !validALabel(label):
			return "", "A label with two hyphens in third and fourth place must be a valid internationalised name (xn--…)."
		}
	}
	return name, ""
}

// within reports whether name is zone or lies below it.
func within(name, zone string) bool {
	return name == zone || strings.HasSuffix(name, "."+zone)
}

// upwards yields name and what it lies below, up to the top-level domain.
func upwards(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for name != "" {
			if !yield(name) {
				return
			}
			_, name, _ = strings.Cut(name, ".")
		}
	}
}
