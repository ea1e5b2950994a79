package auth

import (
	"crypto/sha256"
	"math/big"
	"strings"
)

// TokenPrefix begins every API token, so that people and secret scanners know one when they see it.
const TokenPrefix = "berth_"

// tokenDigits is how many base-62 digits 32 bytes need.
const tokenDigits = 43

// NewToken returns the secret of a new API token, to be shown once, and the hash to keep.
func NewToken() (secret string, hash []byte) {
	digits := new(big.Int).SetBytes(random(32)).Text(62)
	secret = TokenPrefix + strings.Repeat("0", tokenDigits-len(digits)) + digits
	return secret, HashToken(secret)
}

// HashToken returns what is kept of a token. The secret is 256 random bits, so a fast hash without salt is enough.
func HashToken(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
