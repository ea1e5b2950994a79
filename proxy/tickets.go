package proxy

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// A session can be resumed for as long as the key of its ticket is kept: one and a half days. The longer a key is, the more
// of the past it gives away when it is stolen (RFC 9325 section 3.4).
const (
	ticketAge  = 12 * time.Hour // of the newest key when the next one is made
	ticketKeys = 3
)

// tickets holds the keys of TLS session tickets, by which clients resume their sessions after a restart, too. They are
// in a file that nobody else may read; without one that can be written, they last as long as the process.
type tickets struct {
	path string // empty: no file
	log  *slog.Logger

	mu      sync.Mutex
	kept    ticketFile
	configs []*tls.Config
}

// ticketFile is what the file holds.
type ticketFile struct {
	Secret []byte      `json:"secret"` // what QUIC's own keys come from; 32 bytes
	Keys   []ticketKey `json:"keys"`   // the newest first, which encrypts
}

type ticketKey struct {
	Made time.Time `json:"made"`
	Key  []byte    `json:"key"` // 32 bytes
}

// newTickets reads the file. One that is not as it should be is replaced.
func newTickets(path string, logger *slog.Logger, now time.Time) *tickets {
	t := &tickets{path: path, log: logger}
	kept, err := readTickets(path)
	switch {
	case err == nil:
		t.kept = kept
	case !errors.Is(err, fs.ErrNotExist):
		logger.Warn("the keys of TLS sessions cannot be read and are made anew", "error", err)
	}
	if len(t.kept.Secret) == 0 {
		t.kept.Secret = randomKey()
	}
	t.rotate(now)
	return t
}

func readTickets(path string) (f ticketFile, err error) {
	if path == "" {
		return f, fs.ErrNotExist
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return ticketFile{}, fmt.Errorf("%s: %w", path, err)
	}
	if len(f.Secret) != 32 || slices.ContainsFunc(f.Keys, func(k ticketKey) bool { return len(k.Key) != 32 }) {
		return ticketFile{}, fmt.Errorf("%s: a key is not 32 bytes long", path)
	}
	return f, nil
}

func randomKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
}

// rotate drops the keys that are too old, and makes one when the newest is.
func (t *tickets) rotate(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	keys := slices.DeleteFunc(slices.Clone(t.kept.Keys), func(k ticketKey) bool {
		age := now.Sub(k.Made)
		return age >= ticketKeys*ticketAge || age < -time.Hour // or of a clock that was wrong
	})
	if len(keys) > 0 && now.Sub(keys[0].Made) < ticketAge {
		return
	}
	keys = slices.Insert(keys, 0, ticketKey{Made: now.UTC(), Key: randomKey()})
	t.kept.Keys = keys[:min(len(keys), ticketKeys)]
	if err := t.write(); err != nil {
		t.log.Warn("the keys of TLS sessions cannot be kept; after a restart clients make new sessions", "error", err)
	}
	for _, config := range t.configs {
		config.SetSessionTicketKeys(t.keys())
	}
}

// write replaces the file as a whole.
func (t *tickets) write() error {
	if t.path == "" {
		return nil
	}
	text, err := json.Marshal(t.kept)
	if err != nil {
		return err
	}
	half, err := os.CreateTemp(filepath.Dir(t.path), filepath.Base(t.path)+".new") // for its owner alone
	if err != nil {
		return err
	}
	_, err = half.Write(text)
	err = errors.Join(err, half.Sync(), half.Close())
	if err == nil {
		err = os.Rename(half.Name(), t.path)
	}
	if err != nil {
		_ = os.Remove(half.Name())
	}
	return err
}

// keys are those of tls.Config. The caller holds mu.
func (t *tickets) keys() [][32]byte {
	keys := make([][32]byte, len(t.kept.Keys))
	for i, k := range t.kept.Keys {
		keys[i] = [32]byte(k.Key)
	}
	return keys
}

// follow has a configuration use the keys, now and after each rotation.
func (t *tickets) follow(config *tls.Config) *tls.Config {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.configs = append(t.configs, config)
	config.SetSessionTicketKeys(t.keys())
	return config
}

// run rotates the keys until ctx is done.
func (t *tickets) run(ctx context.Context) {
	tick := time.NewTicker(ticketAge / 12)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			t.rotate(now)
		case <-ctx.Done():
			return
		}
	}
}

// quicKeys are what a client of QUIC recognizes this server by after a restart: it is told at once that its connection has
// ended (RFC 9000 section 10.3), and need not prove its address again.
func (t *tickets) quicKeys() (reset quic.StatelessResetKey, token quic.TokenGeneratorKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return derive(t.kept.Secret, "QUIC stateless reset"), derive(t.kept.Secret, "QUIC address validation")
}

func derive(secret []byte, purpose string) [32]byte {
	key, err := hkdf.Expand(sha256.New, secret, purpose, 32)
	if err != nil {
		panic(err) // only for lengths that SHA-256 does not give
	}
	return [32]byte(key)
}
