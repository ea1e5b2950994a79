package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp/hotp"
)

const (
	totpStep   = 30 * time.Second // RFC 6238 §5.2
	totpWindow = 1                // steps that the clocks may differ by, either way
	totpSecret = 20               // bytes; RFC 4226 §4, R6
)

// NewTOTPSecret returns the secret of a new authenticator.
func NewTOTPSecret() []byte {
	secret := make([]byte, totpSecret)
	rand.Read(secret)
	return secret
}

// TOTPText is the secret as people type it: base32, in groups of four.
func TOTPText(secret []byte) string {
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
	var b strings.Builder
	for i, r := range text {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// TOTPURI is what an authenticator reads from a QR code; issuer and account are what it shows.
func TOTPURI(secret []byte, issuer, account string) string {
	label := url.PathEscape(issuer) + ":" + url.PathEscape(account)
	query := "secret=" + strings.ReplaceAll(TOTPText(secret), " ", "") + "&issuer=" + url.QueryEscape(issuer)
	return "otpauth://totp/" + label + "?" + query
}

// CheckTOTP returns the time step whose code this is, by RFC 6238 with six digits and SHA-1, which all authenticators know.
// Steps up to used have had their turn.
func CheckTOTP(secret []byte, code string, used int64, now time.Time) (step int64, ok bool) {
	code = typedCode(code)
	current := now.Unix() / int64(totpStep/time.Second)
	for step := max(current-totpWindow, used+1); step <= current+totpWindow; step++ {
		want, err := hotp.GenerateCode(base32.StdEncoding.EncodeToString(secret), uint64(step))
		if err == nil && subtle.ConstantTimeCompare([]byte(code), []byte(want)) == 1 {
			return step, true
		}
	}
	return 0, false
}

// typedCode drops what people put between groups.
func typedCode(code string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, strings.ToLower(code))
}
