package acme

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"fmt"
	"strings"
	"sync"

	"berth/sites"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// answers holds what a CA that comes to our own listeners is to find: by HTTP-01 (RFC 8555 section 8.3) at a path of the
// host, by TLS-ALPN-01 (RFC 8737) in a handshake for it. A host is ordered by one step at a time.
type answers struct {
	mu         sync.RWMutex
	byToken    map[string]acme.Challenge
	handshakes map[string]*tls.Certificate // by host
}

// HTTPChallenge is what the path /.well-known/acme-challenge/TOKEN of a host answers over HTTP on port 80, as
// application/octet-stream; false when no CA has asked for that.
func (m *Manager) HTTPChallenge(host, token string) (keyAuthorization string, ok bool) {
	m.answers.mu.RLock()
	defer m.answers.mu.RUnlock()
	c, ok := m.answers.byToken[token]
	if !ok || subtle.ConstantTimeCompare([]byte(c.Identifier.Value), []byte(sites.CanonicalHost(host))) == 0 {
		return "", false
	}
	return c.KeyAuthorization, true
}

// asksProof reports whether a handshake is a CA's TLS-ALPN-01 validation, which offers that protocol alone.
func asksProof(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acmez.ACMETLS1Protocol
}

// proof is the certificate that such a handshake for the host is to find.
func (a *answers) proof(host string) (*tls.Certificate, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if pair := a.handshakes[host]; pair != nil {
		return pair, nil
	}
	return nil, errNotOurs
}

// httpSolver answers HTTP-01 challenges.
type httpSolver struct{ *answers }

func (s httpSolver) Present(_ context.Context, c acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byToken == nil {
		s.byToken = make(map[string]acme.Challenge)
	}
	s.byToken[c.Token] = c
	return nil
}

func (s httpSolver) CleanUp(_ context.Context, c acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byToken, c.Token)
	return nil
}

// handshakeSolver answers TLS-ALPN-01 challenges.
type handshakeSolver struct{ *answers }

func (s handshakeSolver) Present(_ context.Context, c acme.Challenge) error {
	pair, err := acmez.TLSALPN01ChallengeCert(c)
	if err != nil {
		return fmt.Errorf("certificate of a TLS-ALPN-01 challenge: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handshakes == nil {
		s.handshakes = make(map[string]*tls.Certificate)
	}
	s.handshakes[c.Identifier.Value] = pair
	return nil
}

func (s handshakeSolver) CleanUp(_ context.Context, c acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.handshakes, c.Identifier.Value)
	return nil
}

var (
	_ acmez.Solver = httpSolver{}
	_ acmez.Solver = handshakeSolver{}
)

// solvers are the ways to prove a host that is tried after so many failures. In our own zone that is DNS-01 and
// nothing else. Elsewhere the first try has all that may work, in turn; later ones have one each, for CAs count the
// validations that fail.
func (m *Manager) solvers(host string, attempts int) map[string]acmez.Solver {
	byDNS := map[string]acmez.Solver{acme.ChallengeTypeDNS01: solver{m.cfg.Challenges}}
	if m.inZone(host) || m.cfg.Challenges.Keeps(host) && attempts%3 == 0 {
		return byDNS
	}
	ways := map[string]acmez.Solver{
		acme.ChallengeTypeHTTP01:    httpSolver{&m.answers},
		acme.ChallengeTypeTLSALPN01: handshakeSolver{&m.answers},
	}
	switch {
	case attempts == 0:
	case attempts%2 == 1:
		delete(ways, acme.ChallengeTypeTLSALPN01)
	default:
		delete(ways, acme.ChallengeTypeHTTP01)
	}
	return ways
}

// inZone reports whether a host, or a wildcard, is a name of the main zone.
func (m *Manager) inZone(host string) bool {
	return host == m.cfg.Zone || strings.HasSuffix(host, "."+m.cfg.Zone)
}
