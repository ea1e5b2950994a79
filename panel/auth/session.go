package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
)

// CookieName has the prefix with which browsers refuse the cookie from any other host, also from a site beside
// the panel, and without Secure or with a Domain.
const CookieName = "__Host-berth"

const (
	idleTimeout     = 12 * time.Hour
	absoluteTimeout = 7 * 24 * time.Hour
	touchEvery      = 5 * time.Minute // how exact the idle time is; saves a write on every request
	challengeLife   = 10 * time.Minute
)

// The keys of a session's values.
const (
	keyAccount     = "account"
	keyFingerprint = "fingerprint"
	keySeen        = "seen"
	keyNotice      = "notice"

	keyChallenged    = "challenged"
	keyChallengedAt  = "challenged-at"
	keyAuthenticator = "authenticator"
)

// Sessions are the logged-in browsers. A session names its account and carries a fingerprint of the account's
// credentials; it ends when they differ.
type Sessions struct {
	manager *scs.SessionManager
	failed  func(http.ResponseWriter, *http.Request, error)
}

// NewSessions keeps sessions in store. failed answers a request whose session can be neither read nor written.
func NewSessions(store scs.Store, failed func(http.ResponseWriter, *http.Request, error)) *Sessions {
	// Not scs.New: it starts a store in memory with a goroutine that nobody could stop.
	m := &scs.SessionManager{
		Store:            store,
		Codec:            scs.GobCodec{},
		Lifetime:         absoluteTimeout,
		HashTokenInStore: true, // a stolen database logs nobody in
		Cookie: scs.SessionCookie{
			Name:     CookieName,
			Path:     "/",
			Secure:   true,
			HttpOnly: true,
			SameSite: http.SameSiteLaxMode,
			Persist:  true,
		},
	}
	return &Sessions{manager: m, failed: failed}
}

// Fingerprint stands for an account's role and credentials: sessions begun with others are over.
func Fingerprint(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// Login begins a session under a new token, whatever the browser sent.
func (s *Sessions) Login(ctx context.Context, account int64, fingerprint string) error {
	if err := s.begin(ctx, fingerprint); err != nil {
		return err
	}
	s.manager.Put(ctx, keyAccount, account)
	s.manager.Put(ctx, keySeen, time.Now().Unix())
	return nil
}

// Challenge notes, under a new token, that the account's password was right. It logs nobody in.
func (s *Sessions) Challenge(ctx context.Context, account int64, fingerprint string) error {
	if err := s.begin(ctx, fingerprint); err != nil {
		return err
	}
	s.manager.Put(ctx, keyChallenged, account)
	s.manager.Put(ctx, keyChallengedAt, time.Now().Unix())
	return nil
}

func (s *Sessions) begin(ctx context.Context, fingerprint string) error {
	if err := s.manager.Clear(ctx); err != nil {
		return fmt.Errorf("begin session: %w", err)
	}
	if err := s.manager.RenewToken(ctx); err != nil {
		return fmt.Errorf("begin session: %w", err)
	}
	s.manager.Put(ctx, keyFingerprint, fingerprint)
	return nil
}

// Challenged returns the account whose password was right a moment ago. The caller reads it and asks Matches before it
// believes it.
func (s *Sessions) Challenged(ctx context.Context) (account int64, ok bool) {
	if time.Since(time.Unix(s.manager.GetInt64(ctx, keyChallengedAt), 0)) > challengeLife {
		return 0, false
	}
	account = s.manager.GetInt64(ctx, keyChallenged)
	return account, account != 0
}

// Authenticator is the secret of the authenticator that this browser is setting up; it is made when it is first asked for.
func (s *Sessions) Authenticator(ctx context.Context) []byte {
	secret := s.manager.GetBytes(ctx, keyAuthenticator)
	if secret == nil {
		secret = NewTOTPSecret()
		s.manager.Put(ctx, keyAuthenticator, secret)
	}
	return secret
}

// Logout ends the session.
func (s *Sessions) Logout(ctx context.Context) error {
	if err := s.manager.Destroy(ctx); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// Reload returns ctx with the session as it is in the store now, for requests that last.
func (s *Sessions) Reload(ctx context.Context) (context.Context, error) {
	fresh, err := s.manager.Load(valueless{ctx}, s.manager.Token(ctx))
	if err != nil {
		return nil, fmt.Errorf("reload session: %w", err)
	}
	return fresh, nil
}

// valueless is a context without its values, because scs does not load what a context has already.
type valueless struct{ context.Context }

func (valueless) Value(any) any { return nil }

// ID names the session within this process; it is empty for one that has not been saved.
func (s *Sessions) ID(ctx context.Context) string { return s.manager.Token(ctx) }

// Account returns the account of the session. The caller reads it and asks Matches before it believes it.
func (s *Sessions) Account(ctx context.Context) (int64, bool) {
	id := s.manager.GetInt64(ctx, keyAccount)
	if id == 0 {
		return 0, false
	}
	idle := time.Since(time.Unix(s.manager.GetInt64(ctx, keySeen), 0))
	if idle > idleTimeout {
		return 0, false
	}
	if idle > touchEvery {
		s.manager.Put(ctx, keySeen, time.Now().Unix())
	}
	return id, true
}

// Matches reports whether the session was begun with these credentials.
func (s *Sessions) Matches(ctx context.Context, fingerprint string) bool {
	kept := s.manager.GetString(ctx, keyFingerprint)
	return subtle.ConstantTimeCompare([]byte(kept), []byte(fingerprint)) == 1
}

// SetNotice keeps text for the next page of this browser.
func (s *Sessions) SetNotice(ctx context.Context, text string) { s.manager.Put(ctx, keyNotice, text) }

// TakeNotice returns what SetNotice kept, once.
func (s *Sessions) TakeNotice(ctx context.Context) string { return s.manager.PopString(ctx, keyNotice) }
