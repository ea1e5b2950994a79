package panel

import (
	"crypto/rand"
	"sync"
	"time"

	"berth/sites"
)

const (
	secretLife = 5 * time.Minute
	maxSecrets = 20 // of one account; a further one takes the place of its oldest
)

// secrets holds passwords and tokens between the request that made them and the page that shows them once. They are
// kept in memory only, so that none ends up on the disk.
type secrets struct {
	mu   sync.Mutex
	kept map[string]secret
}

type secret struct {
	of    sites.AccountID // who may see it
	about string          // whose password, or the token's label
	value string
	until time.Time
}

func newSecrets() *secrets { return &secrets{kept: make(map[string]secret)} }

// keep returns the key under which the secret can be taken.
func (s *secrets) keep(of sites.AccountID, about, value string) string {
	now, key := time.Now(), rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom(of, now)
	s.kept[key] = secret{of: of, about: about, value: value, until: now.Add(secretLife)}
	return key
}

// makeRoom drops what is too old, and the oldest of an account that has too many: what others wait to see stays.
func (s *secrets) makeRoom(of sites.AccountID, now time.Time) {
	oldest, own := "", 0
	for key, kept := range s.kept {
		switch {
		case now.After(kept.until):
			delete(s.kept, key)
		case kept.of == of:
			if own++; oldest == "" || kept.until.Before(s.kept[oldest].until) {
				oldest = key
			}
		}
	}
	if own >= maxSecrets {
		delete(s.kept, oldest)
	}
}

// take returns the secret once, to the account that it was kept for.
func (s *secrets) take(of sites.AccountID, key string) (secret, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.kept[key]
	if !ok || found.of != of || time.Now().After(found.until) {
		return secret{}, false
	}
	delete(s.kept, key)
	return found, true
}
