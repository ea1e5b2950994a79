package sites

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// watchers tells everybody who looks at a page which sites have changed.
type watchers struct {
	mu  sync.Mutex
	all map[*Watcher]struct{}
}

// Watcher collects the names of sites that changed. A slow reader loses none: names wait in a set, so they are
// bounded by the number of sites.
type Watcher struct {
	hub     *watchers
	mu      sync.Mutex
	changed map[string]struct{}
	signal  chan struct{}
}

// Watch starts collecting. Close it when done.
func (s *Service) Watch() *Watcher { return s.watchers.add() }

func (h *watchers) add() *Watcher {
	w := &Watcher{hub: h, changed: make(map[string]struct{}), signal: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = make(map[*Watcher]struct{})
	}
	h.all[w] = struct{}{}
	return w
}

func (h *watchers) notify(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.all {
		w.put(name)
	}
}

func (w *Watcher) put(name string) {
	w.mu.Lock()
	w.changed[name] = struct{}{}
	w.mu.Unlock()
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// Next waits for changes and returns the names, sorted, each once; or ctx's error.
func (w *Watcher) Next(ctx context.Context) ([]string, error) {
	select {
	case <-w.signal:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	names := slices.Sorted(maps.Keys(w.changed))
	clear(w.changed)
	return names, nil
}

// Close ends the collecting.
func (w *Watcher) Close() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	delete(w.hub.all, w)
}
