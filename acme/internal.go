package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"path"
	"time"

	"github.com/caddyserver/certmagic"
)

const (
	rootLifetime = 10 * 365 * 24 * time.Hour
	leafLifetime = 90 * 24 * time.Hour
	clockSkew    = time.Hour // clients' clocks may be behind by as much
)

// internalCA issues certificates from a root of our own, for try-outs and closed networks. The root can sign for
// nothing but the zone, so whoever trusts it need not trust us any further.
type internalCA struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
}

var (
	_ certmagic.Issuer  = (*internalCA)(nil)
	_ certmagic.Revoker = (*internalCA)(nil)
)

// openInternalCA reads the root of a zone from storage, or makes it.
func openInternalCA(ctx context.Context, store *storage, zone string) (*internalCA, error) {
	// Key and certificate are one file, so that there cannot be one without the other.
	file := path.Join("internal", certmagic.StorageKeys.Safe(zone)+".pem")
	content, err := store.Load(ctx, file)
	if err == nil {
		return parseInternalCA(content)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the internal CA: %w", err)
	}
	ca, err := newInternalCA(zone)
	if err != nil {
		return nil, fmt.Errorf("making the internal CA: %w", err)
	}
	key, err := certmagic.PEMEncodePrivateKey(ca.key)
	if err != nil {
		return nil, fmt.Errorf("encoding the internal CA's key: %w", err)
	}
	if err := store.Store(ctx, file, append(ca.pem(), key...)); err != nil {
		return nil, fmt.Errorf("keeping the internal CA: %w", err)
	}
	return ca, nil
}

func newInternalCA(zone string) (*internalCA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:                newSerial(),
		Subject:                     pkix.Name{Organization: []string{"berth"}, CommonName: "berth internal CA for " + zone},
		NotBefore:                   now.Add(-clockSkew),
		NotAfter:                    now.Add(rootLifetime),
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid:       true,
		IsCA:                        true,
		MaxPathLenZero:              true,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{zone},
		ExcludedIPRanges: []*net.IPNet{
			{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
			{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &internalCA{root: root, key: key}, nil
}

func parseInternalCA(content []byte) (*internalCA, error) {
	block, rest := pem.Decode(content)
	if block == nil {
		return nil, errors.New("reading the internal CA: no certificate in its file")
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the internal CA: %w", err)
	}
	signer, err := certmagic.PEMDecodePrivateKey(rest)
	if err != nil {
		return nil, fmt.Errorf("reading the internal CA's key: %w", err)
	}
	key, ok := signer.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(root.PublicKey) {
		return nil, errors.New("reading the internal CA: its key does not belong to its certificate")
	}
	return &internalCA{root: root, key: key}, nil
}

// pem is the root as people install it.
func (ca *internalCA) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.root.Raw})
}

// Issue signs at once.
func (ca *internalCA) Issue(_ context.Context, request *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	now := time.Now()
	end := now.Add(leafLifetime)
	if end.After(ca.root.NotAfter) {
		end = ca.root.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{Organization: []string{"berth"}}, // some clients, kdig among them, take no empty one
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              end,
		DNSNames:              request.DNSNames,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.root, request.PublicKey, ca.key)
	if err != nil {
		return nil, fmt.Errorf("signing with the internal CA: %w", err)
	}
	return &certmagic.IssuedCertificate{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}, nil
}

// Revoke has nobody to tell: nobody asks an internal CA for revocations. The certificate's key is deleted by our caller.
func (ca *internalCA) Revoke(context.Context, certmagic.CertificateResource, int) error { return nil }

// IssuerKey names the part of the storage that holds what this CA issued.
func (ca *internalCA) IssuerKey() string { return "internal" }

// newSerial is a random positive number of 127 bits.
func newSerial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, by its contract
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}
