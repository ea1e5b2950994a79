package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"berth/acme/acmetest"
	"berth/sites"

	"golang.org/x/crypto/ocsp"
)

// stapled is what a client that asks for the name is told of the certificate that it gets, nil if nothing. It must be of use to it.
func (r *runner) stapled(t *testing.T, name string) *ocsp.Response {
	t.Helper()
	began := time.Now()
	state, err := r.connect(t, name)
	if err != nil {
		t.Fatalf("handshake for %q: %v", name, err)
	}
	if state.OCSPResponse == nil {
		return nil
	}
	said, err := ocsp.ParseResponseForCert(state.OCSPResponse, state.PeerCertificates[0], state.PeerCertificates[1])
	if err != nil {
		t.Fatalf("staple of %q: %v", name, err)
	}
	if said.Status != ocsp.Good || said.NextUpdate.Before(began) {
		t.Fatalf("staple of %q: status %d, valid until %v", name, said.Status, said.NextUpdate)
	}
	return said
}

// stapledSoon waits until handshakes have a staple.
func (r *runner) stapledSoon(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		eventually(t, wait, name+" has a staple", func() bool { return r.stapled(t, name) != nil })
	}
}

func TestHandshakesCarryAStaple(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	_, ca := newResponder(t, time.Hour, acmetest.Options{DNS: zone.addr})
	m := run(t, Config{CA: at(ca), Challenges: zone, PerSite: true})
	m.Apply(full(site("hello")))
	m.zoneValid(t)
	m.valid(t, "hello."+testZone)
	m.stapledSoon(t, testZone, "hello."+testZone, "any."+testZone)
	m.verify(t, "hello."+testZone, ca.IssuerPool(t))

	// Whose key pair is not in memory gets it as well.
	m.mu.Lock()
	m.keyring.drop(m.table["hello."+testZone])
	m.mu.Unlock()
	if m.stapled(t, "hello."+testZone) == nil {
		t.Error("a certificate that was read for the handshake has no staple")
	}
}

func TestCertificateWithoutResponderAsksNobody(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	m := run(t, Config{CA: at(ca), Challenges: zone})
	m.zoneValid(t)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.questions) > 0 {
		t.Errorf("%d questions to nobody", len(m.questions))
	}
}

func TestCertificatesDoNotWaitForTheirStaples(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	r, ca := newResponder(t, time.Hour, acmetest.Options{DNS: zone.addr})
	r.fail(func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() })
	m := run(t, Config{CA: at(ca), Challenges: zone})
	m.zoneValid(t)
	if m.stapled(t, testZone) != nil {
		t.Error("there is a staple though nobody has made one")
	}
	m.verify(t, testZone, ca.IssuerPool(t))
	m.stop() // must not wait for the responder
}

func TestStapleIsRefreshedAtHalfOfItsTime(t *testing.T) {
	t.Parallel()
	began := time.Now()
	zone := newZoneServer(t)
	r, ca := newResponder(t, 12*time.Second, acmetest.Options{DNS: zone.addr})
	m := run(t, Config{CA: at(ca), Challenges: zone})
	m.zoneValid(t)
	m.stapledSoon(t, testZone)
	var first, second *ocsp.Response
	eventually(t, wait, "it is refreshed", func() bool {
		second = m.stapled(t, testZone)
		if first == nil {
			first = second
		}
		return second != nil && !second.NextUpdate.Equal(first.NextUpdate)
	})
	if second.ThisUpdate.Before(first.ThisUpdate.Add(6 * time.Second)) {
		t.Errorf("a staple of %v was refreshed at %v", first.ThisUpdate, second.ThisUpdate)
	}
	if got, most := r.askedFor(m.Certificate(testZone).Serial), 1+int(time.Since(began)/(6*time.Second)); got > most {
		t.Errorf("the responder was asked %d times in %v", got, time.Since(began))
	}
}

