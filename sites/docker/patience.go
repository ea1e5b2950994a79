package docker

import (
	"context"
	"time"
)

// patience is how long the engine, and what it runs, is waited for.
type patience struct {
	call    time.Duration // for a call that takes milliseconds when all is well; under load the engine queues them
	list    time.Duration // for the calls of a listing, whose caller waits for an answer
	rules   time.Duration // for the isolation rules, in a listing that depends on them
	pull    time.Duration // for a template's image
	ready   time.Duration // until an instance answers
	remove  time.Duration // for the clearing away of what a failed start has left; later listings make up for it
	parting time.Duration // for what is under way when its caller leaves
	upkeep  time.Duration // between two settings of the isolation rules: others can flush the host's packet filter
}

func usual() patience {
	return patience{
		call: time.Minute, list: 5 * time.Second, rules: 10 * time.Second, pull: 15 * time.Minute,
		ready: 30 * time.Second, remove: 20 * time.Second, parting: 8 * time.Second, upkeep: 5 * time.Minute,
	}
}

// outlasting returns a context that ends after most, or when ctx has ended and parting has gone by since.
func outlasting(ctx context.Context, most, parting time.Duration) (context.Context, context.CancelFunc) {
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), most)
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(parting)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-call.Done():
		}
	})
	return call, func() { stop(); cancel() }
}

// turns lets as many through at a time as it has room for.
type turns chan struct{}

// take waits for a turn, which must be ended, or returns ctx's error.
func (t turns) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turns) end() { <-t }
