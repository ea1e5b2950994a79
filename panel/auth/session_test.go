package auth

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2/memstore"
)

// browser drives a handler in this process and keeps its cookie, so that the clock can be faked.
type browser struct {
	handler http.Handler
	cookie  *http.Cookie
}

func (b *browser) get(path string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, "https://panel.test"+path, nil)
	if b.cookie != nil {
		r.AddCookie(&http.Cookie{Name: b.cookie.Name, Value: b.cookie.Value})
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if b.cookie = c; c.MaxAge < 0 {
			b.cookie = nil
		}
	}
	return w.Result()
}

func (b *browser) text(path string) string {
	body, _ := io.ReadAll(b.get(path).Body)
	return string(body)
}

// newBrowser has /login, /logout, /who, /set and /notice over sessions in memory. credentials is what the account has now.
func newBrowser(t *testing.T, credentials *string) *browser {
	store := memstore.NewWithCleanupInterval(0)
	s := NewSessions(store, func(_ http.ResponseWriter, _ *http.Request, err error) { t.Error(err) })
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		if err := s.Login(r.Context(), 7, *credentials); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
		if err := s.Logout(r.Context()); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) {
		if id, ok := s.Account(r.Context()); ok && id == 7 && s.Matches(r.Context(), *credentials) {
			io.WriteString(w, "ann")
		}
	})
	mux.HandleFunc("/set", func(w http.ResponseWriter, r *http.Request) { s.SetNotice(r.Context(), "done") })
	mux.HandleFunc("/notice", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s.TakeNotice(r.Context())) })
	return &browser{handler: s.Handler(mux)}
}

func TestSessionCookie(t *testing.T) {
	creds := Fingerprint("hash", "owner")
	b := newBrowser(t, &creds)
	if res := b.get("/who"); res.Header.Get("Set-Cookie") != "" {
		t.Error("a visitor who has not logged in gets a cookie")
	}
	set := b.get("/login").Header.Get("Set-Cookie")
	for _, want := range []string{"__Host-berth=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"} {
		if !strings.Contains(set, want) {
			t.Errorf("Set-Cookie %q lacks %q", set, want)
		}
	}
	if strings.Contains(set, "Domain") {
		t.Errorf("Set-Cookie %q has a Domain", set)
	}
	if got := b.text("/who"); got != "ann" {
		t.Errorf("logged in as %q", got)
	}
}

func TestSessionTokenIsRenewedOnLogin(t *testing.T) {
	creds := Fingerprint("hash", "owner")
	b := newBrowser(t, &creds)
	b.get("/set") // an anonymous session
	before := b.cookie.Value
	b.get("/login")
	after := b.cookie.Value
	if before == after {
		t.Fatal("login kept the token of the session before")
	}
	b.cookie.Value = before
	if got := b.text("/who"); got != "" {
		t.Errorf("the token from before the login is logged in as %q", got)
	}
	b.cookie = &http.Cookie{Name: CookieName, Value: "chosen-by-an-attacker"}
	b.get("/login")
	if b.cookie.Value == "chosen-by-an-attacker" {
		t.Error("login took a token that the browser chose")
	}
}

func TestSessionEndsWithLogoutAndNewCredentials(t *testing.T) {
	creds := Fingerprint("hash", "owner")
	b := newBrowser(t, &creds)
	b.get("/login")
	token := b.cookie.Value
	b.get("/logout")
	if b.cookie != nil {
		t.Error("logout left the cookie")
	}
	b.cookie = &http.Cookie{Name: CookieName, Value: token}
	if got := b.text("/who"); got != "" {
		t.Errorf("after logout the old token is logged in as %q", got)
	}
	for _, changed := range []string{Fingerprint("new hash", "owner"), Fingerprint("hash", "admin")} {
		creds = Fingerprint("hash", "owner")
		b.get("/login")
		creds = changed
		if got := b.text("/who"); got != "" {
			t.Errorf("after a change of credentials the session is logged in as %q", got)
		}
	}
}

func TestSessionTimeouts(t *testing.T) {
	creds := Fingerprint("hash", "owner")
	t.Run("idle", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBrowser(t, &creds)
			b.get("/login")
			for range 5 { // used now and then, it lives on
				time.Sleep(11 * time.Hour)
				if b.text("/who") != "ann" {
					t.Fatal("a session in use ended")
				}
			}
			time.Sleep(12*time.Hour + time.Second)
			if got := b.text("/who"); got != "" {
				t.Errorf("after 12 idle hours logged in as %q", got)
			}
		})
	})
	t.Run("absolute", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBrowser(t, &creds)
			b.get("/login")
			token := b.cookie.Value
			for range 7*24 - 1 {
				time.Sleep(time.Hour)
				b.get("/who")
			}
			b.cookie = &http.Cookie{Name: CookieName, Value: token}
			if b.text("/who") != "ann" {
				t.Error("the session ended before its time")
			}
			time.Sleep(time.Hour + time.Second)
			b.cookie = &http.Cookie{Name: CookieName, Value: token}
			if got := b.text("/who"); got != "" {
				t.Errorf("after a week logged in as %q", got)
			}
		})
	})
}

func TestSessionIsNotWrittenOnEveryRequest(t *testing.T) {
	creds := Fingerprint("hash", "owner")
	b := newBrowser(t, &creds)
	b.get("/login")
	if set := b.get("/who").Header.Get("Set-Cookie"); set != "" {
		t.Errorf("a plain request wrote the session: %q", set)
	}
}

func TestNoticeIsShownOnce(t *testing.T) {
	creds := Fingerprint("hash", "owner")
	b := newBrowser(t, &creds)
	b.get("/login")
	b.get("/set")
	if got := b.text("/notice"); got != "done" {
		t.Errorf("notice %q", got)
	}
	if got := b.text("/notice"); got != "" {
		t.Errorf("notice %q a second time", got)
	}
}

// failingStore cannot be written.
type failingStore struct{ *memstore.MemStore }

func (failingStore) Commit(string, []byte, time.Time) error { return io.ErrShortWrite }

func TestSessionThatCannotBeSavedReplacesTheAnswer(t *testing.T) {
	store := failingStore{memstore.NewWithCleanupInterval(0)}
	s := NewSessions(store, func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, "sorry", http.StatusInternalServerError)
	})
	handler := s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.SetNotice(r.Context(), "saved")
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, "all is well")
	}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://panel.test/", nil))
	if w.Code != http.StatusInternalServerError || strings.TrimSpace(w.Body.String()) != "sorry" {
		t.Errorf("answered %d %q", w.Code, w.Body)
	}
	if set := w.Header().Get("Set-Cookie"); set != "" {
		t.Errorf("set the cookie of a session that was not saved: %q", set)
	}
}

func TestReloadSeesTheEndOfTheSession(t *testing.T) {
	store := memstore.NewWithCleanupInterval(0)
	s := NewSessions(store, func(_ http.ResponseWriter, _ *http.Request, err error) { t.Error(err) })
	var token string
	login := s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.Login(r.Context(), 7, "creds"); err != nil {
			t.Error(err)
		}
		token = s.ID(r.Context())
	}))
	login.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	lasting := s.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, want := range []bool{true, false} {
			fresh, err := s.Reload(r.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, got := s.Account(fresh); got != want {
				t.Errorf("reloaded session logged in: %v, want %v", got, want)
			}
			if err := s.Logout(fresh); err != nil {
				t.Error(err)
			}
		}
	}))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: CookieName, Value: token})
	lasting.ServeHTTP(httptest.NewRecorder(), r)
}
