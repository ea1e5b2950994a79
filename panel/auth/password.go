package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
)

// ErrBusy means that too many passwords are being checked at the moment.
var ErrBusy = errors.New("too many passwords are being checked")

// What queues for its turn, on a small machine where a turn takes a tenth of a second.
const (
	hashWait         = 10 * time.Second // how long one waits
	maxWaiting       = 100              // how many wait; each holds a request
	maxWaitingClient = 5                // how many of one client, so that it cannot fill the queue
)

// params are argon2id's costs.
type params struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
}

// current is what new hashes are made with: OWASP's smallest recommendation, because memory is scarce here.
func current() params { return params{memory: 19 * 1024, time: 2, threads: 1} }

const (
	saltBytes = 16
	keyBytes  = 32
)

// Hasher makes and checks password hashes in PHC string format. It bounds how many are computed at once, since each
// takes 19 MiB, and how many wait for that.
type Hasher struct {
	slots chan struct{}
	dummy string
	queue queue
}

// NewHasher returns a Hasher that computes at most concurrent hashes at once.
func NewHasher(concurrent int) *Hasher {
	h := &Hasher{slots: make(chan struct{}, max(1, concurrent)), queue: queue{byClient: make(map[string]int)}}
	// Of an unknown password, and never a match: checking it takes as long as checking a real one.
	h.dummy = encode(current(), random(saltBytes), random(keyBytes))
	return h
}

// Hash returns a new hash of the password, for somebody who has logged in.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	p, salt := current(), random(saltBytes)
	key, err := h.derive(ctx, p, "", password, salt, keyBytes)
	if err != nil {
		return "", err
	}
	return encode(p, salt, key), nil
}

// Verify reports whether the password belongs to the hash, and if so whether the hash should be replaced by one with today's costs.
// An empty hash, for an account that does not exist, never matches and takes as long. addr is whose guess it is: of one
// client only a few may wait.
func (h *Hasher) Verify(ctx context.Context, addr netip.Addr, hash, password string) (ok, rehash bool, err error) {
	unknown := hash == ""
	if unknown {
		hash = h.dummy
	}
	p, salt, want, err := decode(hash)
	if err != nil {
		return false, false, err
	}
	got, err := h.derive(ctx, p, networkOf(addr), password, salt, uint32(len(want)))
	if err != nil {
		return false, false, err
	}
	if subtle.ConstantTimeCompare(got, want) != 1 || unknown {
		return false, false, nil
	}
	return true, p != current() || len(want) != keyBytes, nil
}

func (h *Hasher) derive(ctx context.Context, p params, client, password string, salt []byte, length uint32) ([]byte, error) {
	if len(password) > MaxPassword {
		password = password[:MaxPassword] // the rule refuses such; never hash without bound
	}
	if err := h.takeTurn(ctx, client); err != nil {
		return nil, err
	}
	defer func() { <-h.slots }()
	return argon2.IDKey([]byte(password), salt, p.time, p.memory, p.threads, length), nil
}

// takeTurn waits for a slot; the caller gives it back.
func (h *Hasher) takeTurn(ctx context.Context, client string) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
	}
	if !h.queue.enter(client) {
		return ErrBusy
	}
	defer h.queue.leave(client)
	wait := time.NewTimer(hashWait)
	defer wait.Stop()
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-wait.C:
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

// queue counts who waits for a turn. The empty client is bounded only together with all others.
type queue struct {
	mu       sync.Mutex
	all      int
	byClient map[string]int
}

func (q *queue) enter(client string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all >= maxWaiting || client != "" && q.byClient[client] >= maxWaitingClient {
		return false
	}
	q.all++
	q.byClient[client]++
	return true
}

func (q *queue) leave(client string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all--
	if q.byClient[client]--; q.byClient[client] == 0 {
		delete(q.byClient, client)
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails, crypto/rand documents
	return b
}

func encode(p params, salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads,
		b64.EncodeToString(salt), b64.EncodeToString(key))
}

// decode parses a PHC string and refuses costs that would be an attack on ourselves.
func decode(hash string) (p params, salt, key []byte, err error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return p, nil, nil, errors.New("password hash: not argon2id in PHC format")
	}
	if parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, fmt.Errorf("password hash: version %q is unknown", parts[2])
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil {
		return p, nil, nil, fmt.Errorf("password hash: parameters: %w", err)
	}
	if p.memory < 8 || p.memory > 256*1024 || p.time < 1 || p.time > 16 || p.threads < 1 || p.threads > 16 {
		return p, nil, nil, fmt.Errorf("password hash: parameters %q are out of bounds", parts[3])
	}
	if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return p, nil, nil, fmt.Errorf("password hash: salt: %w", err)
	}
	if key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
		return p, nil, nil, fmt.Errorf("password hash: key: %w", err)
	}
	if len(salt) < 8 || len(key) < 16 || len(key) > 64 {
		return p, nil, nil, errors.New("password hash: salt or key has the wrong length")
	}
	return p, salt, key, nil
}
