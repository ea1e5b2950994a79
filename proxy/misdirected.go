package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
)

type admissionKey struct{}

// withAdmission has what is known of a connection found by its handshake and its requests.
func withAdmission(ctx context.Context, a *admission) context.Context {
	return context.WithValue(ctx, admissionKey{}, a)
}

func admissionOf(ctx context.Context) *admission {
	a, _ := ctx.Value(admissionKey{}).(*admission)
	return a
}

// certificate is GetCertificate of tls.Config; it notes what the connection gets.
func (p *Proxy) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	pair, err := p.getCertificate(hello)
	if err == nil {
		if a := admissionOf(hello.Context()); a != nil {
			a.leaf.Store(pair.Leaf)
		}
	}
	return pair, err
}

// misdirected reports whether a request is for a host that the certificate of its connection does not cover, so that a
// client which checks it cannot have meant to ask here (RFC 9110 section 15.5.20). HTTP/2 and 3 clients do reuse connections for
// all names of a wildcard. Without SNI there is no name that it could contradict; gateways are free to reuse as they like.
func (p *Proxy) misdirected(r *http.Request, host string) bool {
	if r.TLS == nil || r.TLS.ServerName == "" {
		return false
	}
	a := admissionOf(r.Context())
	if a == nil {
		return false
	}
	leaf := a.leaf.Load()
	if leaf == nil {
		leaf = p.resumed(a, r.TLS.ServerName)
	}
	return leaf != nil && !covers(leaf.DNSNames, host)
}

// resumed is the certificate that a connection would have got if its session were not resumed.
func (p *Proxy) resumed(a *admission, name string) *x509.Certificate {
	pair, err := p.getCertificate(&tls.ClientHelloInfo{ServerName: name})
	if err != nil {
		return nil // it has gone since the session began
	}
	a.leaf.CompareAndSwap(nil, pair.Leaf)
	return a.leaf.Load()
}

// covers does what VerifyHostname of x509.Certificate does, for a host in canonical form and without allocations: a wildcard
// stands for one label (RFC 9525 section 6.3).
func covers(names []string, host string) bool {
	for _, name := range names {
		if strings.EqualFold(name, host) {
			return true
		}
		parent, wildcard := strings.CutPrefix(name, "*.")
		label, rest, _ := strings.Cut(host, ".")
		if wildcard && label != "" && rest != "" && strings.EqualFold(parent, rest) {
			return true
		}
	}
	return false
}
