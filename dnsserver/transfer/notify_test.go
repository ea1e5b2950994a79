package transfer

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"berth/dnsserver/zone"
	"berth/sites"

	"github.com/miekg/dns"
)

// notices is what a peer has been told: serials and when, since the beginning.
type notices struct {
	mu      sync.Mutex
	began   time.Time
	serials []uint32
	at      []time.Duration
	deaf    bool
}

func (n *notices) answer(_, _ string, q *dns.Msg) []*dns.Msg {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.serials = append(n.serials, q.Answer[0].(*dns.SOA).Serial)
	n.at = append(n.at, time.Since(n.began).Round(time.Millisecond))
	if n.deaf {
		return nil
	}
	return []*dns.Msg{new(dns.Msg).SetReply(q)}
}

func (n *notices) seen() ([]uint32, []time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.serials), slices.Clone(n.at)
}

// notifying runs a service whose zone has one peer.
func notifying(t *testing.T, n *notices) (*Service, *zone.Zone) {
	s, z := newPrimary(t, 0)
	s.cfg.Dial = (&fakeNet{n.answer}).dial
	n.began = time.Now()
	s.Put(sites.PublishedZone{Zone: sites.Zone{Name: "example.test", Kind: sites.ZonePrimary, Peers: []sites.Peer{
		{Name: "second", Notify: []netip.AddrPort{netip.MustParseAddrPort(friend)}, From: []netip.Prefix{netip.MustParsePrefix("192.0.2.10/32")}},
	}}}, z)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return s, z
}

// Peers hear of a change at once, and of those that follow within a second together.
func TestChangesAreToldTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(notices)
		s, z := notifying(t, n)
		time.Sleep(time.Minute) // of the bubble's clock
		for i := range 100 {
			z.Apply(sites.Change{Revision: int64(2 + i), RRSets: []sites.RRSet{addressSet(i)}})
			s.Changed("example.test")
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		s.Changed("example.test") // and nothing has
		time.Sleep(time.Minute)
		serials, at := n.seen()
		if !slices.Equal(serials, []uint32{1, 2, 101}) || !slices.Equal(at, []time.Duration{0, time.Minute, time.Minute + time.Second}) {
			t.Errorf("serials %v at %v", serials, at)
		}
		peers, _ := s.Status("example.test")
		if len(peers) != 1 || peers[0].Notified != 101 || !peers[0].Answered || peers[0].Err != "" {
			t.Errorf("status %+v", peers)
		}
	})
}

// Who does not answer is told five times, with growing pauses, and again with the next change.
func TestSilentPeersAreToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &notices{deaf: true}
		s, z := notifying(t, n)
		time.Sleep(time.Hour)
		_, at := n.seen()
		want := []time.Duration{0, 2 * time.Second, 6 * time.Second, 14 * time.Second, 30 * time.Second}
		if !slices.Equal(at, want) {
			t.Errorf("at %v, want %v", at, want)
		}
		peers, _ := s.Status("example.test")
		if peers[0].Answered || peers[0].Err != "it does not answer" {
			t.Errorf("status %+v", peers)
		}
		z.Apply(sites.Change{Revision: 2, RRSets: []sites.RRSet{addressSet(1)}})
		s.Changed("example.test")
		time.Sleep(time.Hour)
		if serials, _ := n.seen(); len(serials) != 10 {
			t.Errorf("%d notices", len(serials))
		}
	})
}
