package proxy

import (
	"sync"
	"time"
)

// sampler tells which of many alike log lines to write: one in each period, with the number of those that were not.
type sampler struct {
	every time.Duration

	mu      sync.Mutex
	last    time.Time
	omitted int
}

func (s *sampler) due(now time.Time) (omitted int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.last) < s.every {
		s.omitted++
		return 0, false
	}
	omitted, s.last, s.omitted = s.omitted, now, 0
	return omitted, true
}
