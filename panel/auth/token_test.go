package auth

import (
	"bytes"
	"regexp"
	"testing"
)

func TestNewToken(t *testing.T) {
	shape := regexp.MustCompile(`^berth_[0-9A-Za-z]{43}$`)
	seen := make(map[string]bool)
	for range 100 {
		secret, hash := NewToken()
		if !shape.MatchString(secret) {
			t.Errorf("secret %q has not the shape of a token", secret)
		}
		if !bytes.Equal(hash, HashToken(secret)) || len(hash) != 32 {
			t.Errorf("hash of %q is %x, HashToken says %x", secret, hash, HashToken(secret))
		}
		if bytes.Contains(hash, []byte(secret)) || seen[secret] {
			t.Errorf("secret %q is kept or repeated", secret)
		}
		seen[secret] = true
	}
}
