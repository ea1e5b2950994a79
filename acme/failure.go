package acme

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"berth/sites"

	"github.com/mholt/acmez/v3/acme"
)

// errAdvice: the CA was asked when to renew and gave no usable answer.
var errAdvice = errors.New("no renewal advice from the CA")

var (
	// errNoWay: the CA offers none of the challenges that this attempt can answer. The next one tries others.
	errNoWay = errors.New("no challenge in common with the CA")
	// errUnanswered: a challenge could not be answered, by a fault of our own parts.
	errUnanswered = errors.New("the answer to a challenge was not published")
)

// failure is what an error means for us and for people.
type failure struct {
	sentence string
	pace     pace
	scope    scope
	until    time.Time // the CA does not want to be asked before; zero: it does not say
	limited  bool      // the CA has no objection but that it was asked too often
	counted  bool      // the CA has taken the order, so it counts although nothing came of it
}

// scope says what a failure concerns.
type scope int

const (
	scopeHost   scope = iota // that host only
	scopeOrders              // the first order of every host in the zone; no renewals, no revocations
	scopeCA                  // whatever is asked of the CA
)

// place is a host as a CA sees it.
type place struct {
	host   string
	inZone bool // proven by the DNS of our own zone
}

// pace is that of a fault which lasts until somebody mends it. Domains of others can be as many and as broken as those like, and
// all of them share what the CA gives us.
func (p place) pace() pace {
	if p.inZone {
		return paceRefusal
	}
	return paceElsewhere
}

// explain tells apart the faults of the CA, of a name, and of our own machine. What the CA has refused to the step
// is said; it may be nothing.
func explain(err error, at place, said refusal) failure {
	var (
		problem    acme.Problem
		order      *acme.Problem
		untrusted  *tls.CertificateVerificationError
		unknownCA  x509.UnknownAuthorityError
		wrongName  x509.HostnameError
		badCertErr x509.CertificateInvalidError
	)
	var refusal *sites.Refusal
	switch {
	case errors.As(err, &refusal): // of our own parts, for people
		return failure{sentence: refusal.Sentence, pace: paceOutage, counted: true}
	case errors.As(err, &problem):
		return explainProblem(problem, at, said)
	case errors.As(err, &order) && order != nil:
		return explainProblem(*order, at, said)
	case errors.Is(err, errDisk):
		return failure{sentence: "The certificate could not be written to the disk of this server.", pace: paceRefusal}
	case errors.Is(err, errNoWay):
		return failure{
			sentence: fmt.Sprintf("The certificate authority did not offer a way to prove %s that this server had left; another one is tried next.", at.host),
			pace:     paceRefusal, counted: true,
		}
	case errors.Is(err, errUnanswered):
		return failure{sentence: "This server could not publish what the certificate authority was to find.", pace: paceOutage, counted: true}
	case errors.As(err, &untrusted), errors.As(err, &unknownCA), errors.As(err, &wrongName), errors.As(err, &badCertErr):
		return failure{
			sentence: "The certificate authority's own HTTPS certificate is not trusted by this server.",
			pace:     paceRefusal, scope: scopeCA,
		}
	case said.status == http.StatusTooManyRequests:
		return explainLimit(acme.Problem{}, at, said)
	case said.status >= http.StatusInternalServerError:
		return troubled
	default:
		return failure{sentence: "The certificate authority does not answer as it should.", pace: paceOutage, scope: scopeCA}
	}
}

// explainProblem explains what the CA itself says. Its wording is for operators and stays in the log.
func explainProblem(p acme.Problem, at place, said refusal) failure {
	host := at.host
	switch p.Type {
	case acme.ProblemTypeRateLimited:
		return explainLimit(p, at, said)
	case acme.ProblemTypeBadNonce, acme.ProblemTypeServerInternal:
		return troubled
	case acme.ProblemTypeExternalAccountRequired, acme.ProblemTypeUserActionRequired, acme.ProblemTypeAccountDoesNotExist,
		acme.ProblemTypeInvalidContact, acme.ProblemTypeUnsupportedContact:
		return failure{sentence: "The certificate authority does not accept this server's account.", pace: paceRefusal, scope: scopeCA}
	case acme.ProblemTypeDNS, acme.ProblemTypeUnauthorized, acme.ProblemTypeIncorrectResponse, acme.ProblemTypeConnection,
		acme.ProblemTypeTLS:
		return failure{sentence: notProven(at), pace: at.pace(), counted: true}
	case acme.ProblemTypeCAA:
		return failure{sentence: fmt.Sprintf("A CAA record forbids this certificate authority to issue for %s.", host), pace: at.pace(), counted: true}
	case acme.ProblemTypeRejectedIdentifier, acme.ProblemTypeUnsupportedIdentifier:
		return failure{sentence: fmt.Sprintf("The certificate authority does not issue for %s.", host), pace: at.pace(), counted: true}
	}
	switch {
	case p.Status == http.StatusTooManyRequests:
		return explainLimit(p, at, said)
	case p.Status >= http.StatusInternalServerError:
		return troubled
	default:
		return failure{sentence: fmt.Sprintf("The certificate authority refused the request for %s.", host), pace: paceRefusal, counted: true}
	}
}

// notProven says what people can do when the CA could not see that a host is ours.
func notProven(at place) string {
	if at.inZone {
		return fmt.Sprintf("The certificate authority did not find our answer in the DNS for %s; is the zone delegated to this server?", at.host)
	}
	return fmt.Sprintf("The certificate authority did not reach this server at %s; does the domain lead here, and can ports 80 and 443 be reached from everywhere?", at.host)
}

var troubled = failure{sentence: "The certificate authority has trouble of its own.", pace: paceOutage, scope: scopeCA}

// explainLimit tells whom a limit of the CA concerns. ACME has one type of problem for all of them, so it takes the subproblems
// and the text; a text that we cannot read concerns everybody.
func explainLimit(p acme.Problem, at place, said refusal) failure {
	f := failure{
		sentence: "The certificate authority limits how many certificates it issues; it is asked again later.",
		pace:     paceRefusal, scope: scopeCA, limited: true,
		until: retryAfterText(p.Detail, time.Now()),
	}
	if f.until.IsZero() {
		f.until = said.until
	}
	switch {
	case limitsHost(p, at.host), limitsDomain(p) && !at.inZone:
		f.scope = scopeHost
		f.sentence = fmt.Sprintf("The certificate authority limits how often it is asked for %s; it is asked again later.", at.host)
	case limitsDomain(p): // renewals are exempt
		f.scope = scopeOrders
	}
	return f
}

// limitsDomain reports whether a limit is about all names of a registered domain.
func limitsDomain(p acme.Problem) bool { return strings.Contains(p.Detail, `already issued for "`) }

// limitsHost reports whether a limit is about a single host, such as Let's Encrypt's on the same certificate over
// again and on failed validations.
func limitsHost(p acme.Problem, host string) bool {
	name := strings.TrimPrefix(host, "*.")
	for _, sub := range p.Subproblems {
		if strings.TrimPrefix(sub.Identifier.Value, "*.") == name {
			return true
		}
	}
	return strings.Contains(p.Detail, "this exact set of") || strings.Contains(p.Detail, name)
}
