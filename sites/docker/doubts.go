package docker

import "sync"

// doubts are names of containers whose end the engine has told since the last listing. It tells before it cleans up, and lists
// them as running until it has; an inspection waits for that. It is safe for concurrent use.
type doubts struct {
	mu    sync.Mutex
	names map[string]bool
}

func (d *doubts) raise(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names == nil {
		d.names = make(map[string]bool)
	}
	d.names[name] = true
}

// take hands all of them to a listing, which settles them or raises them again.
func (d *doubts) take() map[string]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := d.names
	d.names = nil
	return names
}
