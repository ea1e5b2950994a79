package acme

import (
	"crypto/tls"
	"crypto/x509"
	"sync/atomic"
	"time"

	"berth/sites"

	"github.com/mholt/acmez/v3/acme"
)

// host is a DNS name that has or is to have a certificate of its own.
type host struct {
	name string
	zone bool // one of the zone's own names, or the panel's: always named, always in memory

	outside bool // not in the zone, so proven otherwise than by its DNS

	facts atomic.Pointer[facts]           // of the stored certificate; nil: none that may be served
	pair  atomic.Pointer[tls.Certificate] // the same with its key; nil: not in memory
	used  atomic.Bool                     // since the keyring last looked for room

	staple atomic.Pointer[staple] // what the OCSP responder last said, perhaps of an earlier certificate; nil: nothing yet

	lapsed atomic.Bool // it does not lead here any more: nothing is ordered, and what there is ends with its time

	// The rest is guarded by Manager.mu.
	named    bool            // the published state, or the zone, has it
	owner    sites.AccountID // 0: the installation itself
	retired  bool            // what is stored belongs to a site that is gone: revoked before anything else is done
	seen     int64           // the last full change that named it
	failure  string          // why the last step failed; a sentence for people
	attempts int             // failed steps in a row
	forced   bool            // somebody wants it renewed now
	last     int             // the CA whose certificate is to be revoked; notConfigured: none that could be asked
	task     task
}

// home is the CA that has issued the certificate, or the first choice. The caller holds Manager.mu.
func (h *host) home() int {
	if f := h.facts.Load(); f != nil && !f.from.former() {
		return f.from.ca
	}
	return max(h.last, 0)
}

// settled reports whether the host has a certificate of a CA that is asked for such, which only has to be renewed.
func (h *host) settled() bool {
	f := h.facts.Load()
	return f != nil && !f.from.former()
}

// without reports whether the work on the host is for a certificate from a CA that its present one, if any, is not from.
func (h *host) without(ca int) bool {
	f := h.facts.Load()
	return h.task.class != classRevoke && (f == nil || f.from.ca != ca)
}

// budgeted reports whether the work on the host costs something of the budget.
func (h *host) budgeted() bool { return h.task.class == classOrder || h.forced }

// facts is what is known of a stored certificate; immutable.
type facts struct {
	from      vault
	authority string // that has issued it, for people
	names     []string
	issuer    string
	serial    string
	notBefore time.Time
	notAfter  time.Time
	advised   time.Time // when the CA advises to renew; zero: no advice
	adviceEnd time.Time // when the CA wants to be asked for its advice again; zero: never
}

// newFacts reads a certificate and the CA's advice on its renewal; nil: there is none.
func newFacts(leaf *x509.Certificate, advice *acme.RenewalInfo) *facts {
	f := &facts{
		names:     leaf.DNSNames,
		issuer:    leaf.Issuer.CommonName,
		serial:    serial(leaf),
		notBefore: leaf.NotBefore,
		notAfter:  leaf.NotAfter,
	}
	if advice == nil {
		return f
	}
	f.advised = advice.SelectedTime
	if advice.HasWindow() && advice.RetryAfter != nil {
		f.adviceEnd = *advice.RetryAfter
	}
	return f
}

// preferred reports whether a host is served with this certificate rather than with the other one, or nil.
func (f *facts) preferred(to *facts, now time.Time) bool {
	switch {
	case to == nil:
		return true
	case f.current(now) != to.current(now):
		return f.current(now)
	case f.from.former() != to.from.former():
		return to.from.former()
	}
	return to.notBefore.Before(f.notBefore)
}

// lifetime is how long the certificate is valid altogether.
func (f *facts) lifetime() time.Duration { return f.notAfter.Sub(f.notBefore) }

// renewal is when certmagic renews: when the CA advises it, at the latest as the last third of the lifetime begins.
func (f *facts) renewal() time.Time {
	last := f.notAfter.Add(-f.lifetime() / 3)
	if !f.advised.IsZero() && f.advised.Before(last) {
		return f.advised
	}
	return last
}

// ripe reports whether the certificate is to be renewed. Looks are an interval apart, so advice that falls between
// two of them is followed at the first.
func (f *facts) ripe(now time.Time, interval time.Duration) bool {
	if !f.advised.IsZero() && now.After(f.advised.Add(-interval)) {
		return true
	}
	return now.After(f.renewal())
}

// stale reports whether the CA wants to be asked again when to renew.
func (f *facts) stale(now time.Time) bool {
	return !f.adviceEnd.IsZero() && now.After(f.adviceEnd)
}

// current reports whether the certificate may be served now.
func (f *facts) current(now time.Time) bool {
	return f != nil && !now.After(f.notAfter)
}

// describes reports whether the facts are of that certificate.
func (f *facts) describes(pair *tls.Certificate) bool {
	return f.serial == serial(pair.Leaf)
}

// serial is the serial number as it is shown.
func serial(leaf *x509.Certificate) string { return leaf.SerialNumber.Text(16) }
