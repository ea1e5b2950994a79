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

// InternalAuthority is what berth calls its own CA.
const InternalAuthority = "internal"

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
	Retry     time.Time // when it is tried again after a failed order; zero: nothing failed
}

// CertificateWait is why an authority is not asked for some time.
type CertificateWait struct {
	Authority string
	Until     time.Time
	Orders    bool // only first certificates of names in the zone wait; false: whatever is asked of it
	Told      bool // the authority wants it so; false: berth spares it as it has failed
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

// Expired reports whether the certificate that serves the host is out of date.
func (c Certificate) Expired(now time.Time) bool {
	return !c.NotAfter.IsZero() && c.NotAfter.Before(now)
}

// Sentence says what the certificate's state means for visitors.
func (c Certificate) Sentence(now time.Time) string {
	none := c.NotAfter.IsZero()
	switch {
	case c.Expired(now):
		return "The certificate has run out, so browsers warn visitors. A new one is ordered by itself."
	case c.State == CertificateValid && c.Renewal.IsZero():
		return "Connections are encrypted until the certificate ends. It is not renewed."
	case c.State == CertificateValid:
		return "Connections are encrypted. The certificate renews by itself."
	case c.State == CertificateWildcard:
		return "Connections are encrypted with the certificate that all sites here share. It renews by itself."
	case c.State == CertificatePending && none:
		return "The certificate is on its way. Browsers warn visitors until it has come."
	case c.State == CertificatePending:
		return "HTTPS works already with the certificate that all sites here share. The site's own is on its way."
	case c.State == CertificateFailed && none:
		return "The last order of a certificate failed, so browsers warn visitors. It is tried again by itself."
	case c.State == CertificateFailed:
		return "The last order of a certificate failed. It is tried again by itself."
	}
	return "There is no certificate for this name yet, so browsers warn visitors."
}

// CertificateBudget is how much of an authority's limit on first certificates for a registered domain is used up.
type CertificateBudget struct {
	Authority string
	Domain    string // the registered one, such as example.co.uk
	Issued    int    // in the last seven days
	Limit     int    // in seven days; 0: none is known
}

// Scarce reports whether there is little left.
func (b CertificateBudget) Scarce() bool { return b.Limit > 0 && b.Issued >= b.Limit*9/10 }
