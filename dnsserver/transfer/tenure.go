package transfer

import "sync"

// tenure is the time for which one goroutine has the file of a zone to itself. Who comes after it, for a zone of the same name,
// waits for its end.
type tenure struct {
	remove   func()        // takes the file away
	previous *tenure       // whose end is waited for
	finished chan struct{} // closed at the end

	mu        sync.Mutex
	running   bool
	forgotten bool // the file is to go
}

func newTenure(remove func()) *tenure { return &tenure{remove: remove, finished: make(chan struct{})} }

// begin notes that the goroutine follows, once the previous tenure, if there is one, has ended.
func (t *tenure) begin(previous *tenure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.previous, t.running = previous, true
}

// wait is what the goroutine does first.
func (t *tenure) wait() {
	if t.previous != nil {
		<-t.previous.finished
		t.previous = nil // nor what came before that
	}
}

// end reports whether the goroutine has yet to end; it removes the file then, where that is to be forgotten.
func (t *tenure) end(forget bool) (running bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forgotten = forget
	if forget && !t.running {
		t.remove()
	}
	return t.running
}

// leave is what the goroutine does last.
func (t *tenure) leave() {
	t.mu.Lock()
	t.running = false
	forgotten := t.forgotten
	t.mu.Unlock()
	if forgotten {
		t.remove()
	}
	close(t.finished)
}

func (t *tenure) isForgotten() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.forgotten
}
