package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"log/slog"
	"testing"

	"berth/acme/acmetest"

	"github.com/mholt/acmez/v3"
)

// signingRequest is one for a name.
func signingRequest(t *testing.T, name string) *x509.CertificateRequest {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, key)
	if err != nil {
		t.Fatal(err)
	}
	request, err := x509.ParseCertificateRequest(raw)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// Not every CA offers TLS-ALPN-01. An attempt that has nothing else left must not pass for an outage, or one domain that
// fails over and over would keep all others from the CA.
func TestCAThatOffersNoWayInCommonIsNotInTrouble(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1})
	solvers := func(string, int) map[string]acmez.Solver {
		return map[string]acmez.Solver{"other-01": httpSolver{new(answers)}}
	}
	cfg := Config{Zone: testZone, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	c := newClient(cfg, at(ca), ca.DirectoryURL(), newStorage(t.TempDir()), solvers, func(refusal) {})
	_, err := c.Issue(context.Background(), signingRequest(t, custom))
	if why := explain(err, place{custom, false}, refusal{}); why.scope != scopeHost || !errors.Is(err, errNoWay) {
		t.Errorf("%v means %+v", err, why)
	}
}

func TestExternalAccountsThatCannotBe(t *testing.T) {
	for name, at := range map[string]CA{
		"no key": {EABKeyID: "id"}, "no identifier": {EABKey: "a2V5"}, "padded": {EABKeyID: "id", EABKey: "a2V5cw=="}, "no base64url": {EABKeyID: "id", EABKey: "a+/b"},
	} {
		at.Directory = "https://ca.example/dir"
		if _, err := New(Config{Zone: testZone, Dir: t.TempDir(), CA: at, Challenges: new(zoneServer)}); err == nil {
			t.Errorf("%s: nobody is told", name)
		}
	}
}
