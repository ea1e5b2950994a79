package docker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/docker/docker/api/types/events"
)

const (
	// backoffMin and backoffMax bound the pauses while the engine does not answer.
	backoffMin = 200 * time.Millisecond
	backoffMax = 5 * time.Second
)

// Watch implements sites.Runtime. It also calls changed when it begins to see, at first and after the engine was away,
// because what happened before is unknown; by then the engine is prepared. Meanwhile it keeps the isolation rules in force
// and removes the containers that Instances found to be none.
func (r *Runtime) Watch(ctx context.Context, changed func()) {
	var sweeping sync.WaitGroup
	sweeping.Go(func() { r.sweepUntil(ctx) })
	defer sweeping.Wait()
	pause := backoffMin
	for ctx.Err() == nil {
		began := time.Now()
		err := r.watchOnce(ctx, changed)
		if ctx.Err() != nil {
			return
		}
		r.lose("watch", err)
		if time.Since(began) > backoffMax {
			pause = backoffMin
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause = min(pause*2, backoffMax)
	}
}

// watchOnce follows one stream of events until it breaks.
func (r *Runtime) watchOnce(ctx context.Context, changed func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := r.keepReady(ctx, r.ready); err != nil {
		return err
	}
	r.deeds.reset()
	filter := r.ours(labelSite)
	filter.Add("type", string(events.ContainerEventType))
	stream, errs := r.engine().Events(ctx, events.ListOptions{Filters: filter})
	changed()
	upkeep := time.NewTicker(r.wait.upkeep)
	defer upkeep.Stop()
	for {
		select {
		case event := <-stream:
			if r.matters(event) {
				changed()
			}
		case err := <-errs:
			return fmt.Errorf("events: %w", err)
		case <-upkeep.C:
			if err := r.keepReady(ctx, r.again); err != nil {
				return err
			}
			if !r.inForce.Load() {
				changed() // there may be instances that must not run like that
			}
		}
	}
}

// keepReady prepares and returns an error only when the engine is away. With one that answers and cannot be prepared,
// events still matter; each start tries again and says why it fails.
func (r *Runtime) keepReady(ctx context.Context, prepare func(context.Context) (*preparation, error)) error {
	_, err := prepare(ctx)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil || r.lost.Load() {
		return err
	}
	r.log.Warn("preparing the container engine failed", "error", err)
	return nil
}

// matters reports whether an event changes what runs, and was not berth's own doing.
func (r *Runtime) matters(event events.Message) bool {
	switch event.Action {
	case events.ActionStart, events.ActionDie, events.ActionOOM, events.ActionDestroy, events.ActionPause, events.ActionUnPause:
	default:
		return false
	}
	name := event.Actor.Attributes["name"]
	if r.deeds.explain(name, event.Action == events.ActionStart, event.Action == events.ActionDestroy) {
		return false
	}
	if event.Action == events.ActionDie {
		r.doubts.raise(name)
	}
	return true
}