// Of a responder that is down the last answer serves until it ends, over a restart too, and never longer.
func TestLastStapleServesWhileTheResponderIsDown(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	r, ca := newResponder(t, 20*time.Second, acmetest.Options{DNS: zone.addr})
	cfg := Config{Dir: t.TempDir(), CA: at(ca), Challenges: zone}
	first := run(t, cfg)
	first.zoneValid(t)
	first.stapledSoon(t, testZone)
	first.stop()
	r.fail(unavailable)

	before := first.stapled(t, testZone)
	m := run(t, cfg)
	if after := m.stapled(t, testZone); after == nil || !after.NextUpdate.Equal(before.NextUpdate) {
		t.Fatalf("after a restart the staple is %v, before it was %v", after, before)
	}
	eventually(t, 2*wait, "the responder is asked, in vain", func() bool { return r.refused() > 0 })
	if m.stapled(t, testZone) == nil && time.Now().Before(before.NextUpdate) {
		t.Error("a staple was dropped before its end because the responder is down")
	}
	eventually(t, 2*wait, "the staple has ended", func() bool { return m.stapled(t, testZone) == nil })
	m.verify(t, testZone, ca.IssuerPool(t))
	r.fail(nil)
	eventually(t, 3*wait, "there is another one", func() bool { return m.stapled(t, testZone) != nil })
}

func TestRevokedCertificateIsReplaced(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	r, ca := newResponder(t, 8*time.Second, acmetest.Options{DNS: zone.addr, NonceReject: -1})
	m := run(t, Config{CA: at(ca), Challenges: zone, PerSite: true})
	m.Apply(full(site("hello"), site("other")))
	m.zoneValid(t)
	m.valid(t, "hello."+testZone, "other."+testZone)
	m.stapledSoon(t, "hello."+testZone, "other."+testZone)
	revoked, other := m.Certificate("hello."+testZone).Serial, m.Certificate("other."+testZone).Serial
	r.revoke(revoked)
	eventually(t, wait, "another one is there", func() bool { return m.Certificate("hello."+testZone).Serial != revoked })
	m.valid(t, "hello."+testZone)
	m.stapledSoon(t, "hello."+testZone)
	if got := m.Certificate("other." + testZone).Serial; got != other {
		t.Error("a certificate that was not revoked was replaced")
	}
}

// A CA that revokes whatever it issues must not get orders without end.
func TestReplacementsAreBudgeted(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	r, ca := newResponder(t, time.Hour, acmetest.Options{DNS: zone.addr, NonceReject: -1})
	front := ca.NewFront(t)
	m := run(t, Config{CA: at(front), Challenges: zone})
	m.zoneValid(t)
	m.idle(t, testZone, "*."+testZone)
	m.stapledSoon(t, testZone) // the next question waits
	orders := front.Orders()
	m.mu.Lock()
	for range ratePerName.burst {
		m.queue.lines[0].budget.take(testZone, 0, time.Now())
	}
	m.mu.Unlock()
	revoked := m.Certificate(testZone).Serial
	r.revoke(revoked)
	m.mu.Lock()
	for _, q := range m.questions {
		q.at = time.Now() // as if half of the hour was over
	}
	m.mu.Unlock()
	m.stir()
	eventually(t, wait, "the revocation is seen", func() bool {
		return strings.Contains(m.Certificate(testZone).LastError, "revoked")
	})
	if m.stapled(t, testZone) != nil {
		t.Error("a revoked certificate has a staple")
	}
	m.mu.Lock()
	state, asked := m.table[testZone].task.state, m.questions
	var next time.Time
	for _, q := range asked {
		if q.host.name == testZone {
			next = q.at
		}
	}
	m.mu.Unlock()
	if state != taskIdle || front.Orders() != orders || time.Until(next) < ratePerName.every/2 {
		t.Errorf("%d orders beyond the budget; the responder is asked again in %v", front.Orders()-orders, time.Until(next))
	}
	if got := m.state(testZone); got != sites.CertificateValid {
		t.Errorf("meanwhile it is %q", got)
	}
}

// stir has the Manager look at its questions.
func (r *runner) stir() {
	select {
	case r.unstapled <- struct{}{}:
	default:
	}
}

// chained is a certificate of a CA with its chain, and what signs answers about it.
func chained(t *testing.T) (pair *tls.Certificate, issuer *x509.Certificate, key *ecdsa.PrivateKey) {
	t.Helper()
	make := func(template, by *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if by == nil {
			by, signer = template, own
		}
		template.SerialNumber = newSerial()
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, by, &own.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		made, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return made, own
	}
	issuer, key = make(&x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true}, nil, nil)
	leaf, _ := make(&x509.Certificate{DNSNames: []string{"a.test"}}, issuer, key)
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw, issuer.Raw}, Leaf: leaf}, issuer, key
}

