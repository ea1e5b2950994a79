package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
)

const recoveryCodes = 10

// NewRecoveryCodes returns codes that stand in for an authenticator once each, and their hashes. They are as long as a made-up
// password, so a plain hash does.
func NewRecoveryCodes() (codes []string, hashes [][]byte) {
	for range recoveryCodes {
		code := NewPassword()
		codes, hashes = append(codes, code), append(hashes, hashRecovery(code))
	}
	return codes, hashes
}

// SpendRecoveryCode returns the hashes without that of the code.
func SpendRecoveryCode(hashes [][]byte, code string) (left [][]byte, ok bool) {
	hash := hashRecovery(code)
	for i, kept := range hashes {
		if subtle.ConstantTimeCompare(kept, hash) == 1 {
			return slices.Delete(slices.Clone(hashes), i, i+1), true
		}
	}
	return hashes, false
}

func hashRecovery(code string) []byte {
	sum := sha256.Sum256([]byte(typedCode(code)))
	return sum[:]
}
