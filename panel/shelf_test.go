package panel

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"berth/sites"
)

// shelf is a runtime that serves nothing and remembers what it should.
type shelf struct {
	mu      sync.Mutex
	next    int
	running map[string]sites.Instance
	refuse  error
	held    chan struct{} // Start waits for it to close, when set
}

func (s *shelf) Start(_ context.Context, spec sites.Spec) (sites.Instance, error) {
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	if held != nil {
		<-held
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return sites.Instance{}, s.refuse
	}
	s.next++
	i := sites.Instance{
		ID: fmt.Sprint(s.next), Site: spec.Site, Release: spec.Release, Limits: spec.Limits, StartedAt: time.Now(),
		Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(s.next)}), 8080),
	}
	s.running[i.ID] = i
	return i, nil
}

func (s *shelf) Stop(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, id)
	return nil
}

func (s *shelf) Instances(context.Context) ([]sites.Instance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []sites.Instance
	for _, i := range s.running {
		all = append(all, i)
	}
	return all, nil
}

func (s *shelf) Logs(ctx context.Context, id string, q sites.LogQuery, w io.Writer) error {
	if _, err := fmt.Fprintf(w, "tail %d <b>of</b> a site\n", q.Tail); err != nil || !q.Follow {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s *shelf) Watch(ctx context.Context, _ func()) { <-ctx.Done() }

func (s *shelf) Info(context.Context) sites.RuntimeInfo {
	return sites.RuntimeInfo{Name: "embedded", Version: "1"}
}

func (s *shelf) Drain(context.Context, netip.AddrPort) error { return nil }

// holdUp has Start wait until the returned function is called.
func (s *shelf) holdUp() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = make(chan struct{})
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(s.held)
		s.held = nil
	})
}

func (s *shelf) setRefusal(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = err
}
