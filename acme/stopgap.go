package acme

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"sync"
	"time"
)

const stopgapLifetime = 7 * 24 * time.Hour

// stopgap is a self-signed certificate for the time when no CA has given one. It is made when it is first needed and
// lives in memory only.
type stopgap struct {
	mu   sync.Mutex
	pair *tls.Certificate
}

func (s *stopgap) get(cfg Config, now time.Time) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pair != nil && now.Before(s.pair.Leaf.NotAfter.Add(-stopgapLifetime/7)) {
		return s.pair, nil
	}
	pair, err := selfSign(cfg, now)
	if err != nil {
		return nil, fmt.Errorf("acme: self-signed certificate: %w", err)
	}
	s.pair = pair
	return pair, nil
}

func selfSign(cfg Config, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: newSerial(),
		Subject:      pkix.Name{CommonName: "berth, waiting for a certificate"},
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     now.Add(stopgapLifetime),
		DNSNames:     []string{cfg.Zone, "*." + cfg.Zone, cfg.PanelHost},
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
