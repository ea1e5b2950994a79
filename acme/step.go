package acme

import (
	"context"
	"crypto/x509"
	"net/http"
	"sync"
	"time"
)

// step is one errand at a CA. It travels in the context, as certmagic is between the Manager and the requests.
type step struct {
	attempts int               // that have failed before in a row
	forced   bool              // a renewal that somebody wants now
	replaces *x509.Certificate // what a renewal puts an end to; nil: nothing that the CA has to know of

	mu   sync.Mutex
	said refusal
}

type stepKey struct{}

func (s *step) in(ctx context.Context) context.Context { return context.WithValue(ctx, stepKey{}, s) }

// stepOf is the step that ctx belongs to, or nil.
func stepOf(ctx context.Context) *step {
	s, _ := ctx.Value(stepKey{}).(*step)
	return s
}

// refusal is the CA's latest to this step; zero: it refused nothing.
func (s *step) refusal() refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said
}

// witness sees the CA's answers go by, for the sake of refusals: an error carries no Retry-After.
type witness struct {
	next    http.RoundTripper
	refused func(refusal)
}

func (w witness) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	// 4xx other than 429 are about the request, such as a bad nonce, and are answered by another one.
	if err != nil || resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode < http.StatusInternalServerError {
		return resp, err
	}
	now := time.Now()
	said := refusal{at: now, status: resp.StatusCode, until: retryAfter(resp.Header, now)}
	s := stepOf(r.Context())
	if s != nil {
		s.mu.Lock()
		s.said = said
		s.mu.Unlock()
	}
	if s == nil || said.status != http.StatusTooManyRequests { // whom a limit concerns is known when the step has failed
		w.refused(said)
	}
	return resp, nil
}
