package sites

import "time"

// CertificateState says how a host is covered by TLS.
type CertificateState string

const (
	CertificateNone     CertificateState = "none"     // nothing covers the host
	CertificatePending  CertificateState = "pending"  // ordered; the wildcard serves until it comes
	CertificateWildcard CertificateState = "wildcard" // covered by the zone's wildcard, none of its own is wanted
	CertificateValid    CertificateState = "valid"    // its own
	CertificateFailed   CertificateState = "failed"   // the last order failed; it is tried again
)

// Certificate is what is known of the certificate of one host.
type Certificate struct {
	Host      string
	State     CertificateState
	Authority string   // whom berth has it from, in the words of people, such as Let's Encrypt
	Names     []string // that it is for, such as *.example.org
	Issuer    string   // common name of the issuing CA, of the certificate that serves the host now
	Serial    string   // hexadecimal, of the same
	NotBefore time.Time
	NotAfter  time.Time
	Renewal   time.Time // when renewal begins; zero: unknown
	LastError string    // of the last failed order, or why one waits; a sentence for people
}

const (
	// expiringSoon is when a certificate's end is near, where it ought to have been renewed long before.
	expiringSoon = 7 * 24 * time.Hour
	// shortLived is what a certificate lives at most to be renewed later than that; a tenth of its life is near then.
	shortLived = 3 * expiringSoon
)

// Expiring reports whether the certificate that serves the host ends so soon that its renewal must have failed.
func (c Certificate) Expiring(now time.Time) bool {
	if c.NotAfter.IsZero() {
		return false
	}
	near := expiringSoon
	if lifetime := c.NotAfter.Sub(c.NotBefore); lifetime <= shortLived {
		near = lifetime / 10
	}
	return c.NotAfter.Sub(now) < near
}

// CertificateBudget is how much of an authority's limit on first certificates for a registered domain is used up.
type CertificateBudget struct {
	Authority string
	Domain    string // the registered one, such as example.co.uk
	Issued    int    // in the last seven days
	Limit     int    // in seven days; 0: none is known
}
