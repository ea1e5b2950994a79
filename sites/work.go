package sites

import (
	"context"
	"sync"
)

// work is the set of goroutines that a Service has started. After stop none is started and all have ended.
type work struct {
	ctx    context.Context // of all background work; ends with stop
	cancel context.CancelFunc
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

func newWork() work {
	ctx, cancel := context.WithCancel(context.Background())
	return work{ctx: ctx, cancel: cancel}
}

// start runs fn in a goroutine of its own, unless stop was called; it reports whether it did.
func (w *work) start(fn func(context.Context)) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.wg.Go(func() { fn(w.ctx) })
	return true
}

func (w *work) stop() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.cancel()
	w.wg.Wait()
}
