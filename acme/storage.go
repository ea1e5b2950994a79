package acme

import (
	"context"
	"fmt"
	"sync"

	"github.com/caddyserver/certmagic"
)

// storage is certmagic's file storage with locks in memory. The data directory belongs to one process, and lock files
// of a killed one would hold up its successor until they count as stale.
type storage struct {
	*certmagic.FileStorage

	mu    sync.Mutex
	locks map[string]chan struct{} // closed when the lock is released
}

var (
	_ certmagic.Storage   = (*storage)(nil)
	_ certmagic.TryLocker = (*storage)(nil)
)

func newStorage(dir string) *storage {
	return &storage{
		FileStorage: &certmagic.FileStorage{Path: dir},
		locks:       make(map[string]chan struct{}),
	}
}

// Lock waits for the lock of that name.
func (s *storage) Lock(ctx context.Context, name string) error {
	for {
		released, ok := s.tryLock(name)
		if ok {
			return nil
		}
		select {
		case <-released:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TryLock takes the lock if it is free.
func (s *storage) TryLock(_ context.Context, name string) (bool, error) {
	_, ok := s.tryLock(name)
	return ok, nil
}

// tryLock takes the lock, or returns a channel that is closed when its holder lets it go.
func (s *storage) tryLock(name string) (<-chan struct{}, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if released, held := s.locks[name]; held {
		return released, false
	}
	s.locks[name] = make(chan struct{})
	return nil, true
}

// Unlock releases the lock.
func (s *storage) Unlock(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	released, held := s.locks[name]
	if !held {
		return fmt.Errorf("acme: lock %q is not held", name)
	}
	delete(s.locks, name)
	close(released)
	return nil
}
