package cache

import (
	"sync"
	"sync/atomic"
)

// leastLent is the length of a body from which on it counts while it is sent. What is shorter is no more than a connection takes.
const leastLent = 64 << 10

// lent counts the bytes of bodies that are being sent, each body once. A client that reads slowly, or not at all, holds on to a
// body that may be gone from the cache, so the cache's own bound says nothing of them.
type lent struct {
	most  int64
	bytes atomic.Int64
}

// loan is who is being sent one body.
type loan struct {
	mu    sync.Mutex
	size  int64
	users int
}

// spare reports whether a body of that size may be sent from memory once more.
func (l *lent) spare(to *loan, size int64) bool {
	if size < leastLent || l.bytes.Load()+size <= l.most {
		return true
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	return to.users > 0
}

// take notes that a body is being sent, until back is called.
func (l *lent) take(to *loan, size int64) {
	if size < leastLent {
		return
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	if to.users++; to.users == 1 {
		to.size = size
		l.bytes.Add(size)
	}
}

func (l *lent) back(to *loan, size int64) {
	if size < leastLent {
		return
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	if to.users--; to.users == 0 {
		l.bytes.Add(-to.size)
	}
}
