package auth

import (
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
)

// Handler makes the session of a request available to next, and saves it before the response is written. When it
// cannot be saved, the answer of failed takes the place of next's.
func (s *Sessions) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Cookie")
		var token string
		if cookie, err := r.Cookie(CookieName); err == nil {
			token = cookie.Value
		}
		ctx, err := s.manager.Load(r.Context(), token)
		if err != nil {
			s.failed(w, r, err)
			return
		}
		sw := &savingWriter{ResponseWriter: w, request: r.WithContext(ctx), sessions: s}
		next.ServeHTTP(sw, sw.request)
		sw.save()
	})
}

// save stores what changed and sets or clears the cookie.
func (s *Sessions) save(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	switch s.manager.Status(ctx) {
	case scs.Modified:
		token, expiry, err := s.manager.Commit(ctx)
		if err != nil {
			return err
		}
		s.manager.WriteSessionCookie(ctx, w, token, expiry)
	case scs.Destroyed:
		s.manager.WriteSessionCookie(ctx, w, "", time.Time{})
	}
	return nil
}

// savingWriter saves the session before the first byte.
type savingWriter struct {
	http.ResponseWriter
	request  *http.Request
	sessions *Sessions
	saved    bool
	replaced bool // the answer is failed's, what the handler writes is dropped
}

func (w *savingWriter) save() {
	if w.saved {
		return
	}
	w.saved = true
	if err := w.sessions.save(w.ResponseWriter, w.request); err != nil {
		w.replaced = true
		w.sessions.failed(w.ResponseWriter, w.request, err)
	}
}

func (w *savingWriter) WriteHeader(status int) {
	if w.save(); !w.replaced {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *savingWriter) Write(b []byte) (int, error) {
	if w.save(); w.replaced {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *savingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
