package main

import (
	"crypto/x509"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// TestRootsWhereTheSystemHasNone runs itself once more, since a process reads the system's roots once.
func TestRootsWhereTheSystemHasNone(t *testing.T) {
	const inside = "BERTH_TEST_WITHOUT_ROOTS"
	if nowhere := t.TempDir(); os.Getenv(inside) == "" {
		again := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		again.Env = append(os.Environ(), inside+"=1", "SSL_CERT_FILE="+nowhere+"/none", "SSL_CERT_DIR="+nowhere)
		if out, err := again.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	trustPublicRoots()
	trusted := map[string]bool{}
	for root := range bundle.Roots() {
		certificate, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := certificate.Verify(x509.VerifyOptions{}); err == nil {
			trusted[certificate.Subject.CommonName] = true
		}
	}
	for _, name := range []string{"ISRG Root X1", "ISRG Root X2", "GTS Root R1"} {
		if !trusted[name] {
			t.Errorf("%s is not trusted", name)
		}
	}
}
