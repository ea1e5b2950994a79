package sites

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"time"
)

// Bounds of a TSIG secret, in bytes. A shorter one is weaker than the hash (RFC 8945 section 6), a longer one is not stronger.
const (
	minSecret       = 16
	maxSecret       = 128
	generatedSecret = 32
)

// NewTSIGKey is what a TSIG key is created from.
type NewTSIGKey struct {
	Name      string
	Algorithm string // empty: TSIGSHA256
	Secret    string // base64; empty: one is made
}

// TSIGKeys lists the TSIG keys by name, without their secrets, for admins.
func (s *Service) TSIGKeys(ctx context.Context, actor Actor) ([]TSIGKey, error) {
	if err := adminOnly(actor); err != nil {
		return nil, err
	}
	keys, err := s.store.TSIGKeys(ctx)
	for i := range keys {
		keys[i].Secret = nil
	}
	return keys, err
}

// AddTSIGKey keeps a secret that is shared with other nameservers. The key returned is the only one that shows its secret.
func (s *Service) AddTSIGKey(ctx context.Context, actor Actor, in NewTSIGKey) (TSIGKey, error) {
	if err := adminOnly(actor); err != nil {
		return TSIGKey{}, err
	}
	key := TSIGKey{
		Name: CanonicalHost(strings.TrimSpace(in.Name)), Algorithm: orDefault(strings.ToLower(in.Algorithm), TSIGSHA256),
		CreatedAt: time.Now(),
	}
	if sentence := malformedKeyName(key.Name); sentence != "" {
		return TSIGKey{}, RefuseField(ErrInvalid, "name", "%s", sentence)
	}
	if key.Algorithm != TSIGSHA256 && key.Algorithm != TSIGSHA512 {
		return TSIGKey{}, RefuseField(ErrInvalid, "algorithm", "The algorithm must be %s or %s.", TSIGSHA256, TSIGSHA512)
	}
	var err error
	if key.Secret, err = secretOf(in.Secret); err != nil {
		return TSIGKey{}, err
	}
	err = s.commit(ctx, eventBy(actor, "tsig.add", key.Name, key.Algorithm), func(e *edit) error { return e.InsertTSIGKey(ctx, key) })
	if errors.Is(err, ErrTaken) {
		err = RefuseField(ErrTaken, "name", "There is a TSIG key %s already.", key.Name)
	}
	return key, err
}

func secretOf(text string) ([]byte, error) {
	if text = strings.Join(strings.Fields(text), ""); text == "" {
		secret := make([]byte, generatedSecret)
		_, _ = rand.Read(secret) // never fails
		return secret, nil
	}
	secret, err := base64.StdEncoding.DecodeString(text)
	switch {
	case err != nil:
		return nil, RefuseField(ErrInvalid, "secret", "The secret must be in base64, as other nameservers show it.")
	case len(secret) < minSecret || len(secret) > maxSecret:
		return nil, RefuseField(ErrInvalid, "secret", "The secret must have %d to %d bytes; this one has %d.", minSecret, maxSecret, len(secret))
	}
	return secret, nil
}

// malformedKeyName says what is wrong with the name of a TSIG key, which is a domain name of any number of labels.
func malformedKeyName(name string) string {
	if name == "" || len(name) > maxNameLength {
		return "Give the key a name, such as ns2.example.org."
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool { return notLDH(r) && r != '_' }) {
			return "A key's name is a domain name: labels of letters, digits, hyphens and underscores, joined by dots."
		}
	}
	return ""
}

// DeleteTSIGKey forgets a key that no zone uses.
func (s *Service) DeleteTSIGKey(ctx context.Context, actor Actor, name string) error {
	if err := adminOnly(actor); err != nil {
		return err
	}
	name = CanonicalHost(strings.TrimSpace(name))
	err := s.commit(ctx, eventBy(actor, "tsig.delete", name, ""), func(e *edit) error {
		zones, err := e.Zones(ctx)
		if err != nil {
			return err
		}
		var users []string
		for _, z := range zones {
			if z.names(name) {
				users = append(users, z.Name)
			}
		}
		if len(users) > 0 {
			return Refuse(ErrConflict, "The TSIG key %s is used by %s. Take it from their peers and primaries first.", name, strings.Join(users, ", "))
		}
		return e.DeleteTSIGKey(ctx, name)
	})
	if errors.Is(err, ErrNotFound) {
		err = Refuse(ErrNotFound, "There is no TSIG key %q.", name)
	}
	return err
}
