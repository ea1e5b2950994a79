package sites

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"
)

// unpackGrace is how long unpacking may hold up the end of berth.
const unpackGrace = 15 * time.Second

// Arrival is an upload that has arrived whole and is being unpacked.
type Arrival struct {
	service *Service
	actor   Actor
	site    Site            // as it was when the upload began
	number  int64           // in the order of arrival
	zip     string          // path of the file
	unfit   error           // why it cannot be unpacked, where that is known already
	turn    <-chan struct{} // closed once it is this one's turn among those of the site; nil: it is
	done    chan struct{}   // closed when release and err are set for good

	mu      sync.Mutex
	release Release
	err     error
	left    bool  // nobody waits any more
	kept    int64 // ID of the KeptArrival; 0: none
	settled bool  // a release is recorded, or will never be: there is nothing to keep any more
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
	arrival := s.newArrival(actor, site, zip)
	if !s.work.start(arrival.takeIn) {
		s.conditions.endUnpacking(site.ID, "")
		s.removeZip(zip)
		return nil, errStopping()
	}
	s.watchers.notify(site.Name)
	return arrival, nil
}

// newArrival takes the last place among the uploads of a site that have arrived. The end of the arrival makes room again.
func (s *Service) newArrival(actor Actor, site Site, zip string) *Arrival {
	arrival := &Arrival{service: s, actor: actor, site: site, zip: zip, done: make(chan struct{})}
	arrival.number, arrival.turn = s.conditions.beginUnpacking(site.ID, arrival.done)
	return arrival
}

func errStopping() error {
	return Refuse(ErrNotReady, "The server is stopping. Upload again when it is back.")
}

// takeIn makes an arrival a release.
func (a *Arrival) takeIn(ctx context.Context) {
	release, err := a.unpack(ctx)
	a.end(ctx, release, err)
}

// unpack waits for its turn: of two uploads the one that has come last is the newer release, however large they are. It outlives a
// panic, as what answers requests does: the zip is a stranger's.
func (a *Arrival) unpack(ctx context.Context) (_ Release, err error) {
	s := a.service
	defer s.admission.leave(a.actor.ID)
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("unpack: panic: %v\n%s", fault, debug.Stack())
		}
	}()
	if a.turn != nil {
		select {
		case <-a.turn:
		case <-ctx.Done():
			return Release{}, errStopping()
		}
	}
	if a.unfit != nil {
		return Release{}, a.unfit
	}
	ctx, cancel := outliving(ctx, unpackGrace)
	defer cancel()
	return s.acceptUpload(ctx, a)
}

// outliving is a context that ends some time after ctx.
func outliving(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer, func() { stop(); cancel() }
}

// end tells what has become of the arrival. What no release tells is told by the site, if nobody has waited for it.
func (a *Arrival) end(ctx context.Context, release Release, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.release, a.err, a.settled = release, err, true
	lost := ""
	switch {
	case err == nil || release.Number != 0:
		a.service.removeZip(a.zip)
	case a.kept != 0 && ctx.Err() != nil:
		// berth is stopping; the next start goes on with it.
	default:
		lost = a.lose(ctx, err)
	}
	a.service.conditions.endUnpacking(a.site.ID, lost)
	close(a.done)
	a.service.watchers.notify(a.site.Name)
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