func TestOnlyWhatTheCASaysIsStapled(t *testing.T) {
	pair, issuer, key := chained(t)
	_, stranger, strangersKey := chained(t)
	now := time.Now()
	good := ocsp.Response{Status: ocsp.Good, SerialNumber: pair.Leaf.SerialNumber, ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Minute)}
	for name, c := range map[string]struct {
		change func(*ocsp.Response)
		issuer *x509.Certificate
		key    *ecdsa.PrivateKey
		want   bool
	}{
		"good":                {func(*ocsp.Response) {}, issuer, key, true},
		"revoked, and ended":  {func(r *ocsp.Response) { r.Status, r.NextUpdate = ocsp.Revoked, now.Add(-time.Second) }, issuer, key, true},
		"ended":               {func(r *ocsp.Response) { r.NextUpdate = now.Add(-time.Second) }, issuer, key, false},
		"without an end":      {func(r *ocsp.Response) { r.NextUpdate = time.Time{} }, issuer, key, false},
		"of tomorrow":         {func(r *ocsp.Response) { r.ThisUpdate = now.Add(30 * time.Second) }, issuer, key, false},
		"unknown":             {func(r *ocsp.Response) { r.Status = ocsp.Unknown }, issuer, key, false},
		"of another":          {func(r *ocsp.Response) { r.SerialNumber = big.NewInt(7) }, issuer, key, false},
		"signed by a strange": {func(*ocsp.Response) {}, stranger, strangersKey, false},
	} {
		answer := good
		c.change(&answer)
		raw, err := ocsp.CreateResponse(c.issuer, c.issuer, answer, c.key)
		if err != nil {
			t.Fatal(err)
		}
		said, err := parseStaple(raw, pair, now)
		if (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && said.revoked != strings.HasPrefix(name, "revoked") {
			t.Errorf("%s: revoked is %v", name, said.revoked)
		}
	}
	if _, err := parseStaple(ocsp.UnauthorizedErrorResponse, pair, now); err == nil {
		t.Error("an error is taken for an answer")
	}
}

func TestRefreshOfAnOldStaple(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		from, until, want time.Duration
	}{
		"fresh":           {0, 4 * time.Hour, 2 * time.Hour},
		"past its half":   {-3 * time.Hour, time.Hour, 30 * time.Minute},
		"about to end":    {-time.Hour, time.Second, paceOutage.first},
		"at half exactly": {-time.Hour, time.Hour, 30 * time.Minute},
	} {
		s := &staple{from: now.Add(c.from), until: now.Add(c.until)}
		if got := s.refresh(now).Sub(now); got != c.want {
			t.Errorf("%s: refreshed after %v, want %v", name, got, c.want)
		}
	}
}

// What concerns one certificate must not keep us from asking about others; what concerns the responder must.
func TestOnlyOutagesConcernTheResponder(t *testing.T) {
	r := &responder{validity: time.Hour}
	pair, issuer, key := chained(t)
	r.issuer, r.key = issuer, key
	r.asked = make(map[string]int)
	server := httptest.NewServer(r)
	defer server.Close()
	pair.Leaf.OCSPServer = []string{server.URL}
	for name, c := range map[string]struct {
		fault http.HandlerFunc
		down  bool
	}{
		"unauthorized":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(ocsp.UnauthorizedErrorResponse) }, false},
		"no OCSP at all": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }, false},
		"unavailable":    {unavailable, true},
	} {
		r.fail(c.fault)
		_, err := askResponder(context.Background(), server.Client(), pair)
		if down := (outage{}); err == nil || errors.As(err, &down) != c.down {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.fail(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3600")
		unavailable(w, r)
	})
	_, err := askResponder(context.Background(), server.Client(), pair)
	if down := (outage{}); !errors.As(err, &down) || time.Until(down.until) < time.Hour-time.Minute {
		t.Errorf("a responder that wants an hour: %v", err)
	}
	r.fail(nil)
	if _, err := askResponder(context.Background(), server.Client(), pair); err != nil {
		t.Error(err)
	}
}
