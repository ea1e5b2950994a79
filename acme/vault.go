package acme

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
)

var (
	// errBroken: what is stored for a host is not a certificate with its key, as after a crash between two files.
	errBroken = errors.New("stored certificate is incomplete")
	// errDisk: the storage does not take what is written to it.
	errDisk = errors.New("certificate storage cannot be written")
)

// vault is the part of the storage that holds the certificates of one issuer.
type vault struct {
	storage *storage
	issuer  string // certmagic's key of the issuer
	ca      int    // its place among the authorities, or notConfigured
	name    string // of the CA for people; empty: what it issues says it
}

// notConfigured is the place of CAs of which an earlier configuration has had certificates. They are not asked for anything any more.
const notConfigured = -1

func (v vault) former() bool { return v.ca == notConfigured }

// formerVaults finds the parts of the storage that hold certificates of other CAs than those.
func (s *storage) formerVaults(ctx context.Context, configured []vault) (former []vault, err error) {
	keys, err := s.List(ctx, path.Dir(certmagic.StorageKeys.CertsPrefix("any")), false)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing stored certificates: %w", err)
	}
	for _, key := range keys {
		if !slices.ContainsFunc(configured, func(v vault) bool { return certmagic.StorageKeys.CertsPrefix(v.issuer) == key }) {
			former = append(former, vault{storage: s, issuer: path.Base(key), ca: notConfigured})
		}
	}
	return former, nil
}

// hosts lists the hosts that something is stored for.
func (v vault) hosts(ctx context.Context) ([]string, error) {
	keys, err := v.storage.List(ctx, certmagic.StorageKeys.CertsPrefix(v.issuer), false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing stored certificates: %w", err)
	}
	hosts := make([]string, len(keys))
	for i, key := range keys {
		hosts[i] = strings.Replace(path.Base(key), "wildcard_.", "*.", 1)
	}
	return hosts, nil
}

// load reads the certificate of a host. The error is fs.ErrNotExist when there is none, and errBroken when what
// is there cannot be used.
func (v vault) load(ctx context.Context, host string) (*tls.Certificate, *facts, error) {
	keys := []string{
		certmagic.StorageKeys.SiteCert(v.issuer, host),
		certmagic.StorageKeys.SitePrivateKey(v.issuer, host),
		certmagic.StorageKeys.SiteMeta(v.issuer, host),
	}
	contents := make([][]byte, len(keys))
	for i, key := range keys {
		content, err := v.storage.Load(ctx, key)
		if errors.Is(err, fs.ErrNotExist) && v.storage.Exists(ctx, certmagic.StorageKeys.CertsSitePrefix(v.issuer, host)) {
			return nil, nil, fmt.Errorf("%w: no %s", errBroken, path.Base(key))
		}
		if err != nil {
			return nil, nil, fmt.Errorf("loading certificate of %s: %w", host, err)
		}
		contents[i] = content
	}
	pair, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	said, err := issuerData(contents[2])
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	f := newFacts(pair.Leaf, said.RenewalInfo)
	f.from, f.authority = v, cmp.Or(v.name, authorityName(said.CA), v.issuer)
	return &pair, f, nil
}

// issuerData takes what is known from the CA, such as its advice on renewal, out of certmagic's metadata; it is empty for the internal CA's.
func issuerData(meta []byte) (said acme.Certificate, err error) {
	var resource certmagic.CertificateResource
	if err := json.Unmarshal(meta, &resource); err != nil {
		return said, fmt.Errorf("decoding metadata: %w", err)
	}
	if len(resource.IssuerData) > 0 {
		if err := json.Unmarshal(resource.IssuerData, &said); err != nil {
			return said, fmt.Errorf("decoding issuer data: %w", err)
		}
	}
	return said, nil
}

// leaf reads only the certificate, with its chain as PEM, for when it is to be revoked. The error is fs.ErrNotExist
// when there is none that can be read.
func (v vault) leaf(ctx context.Context, host string) (*x509.Certificate, []byte, error) {
	chain, err := v.storage.Load(ctx, certmagic.StorageKeys.SiteCert(v.issuer, host))
	if err != nil {
		return nil, nil, fmt.Errorf("loading certificate of %s: %w", host, err)
	}
	leaf, err := parseLeaf(chain)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate of %s: %w: %w", host, err, fs.ErrNotExist)
	}
	return leaf, chain, nil
}

// parseLeaf reads the first certificate of a chain in PEM.
func parseLeaf(chain []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(chain)
	if block == nil {
		return nil, errors.New("no PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// remove deletes what is stored for a host.
func (v vault) remove(ctx context.Context, host string) error {
	if err := v.storage.Delete(ctx, certmagic.StorageKeys.CertsSitePrefix(v.issuer, host)); err != nil {
		return fmt.Errorf("%w: removing certificate of %s: %w", errDisk, host, err)
	}
	return nil
}

// mend removes what is stored for a host if it cannot be used, so that it is ordered anew.
func (v vault) mend(ctx context.Context, host string) error {
	_, _, err := v.load(ctx, host)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, errBroken):
		return v.remove(ctx, host)
	default:
		return err
	}
}

// probe makes sure, before the CA is asked for a certificate, that it can be kept.
func (v vault) probe(ctx context.Context, host string) error {
	key := path.Join("probe", certmagic.StorageKeys.Safe(host))
	if err := v.storage.Store(ctx, key, make([]byte, 16<<10)); err != nil {
		return fmt.Errorf("%w: %w", errDisk, err)
	}
	if err := v.storage.Delete(ctx, key); err != nil {
		return fmt.Errorf("%w: %w", errDisk, err)
	}
	return nil
}
