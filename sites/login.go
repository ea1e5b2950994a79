package sites

import (
	"crypto/subtle"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
)

// Login is a name and a password that a whole site asks for (RFC 7617).
type Login struct {
	User         string
	PasswordHash string // bcrypt's; the password itself is kept nowhere
}

const (
	maxLoginUser      = 64 // characters
	minLoginPassword  = 8  // characters
	maxLoginPassword  = 72 // bytes: bcrypt reads no more
	loginPasswordCost = 10 // some 50 ms on a small server
)

// Required reports whether visitors are asked at all.
func (l Login) Required() bool { return l.User != "" }

// Matches reports whether a visitor's name and password are these. It takes some 50 ms of a processor, whichever of the two is
// wrong, so the caller bounds how often it is asked.
func (l Login) Matches(user, password string) bool {
	if len(password) > maxLoginPassword {
		return false // bcrypt would look at its beginning only
	}
	same := subtle.ConstantTimeCompare([]byte(user), []byte(l.User)) == 1
	return bcrypt.CompareHashAndPassword([]byte(l.PasswordHash), []byte(password)) == nil && same
}

// LoginUpdate changes a Login. What is empty stays as it is.
type LoginUpdate struct {
	End      bool // visitors are asked no more
	User     string
	Password string
}

// logins makes the hashes of new passwords, one at a time: a flood of them must not take the processor.
type logins struct{ hashing sync.Mutex }

// prepare judges an update and returns the hash of its password, empty for none.
func (l *logins) prepare(u LoginUpdate) (hash string, err error) {
	switch {
	case u.End:
		return "", nil
	case utf8.RuneCountInString(u.User) > maxLoginUser:
		return "", refuseOption("login.user", "The user name is too long: it can have up to %d characters.", maxLoginUser)
	case strings.Contains(u.User, ":") || !printable(u.User):
		return "", refuseOption("login.user", "The user name cannot hold colons or control characters: browsers could not send them.")
	case u.Password == "":
		return "", nil
	}
	return l.hash(u.Password)
}

// applied returns what the update makes of a login; hash is what prepare returned for it.
func (u LoginUpdate) applied(before Login, hash string) (Login, error) {
	if u.End {
		return Login{}, nil
	}
	login := Login{User: orDefault(u.User, before.User), PasswordHash: orDefault(hash, before.PasswordHash)}
	switch {
	case login.User == "":
		return Login{}, refuseOption("login.user", "Give the user name that visitors enter beside the password.")
	case login.PasswordHash == "":
		return Login{}, refuseOption("login.password", "Give the password that visitors are to be asked for.")
	}
	return login, nil
}

func (l *logins) hash(password string) (string, error) {
	switch {
	case utf8.RuneCountInString(password) < minLoginPassword:
		return "", refuseOption("login.password", "The password is too short: it needs at least %d characters.", minLoginPassword)
	case len(password) > maxLoginPassword:
		return "", refuseOption("login.password", "The password is too long: it can have up to %d bytes, which are as many plain letters.", maxLoginPassword)
	case !printable(password):
		return "", refuseOption("login.password", "The password cannot hold control characters: browsers could not send them.")
	}
	l.hashing.Lock()
	defer l.hashing.Unlock()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), loginPasswordCost)
	if err != nil {
		return "", fmt.Errorf("hash a site's password: %w", err)
	}
	return string(hash), nil
}

// printable reports whether text can be sent as RFC 7617 has it: valid UTF-8 without control characters.
func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// refuseOption refuses one of a site's options.
func refuseOption(option, format string, args ...any) error {
	return RefuseField(ErrInvalid, OptionField(option), format, args...)
}

// OptionField is the field that a refusal of an option names, such as "options.login.user" for "login.user".
func OptionField(option string) string { return "options." + option }
