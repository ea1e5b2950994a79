package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/certmagic"
	"golang.org/x/crypto/ocsp"
)

// staple is what an OCSP responder (RFC 6960) has said of a certificate, for handshakes to carry; immutable.
type staple struct {
	serial      *big.Int // of the certificate
	raw         []byte
	from, until time.Time
	revoked     bool
}

const (
	stapleTimeout = 10 * time.Second
	stapleSize    = 64 << 10 // bytes of an answer that are read at most
)

// outage is an error of a responder that would concern other certificates as well.
type outage struct {
	error
	until time.Time // it does not want to be asked before; zero: it does not say
}

// of reports whether the staple is about that certificate.
func (s *staple) of(pair *tls.Certificate) bool {
	return s != nil && s.serial.Cmp(pair.Leaf.SerialNumber) == 0
}

// onto is the key pair as a handshake gets it now: with the staple, if that is of use.
func (s *staple) onto(pair *tls.Certificate, now time.Time) *tls.Certificate {
	if !s.of(pair) || s.revoked || !now.Before(s.until) {
		return pair
	}
	stapled := *pair
	stapled.OCSPStaple = s.raw
	return &stapled
}

// refresh is when the responder is asked again: after half of the time that the staple is valid for. A responder may answer
// with one that is older than that already; then after half of what is left.
func (s *staple) refresh(now time.Time) time.Time {
	half := s.from.Add(s.until.Sub(s.from) / 2)
	if half.After(now) {
		return half
	}
	return now.Add(max(s.until.Sub(now)/2, paceOutage.first))
}

// parseStaple reads an answer about a certificate and makes sure that its CA has signed it, or has let somebody sign it.
func parseStaple(raw []byte, pair *tls.Certificate, now time.Time) (*staple, error) {
	issuer, err := issuerOf(pair)
	if err != nil {
		return nil, err
	}
	said, err := ocsp.ParseResponseForCert(raw, pair.Leaf, issuer)
	if err != nil {
		return nil, fmt.Errorf("OCSP: %w", err)
	}
	until := said.NextUpdate
	if by := said.Certificate; by != nil && !by.Equal(issuer) {
		if !slices.Contains(by.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) { // RFC 6960 section 4.2.2.2
			return nil, errors.New("OCSP: signed by somebody whom the CA has not let sign answers")
		}
		if by.NotAfter.Before(until) {
			until = by.NotAfter
		}
	}
	revoked := said.Status == ocsp.Revoked
	switch {
	case said.Status == ocsp.Unknown:
		return nil, errors.New("OCSP: the responder does not know the certificate")
	case now.Before(said.ThisUpdate), !revoked && !now.Before(until): // what is revoked remains so
		return nil, fmt.Errorf("OCSP: the answer is valid from %v until %v", said.ThisUpdate, until)
	}
	return &staple{serial: pair.Leaf.SerialNumber, raw: raw, from: said.ThisUpdate, until: until, revoked: revoked}, nil
}

// issuerOf is the certificate in a chain that has signed the first one.
func issuerOf(pair *tls.Certificate) (*x509.Certificate, error) {
	if len(pair.Certificate) < 2 {
		return nil, errors.New("OCSP: the certificate's chain has no issuer")
	}
	issuer, err := x509.ParseCertificate(pair.Certificate[1])
	if err != nil {
		return nil, fmt.Errorf("OCSP: issuer: %w", err)
	}
	return issuer, nil
}

// askResponder asks the responder that a certificate names about it.
func askResponder(ctx context.Context, by *http.Client, pair *tls.Certificate) (*staple, error) {
	ctx, cancel := context.WithTimeout(ctx, stapleTimeout)
	defer cancel()
	issuer, err := issuerOf(pair)
	if err != nil {
		return nil, err
	}
	question, err := ocsp.CreateRequest(pair.Leaf, issuer, nil)
	if err != nil {
		return nil, fmt.Errorf("OCSP: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, pair.Leaf.OCSPServer[0], bytes.NewReader(question))
	if err != nil {
		return nil, fmt.Errorf("OCSP: %w", err)
	}
	request.Header.Set("Content-Type", "application/ocsp-request")
	resp, err := by.Do(request)
	if err != nil {
		return nil, outage{error: fmt.Errorf("OCSP: %w", err)}
	}
	defer resp.Body.Close()
	now := time.Now()
	if resp.StatusCode != http.StatusOK {
		return nil, outage{error: fmt.Errorf("OCSP: status %d", resp.StatusCode), until: retryAfter(resp.Header, now)}
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, stapleSize))
	if err != nil {
		return nil, outage{error: fmt.Errorf("OCSP: %w", err)}
	}
	return parseStaple(raw, pair, now)
}

// stapleKey is certmagic's place for the staple of a certificate.
func stapleKey(pair *tls.Certificate) string {
	var chain bytes.Buffer
	for _, der := range pair.Certificate {
		_ = pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // a buffer takes everything
	}
	return certmagic.StorageKeys.OCSPStaple(&certmagic.Certificate{Names: pair.Leaf.DNSNames}, chain.Bytes())
}

// staple is what an earlier run has kept for a certificate, nil if that is of no use any more.
func (s *storage) staple(ctx context.Context, pair *tls.Certificate, now time.Time) *staple {
	if len(pair.Leaf.OCSPServer) == 0 {
		return nil
	}
	raw, err := s.Load(ctx, stapleKey(pair))
	if err != nil {
		return nil
	}
	kept, err := parseStaple(raw, pair, now)
	if err != nil {
		return nil
	}
	return kept
}

// keepStaple keeps a staple for the next run; of a revoked certificate there is to be none.
func (s *storage) keepStaple(ctx context.Context, pair *tls.Certificate, said *staple) error {
	if said.revoked {
		return s.Delete(ctx, stapleKey(pair))
	}
	return s.Store(ctx, stapleKey(pair), said.raw)
}
