package sites

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// unpackGrace is how long unpacking may hold up the end of berth.
const unpackGrace = 15 * time.Second

// Arrival is an upload that has arrived whole and is being unpacked.
type Arrival struct {
	done    chan struct{} // closed when the rest is set for good
	mu      sync.Mutex
	release Release
	err     error
	left    bool // nobody waits any more
}

// Receive takes a zip as Upload does, and returns once it has arrived. It is unpacked behind the caller, who may wait for
// that or leave: then the site tells how it goes on.
func (s *Service) Receive(ctx context.Context, actor Actor, name string, archive io.Reader) (*Arrival, error) {
	if !s.Ready() {
		return nil, Refuse(ErrNotReady, "berth is still starting. Try again in a moment.")
	}
	site, err := s.owned(ctx, actor, name)
	if err != nil {
		return nil, err
	}
	if err := s.admission.enter(actor.ID); err != nil {
		return nil, err
	}
	arrival, err := s.receive(ctx, actor, site, archive)
	if err != nil {
		s.admission.leave(actor.ID)
	}
	return arrival, err
}

func (s *Service) receive(ctx context.Context, actor Actor, site Site, archive io.Reader) (*Arrival, error) {
	if err := s.roomForUpload(ctx, site); err != nil {
		return nil, err
	}
	zip, err := s.content.receive(ctx, archive, s.maxUpload)
	if err != nil {
		return nil, err
	}
	arrival := &Arrival{done: make(chan struct{})}
	s.conditions.beginUnpacking(site.ID)
	if !s.work.start(func(ctx context.Context) { s.takeIn(ctx, arrival, actor, site, zip) }) {
		s.conditions.endUnpacking(site.ID, "")
		return nil, errors.Join(Refuse(ErrNotReady, "The server is stopping. Upload again when it is back."), os.Remove(zip))
	}
	s.watchers.notify(site.Name)
	return arrival, nil
}

// takeIn makes an arrival a release. What no release tells is told by the site, if nobody has waited for it.
func (s *Service) takeIn(ctx context.Context, arrival *Arrival, actor Actor, site Site, zip string) {
	release, err := s.unpackArrival(ctx, actor, site, zip)
	arrival.finish(release, err, func(left bool) {
		lost := ""
		if left && err != nil && release.Number == 0 && !errors.Is(err, ErrNotFound) {
			lost = s.sentence(err)
		}
		s.conditions.endUnpacking(site.ID, lost)
	})
	s.watchers.notify(site.Name)
}

// unpackArrival outlives a panic, as what answers requests does: the zip is a stranger's.
func (s *Service) unpackArrival(ctx context.Context, actor Actor, site Site, zip string) (_ Release, err error) {
	defer s.admission.leave(actor.ID)
	defer os.Remove(zip)
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("unpack: panic: %v\n%s", fault, debug.Stack())
		}
	}()
	ctx, cancel := outliving(ctx, unpackGrace)
	defer cancel()
	return s.acceptUpload(ctx, actor, site, zip)
}

// outliving is a context that ends some time after ctx.
func outliving(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer, func() { stop(); cancel() }
}

// finish calls settle before anybody learns of the end, with whether who has sent it waits no more.
func (a *Arrival) finish(release Release, err error, settle func(left bool)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.release, a.err = release, err
	settle(a.left)
	close(a.done)
}

// Wait returns the release once it is recorded, or why there is none. When ctx is done before, it returns ctx's error, and
// how it ends is told with the site.
func (a *Arrival) Wait(ctx context.Context) (Release, error) {
	select {
	case <-a.done:
	case <-ctx.Done():
		if a.leave() {
			return Release{}, ctx.Err()
		}
	}
	if a.err != nil {
		return Release{}, a.err
	}
	return a.release, nil
}

// leave reports whether there is nothing to know yet.
func (a *Arrival) leave() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-a.done:
		return false
	default:
		a.left = true
		return true
	}
}
