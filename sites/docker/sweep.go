package docker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
)

// errExposed is why an instance of a template's image is stopped that the rules do not isolate.
var errExposed = errors.New("the isolation rules are not in force")

// orphan is a container that is no instance, or must not be one.
type orphan struct {
	container.Summary
	reason error
}

// orphans are those that the last listing found. It is safe for concurrent use.
type orphans struct {
	mu    sync.Mutex
	found []orphan
	some  chan struct{} // holds a value after each listing that found any
}

func newOrphans() *orphans { return &orphans{some: make(chan struct{}, 1)} }

// set replaces what an earlier listing found: a container may have come back to life since.
func (o *orphans) set(found []orphan) {
	o.mu.Lock()
	o.found = found
	o.mu.Unlock()
	if len(found) == 0 {
		return
	}
	select {
	case o.some <- struct{}{}:
	default:
	}
}

func (o *orphans) next() (orphan, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.found) == 0 {
		return orphan{}, false
	}
	first := o.found[0]
	o.found = o.found[1:]
	return first, true
}

// sweepUntil removes orphans as listings find them, so that no listing waits for a removal.
func (r *Runtime) sweepUntil(ctx context.Context) {
	for {
		select {
		case <-r.orphans.some:
		case <-ctx.Done():
			return
		}
		for ctx.Err() == nil {
			o, ok := r.orphans.next()
			if !ok {
				break
			}
			r.sweep(ctx, o)
		}
	}
}

func (r *Runtime) sweep(ctx context.Context, o orphan) {
	name := containerName(o.Summary)
	r.log.Info("removing a container that is no instance", "container", name, "site", o.Labels[labelName],
		"state", o.State, "status", o.Status, "created", time.Unix(o.Created, 0), "reason", o.reason)
	if o.Labels[labelSite] != "" {
		r.deeds.stop(name)
	}
	if !r.discard(ctx, name) {
		return
	}
	if addr, ok := fixedAddress(o.Summary); ok {
		r.addresses.giveBack(addr)
	}
}
