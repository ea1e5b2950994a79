package acmetest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Front stands in front of an authority and can be told to fail.
type Front struct {
	server *httptest.Server
	pass   http.Handler

	mu       sync.Mutex
	fault    Fault
	requests int
	orders   int
	lost     int
}

// Fault answers a request in the authority's place. It reports whether it did.
type Fault func(http.ResponseWriter, *http.Request) bool

// NewFront starts a front that passes everything on, until the test ends.
func (p *Pebble) NewFront(t testing.TB) *Front {
	t.Helper()
	target, err := url.Parse("https://" + p.listen)
	if err != nil {
		t.Fatal(err)
	}
	f := &Front{pass: &httputil.ReverseProxy{
		// The host stays the front's, so that the authority makes its URLs of it.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.Roots()}},
	}}
	f.server = httptest.NewTLSServer(f)
	t.Cleanup(func() {
		f.server.CloseClientConnections()
		f.server.Close()
	})
	return f
}

// DirectoryURL is where ACME clients begin.
func (f *Front) DirectoryURL() string { return f.server.URL + "/dir" }

// Roots is what clients of the front have to trust.
func (f *Front) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(f.server.Certificate())
	return pool
}

// Fail makes the front answer with the fault; nil ends it.
func (f *Front) Fail(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// Requests is how many requests have come so far.
func (f *Front) Requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests
}

// Orders is how many orders have been asked for so far. One whose nonce is rejected is asked for twice.
func (f *Front) Orders() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.orders
}

func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.requests++
	if strings.HasSuffix(r.URL.Path, "/order-plz") {
		f.orders++
	}
	fault := f.fault
	f.mu.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	f.pass.ServeHTTP(w, r)
}

// Lose is a fault: the authority does what is asked, but the client gets no answer until it gives up.
func (f *Front) Lose(w http.ResponseWriter, r *http.Request) bool {
	f.pass.ServeHTTP(httptest.NewRecorder(), r)
	f.mu.Lock()
	f.lost++
	f.mu.Unlock()
	return Hang(w, r)
}

// Lost is how many answers have been lost so far.
func (f *Front) Lost() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lost
}

// Hang is a fault: the request gets no answer until the client gives up.
func Hang(_ http.ResponseWriter, r *http.Request) bool {
	_, _ = io.Copy(io.Discard, r.Body) // the server notices that a client has gone only after that
	<-r.Context().Done()
	return true
}

// Answer is a fault: every request gets that status, as a problem document of that type.
func Answer(status int, problem string) Fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodHead { // there is no document then
			w.Header().Set("Content-Type", "application/problem+json")
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"type":"urn:ietf:params:acme:error:` + problem + `","detail":"told to by the test"}`))
		return true
	}
}

// Times is a fault of so many requests whose path ends like that; the others pass.
func Times(n int, suffix string, fault Fault) Fault {
	var left atomic.Int32
	left.Store(int32(n))
	return func(w http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, suffix) && left.Add(-1) >= 0 && fault(w, r)
	}
}

// LimitOrders is a fault: an order gets 429 with a Retry-After of so many seconds if there is a text for its name.
// Renewals that say which certificate they replace are exempt, as with Let's Encrypt.
func LimitOrders(seconds int, text func(name string) string) Fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/order-plz") {
			return false
		}
		name, replaces := readOrder(r)
		detail := text(name)
		if detail == "" || replaces {
			return false
		}
		problem, _ := json.Marshal(map[string]any{
			"type": "urn:ietf:params:acme:error:rateLimited", "status": http.StatusTooManyRequests, "detail": detail,
		})
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write(problem)
		return true
	}
}

// readOrder reads the first name of an order, and whether it replaces a certificate. The body can be read again.
func readOrder(r *http.Request) (string, bool) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var (
		signed struct{ Payload string }
		order  struct {
			Identifiers []struct{ Value string }
			Replaces    string
		}
	)
	if json.Unmarshal(body, &signed) != nil {
		return "", false
	}
	payload, _ := base64.RawURLEncoding.DecodeString(signed.Payload)
	if json.Unmarshal(payload, &order) != nil || len(order.Identifiers) == 0 {
		return "", false
	}
	return order.Identifiers[0].Value, order.Replaces != ""
}
