package sites_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"berth/dnsserver/dnstest"
	"berth/sites"
)

// TestDSOfTheRFCsKey has the key of RFC 6605 section 6.1.
func TestDSOfTheRFCsKey(t *testing.T) {
	const secret, public = "GU6SnQ/Ou+xC5RumuIUIuJZteXT2z0O/ok1s38Et6mQ=", "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA=="
	raw, err := base64.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	key := sites.ZoneKey{Role: sites.KeySigning, Private: der}
	if got := publicKey(t, key); got != public {
		t.Fatalf("public key %s", got)
	}
	want := sites.DS{KeyTag: 55648, Algorithm: 13, DigestType: 2, Digest: "B4C8C1FE2E7477127B27115656AD6256F424625BF5C1E2770CE6D6E37DF61D17"}
	for _, name := range []string{"example.net", "Example.NET."} {
		if ds, err := key.DS(name); err != nil || ds != want {
			t.Errorf("DS of %s = %+v, %v", name, ds, err)
		}
	}
}

// publicKey is the key as a DNSKEY record has it (RFC 6605 section 4).
func publicKey(t *testing.T, key sites.ZoneKey) string {
	t.Helper()
	parsed, err := x509.ParsePKCS8PrivateKey(key.Private)
	if err != nil {
		t.Fatal(err)
	}
	point, err := parsed.(*ecdsa.PrivateKey).PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(point[1:])
}

func TestBINDHasTheSameDS(t *testing.T) {
	dnstest.Need(t, "dnssec-dsfromkey")
	b := boot(t)
	published, _ := b.edge.zone(zone)
	key := published.Keys[0]
	file := filepath.Join(t.TempDir(), "keys")
	line := fmt.Sprintf("%s. 3600 IN DNSKEY 257 3 13 %s\n", zone, publicKey(t, key))
	if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "dnssec-dsfromkey", "-2", "-f", file, zone).Output()
	if err != nil {
		t.Fatal(err)
	}
	ds, err := key.DS(zone)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%s. IN DS %d %d %d %s", zone, ds.KeyTag, ds.Algorithm, ds.DigestType, ds.Digest); strings.TrimSpace(string(out)) != want {
		t.Errorf("BIND: %sberth: %s", out, want)
	}
}
