package main

import (
	"crypto/x509"
	"fmt"
	"os"

	"berth/acme"
)

// weeklyOfLetsEncrypt is what Let's Encrypt gives for one registered domain in a week.
const weeklyOfLetsEncrypt = 50

// issuers are the CAs that certificates come from; the second has no directory where none is wanted.
func (c *config) issuers() (first, fallback acme.CA, err error) {
	first = acme.CA{Directory: c.ACMECA, EABKeyID: c.ACMEEABKid, EABKey: c.ACMEEABHMAC, Profile: c.ACMEProfile, WeeklyLimit: weeklyLimit(c.ACMECA)}
	if c.ACMEWeeklyLimit != nil {
		first.WeeklyLimit = *c.ACMEWeeklyLimit
	}
	if first.TrustedRoots, err = readRoots("--acme-root", c.ACMERoot); err != nil {
		return first, fallback, err
	}
	fallback = acme.CA{
		Directory: c.ACMEFallbackCA, EABKeyID: c.ACMEFallbackEABKid, EABKey: c.ACMEFallbackEABHMAC,
		Profile: c.ACMEFallbackProfile, WeeklyLimit: weeklyLimit(c.ACMEFallbackCA),
	}
	fallback.TrustedRoots, err = readRoots("--acme-fallback-root", c.ACMEFallbackRoot)
	return first, fallback, err
}

func weeklyLimit(ca string) int {
	if ca == "letsencrypt" {
		return weeklyOfLetsEncrypt
	}
	return 0
}

// readRoots reads the file that a flag names; nil where it names none.
func readRoots(flag, file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s %s holds no PEM certificate", flag, file)
	}
	return pool, nil
}
