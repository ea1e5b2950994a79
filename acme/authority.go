package acme

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"

	"berth/sites"

	"github.com/caddyserver/certmagic"
)

// authority is a CA of an installation, as certmagic uses it.
type authority struct {
	name     string // for people
	issuer   issuer
	vault    vault   // what it has issued
	client   *client // the issuer; nil for the internal CA
	magic    *certmagic.Config
	cache    *certmagic.Cache         // holds a certificate only while it is worked on; see Manager.obtain
	internal *internalCA              // nil for others
	names    atomic.Pointer[[]string] // in CAA records; nil: not known yet
}

// issuer is what certmagic asks for certificates, and to end them.
type issuer interface {
	certmagic.Issuer
	certmagic.Revoker
}

// newAuthority makes the authority that the settings name. Its cache has to be stopped.
func newAuthority(ctx context.Context, cfg Config, at CA, store *storage, makeClient func(directory string) *client) (*authority, error) {
	var a authority
	if at.Directory == "internal" {
		internal, err := openInternalCA(ctx, store, cfg.Zone)
		if err != nil {
			return nil, err
		}
		a.internal, a.issuer, a.name = internal, internal, sites.InternalAuthority
	} else {
		directory, err := directoryURL(at.Directory, cfg.Zone)
		if err != nil {
			return nil, err
		}
		a.client = makeClient(directory)
		a.issuer, a.name = a.client, authorityName(directory)
	}
	a.vault = vault{storage: store, issuer: a.issuer.IssuerKey()}
	log := newZap(cfg.Logger)
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   noMaintenance,
		RenewCheckInterval: cfg.RenewInterval,
		Logger:             log,
	})
	a.magic = certmagic.New(a.cache, certmagic.Config{
		Storage:             store,
		KeySource:           certmagic.StandardKeyGenerator{KeyType: certmagic.P256},
		OCSP:                certmagic.OCSPConfig{DisableStapling: true}, // would ask while loading; see keepStapled
		DisableStorageCheck: true,                                        // vault.probe does it and can tell a full disk from a CA's fault
		Logger:              log,
	})
	a.magic.Issuers = []certmagic.Issuer{a.issuer}
	return &a, nil
}

// noMaintenance keeps certmagic's own maintenance off what happens to be in its cache. The Manager looks for renewals
// itself: it need not have every certificate in memory for that, it does nothing else to the host meanwhile, and after a
// failure it is back sooner than a short-lived certificate ends.
func noMaintenance(certmagic.Certificate) (*certmagic.Config, error) {
	return nil, errors.New("maintained by berth")
}

// directoryURL finds the ACME directory that the setting means.
func directoryURL(ca, zone string) (string, error) {
	public := map[string]string{
		"letsencrypt":         certmagic.LetsEncryptProductionCA,
		"letsencrypt-staging": certmagic.LetsEncryptStagingCA,
	}
	if directory, ok := public[ca]; ok {
		if !certmagic.SubjectQualifiesForPublicCert("*." + zone) {
			return "", fmt.Errorf("acme: %s issues for public domains only, and %s is none; the internal CA is for such zones", ca, zone)
		}
		return directory, nil
	}
	u, err := url.Parse(ca)
	if err != nil || u.Host == "" || u.Scheme != "https" {
		return "", fmt.Errorf(`acme: CA %q is none of "letsencrypt", "letsencrypt-staging", "internal" or an https:// directory URL`, ca)
	}
	return ca, nil
}

// authorityName is what people call the CA with that directory.
func authorityName(directory string) string {
	switch directory {
	case certmagic.LetsEncryptProductionCA:
		return "Let's Encrypt"
	case certmagic.LetsEncryptStagingCA:
		return "Let's Encrypt (staging)"
	}
	u, err := url.Parse(directory)
	if err != nil {
		return directory
	}
	return u.Host
}

// revoke ends a certificate at the CA.
func (a *authority) revoke(ctx context.Context, chain []byte) error {
	return a.issuer.Revoke(ctx, certmagic.CertificateResource{CertificatePEM: chain}, reasonCessation)
}

// reasonCessation is the code of cessationOfOperation in RFC 5280, section 5.3.1.
const reasonCessation = 5
