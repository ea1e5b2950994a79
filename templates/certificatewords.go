package templates

import "slices"

// words says how many certificates the list has.
func (v CertificatesView) words() string {
	if v.Paging.Query == "" {
		return plural(int64(v.Paging.All), "certificate") + ", the most urgent first"
	}
	return number(int64(v.Paging.Found)) + " of " + plural(int64(v.Paging.All), "certificate")
}

// words is such as "12 of 50".
func (b CertificateBudget) words() string {
	if b.Limit == 0 {
		return number(int64(b.Issued)) + ", no limit known"
	}
	return number(int64(b.Issued)) + " of " + number(int64(b.Limit))
}

// others reports whether another name's certificate serves the host.
func (c Certificate) others() bool { return len(c.Names) > 0 && !slices.Contains(c.Names, c.Host) }

// renewWord is the button that orders a certificate now.
func (c Certificate) renewWord() string {
	if c.State == "valid" {
		return "Renew now"
	}
	return "Order now"
}
