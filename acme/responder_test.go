package acme

import (
	"crypto"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"berth/acme/acmetest"

	"golang.org/x/crypto/ocsp"
)

// responder answers for the certificates of an authority by OCSP.
type responder struct {
	server *httptest.Server

	mu       sync.Mutex
	issuer   *x509.Certificate
	key      crypto.Signer
	validity time.Duration
	revoked  map[string]bool // serials
	fault    http.HandlerFunc
	asked    map[string]int // by serial
	faults   int
}

// newResponder starts a responder, and an authority whose certificates name it.
func newResponder(t *testing.T, validity time.Duration, o acmetest.Options) (*responder, *acmetest.Pebble) {
	t.Helper()
	r := &responder{validity: validity, revoked: make(map[string]bool), asked: make(map[string]int)}
	r.server = httptest.NewServer(r)
	t.Cleanup(func() {
		r.server.CloseClientConnections()
		r.server.Close()
	})
	o.OCSP = r.server.URL
	ca := acmetest.Start(t, o)
	r.issuer, r.key = ca.Issuer(t)
	return r, ca
}

func (r *responder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	question, err := ocsp.ParseRequest(body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	name := question.SerialNumber.Text(16)
	r.asked[name]++
	fault := r.fault
	if fault != nil {
		r.faults++
	}
	template := ocsp.Response{
		Status: ocsp.Good, SerialNumber: question.SerialNumber,
		ThisUpdate: time.Now().Truncate(time.Second), NextUpdate: time.Now().Add(r.validity).Truncate(time.Second),
	}
	if r.revoked[name] {
		template.Status, template.RevokedAt = ocsp.Revoked, template.ThisUpdate
	}
	r.mu.Unlock()
	if fault != nil {
		fault(w, request)
		return
	}
	answer, err := ocsp.CreateResponse(r.issuer, r.issuer, template, r.key)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(answer)
}

// fail has the responder answer otherwise; nil ends it.
func (r *responder) fail(fault http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = fault
}

func (r *responder) revoke(serial string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.revoked[serial] = true
}

func (r *responder) askedFor(serial string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[serial]
}

// refused is how often it has answered otherwise.
func (r *responder) refused() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.faults
}

func unavailable(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusServiceUnavailable)
}
