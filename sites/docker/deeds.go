package docker

import "sync"

// deeds tells what berth did itself from what happened to it. Containers go by name, which is known before they exist.
// It is safe for concurrent use.
type deeds struct {
	mu       sync.Mutex
	underway map[string]bool // being started: neither an instance nor an orphan; true once the engine's event of it came by
	unseen   map[string]bool // started, and the event is still to come
	stopping map[string]bool // being stopped, until the engine's event of its removal has come by
}

func newDeeds() *deeds {
	d := &deeds{underway: make(map[string]bool)}
	d.reset()
	return d
}

// reset forgets events that will not come, because the stream of events broke.
func (d *deeds) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unseen = make(map[string]bool)
	d.stopping = make(map[string]bool)
}

// begin says that a container of the name is being started. It must end.
func (d *deeds) begin(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.underway[name] = false
}

// end says whether the container runs now.
func (d *deeds) end(name string, running bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if running && !d.underway[name] {
		d.unseen[name] = true
	}
	delete(d.underway, name)
}

func (d *deeds) isUnderway(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.underway[name]
	return ok
}

func (d *deeds) stop(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.unseen, name)
	d.stopping[name] = true
}

// notStopped takes back a stop that failed or had nothing to stop.
func (d *deeds) notStopped(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.stopping, name)
}

// explain reports whether an event is one that berth caused.
func (d *deeds) explain(name string, started, removed bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopping[name] {
		if removed {
			delete(d.stopping, name)
		}
		return true
	}
	if _, ok := d.underway[name]; ok {
		d.underway[name] = d.underway[name] || started
		return true
	}
	if started && d.unseen[name] {
		delete(d.unseen, name)
		return true
	}
	return false
}
