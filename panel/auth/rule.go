package auth

import (
	"crypto/rand"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	MinPassword = 10   // characters
	MaxPassword = 1024 // bytes
)

// CheckPassword applies the rule for new passwords. Its error is a sentence for the person who chose it.
func CheckPassword(account, password string) error {
	switch {
	case !utf8.ValidString(password):
		return sentence("The password has bytes that are not text (UTF-8).")
	case utf8.RuneCountInString(password) < MinPassword:
		return sentence(fmt.Sprintf("The password needs at least %d characters.", MinPassword))
	case len(password) > MaxPassword:
		return sentence(fmt.Sprintf("The password may take at most %d bytes.", MaxPassword))
	case strings.EqualFold(password, account):
		return sentence("The password must not be the account's name.")
	case strings.Trim(password, password[:1]) == "":
		return sentence("The password must not be one character over and over.")
	}
	return nil
}

type sentence string

func (s sentence) Error() string { return string(s) }

// readable has no characters that are taken for one another.
const readable = "abcdefghjkmnpqrstuvwxyz23456789"

// NewPassword returns a random password that can be read out: four groups of four, 79 bits.
func NewPassword() string {
	const groups, size = 4, 4
	var b strings.Builder
	for g := range groups {
		if g > 0 {
			b.WriteByte('-')
		}
		for range size {
			b.WriteByte(pick(readable))
		}
	}
	return b.String()
}

// pick returns a uniformly random byte of the alphabet.
func pick(alphabet string) byte {
	limit := 256 - 256%len(alphabet)
	var b [1]byte
	for {
		rand.Read(b[:])
		if int(b[0]) < limit {
			return alphabet[int(b[0])%len(alphabet)]
		}
	}
}
