package transfer

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"berth/dnsserver/zone"
	"berth/sites"

	"github.com/miekg/dns"
)

var otherZone = sites.PublishedZone{Zone: sites.Zone{
	Name: "other.test", Kind: sites.ZoneSecondary, Primaries: []sites.Primary{{Addr: netip.MustParseAddrPort("192.0.2.53:53")}},
}}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// newSecondaryZone is the zone other.test, still without content.
func newSecondaryZone(t *testing.T) *zone.Zone {
	t.Helper()
	z, err := zone.NewSecondary("other.test", nil)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// busyDisk runs a service with the zone, whose file is not written until written is closed; writing is closed when it has begun.
func busyDisk(t *testing.T, dir string, writing, written chan struct{}) (s *Service, z *zone.Zone, stop func()) {
	t.Helper()
	var once sync.Once
	s, z = New(Config{Dir: dir, Dial: (&fakeNet{(&fakePrimary{serial: 1}).answer}).dial}), newSecondaryZone(t)
	s.Put(otherZone, z)
	s.named("other.test").follow.file.sync = func(*os.File) error {
		once.Do(func() { close(writing) })
		<-written
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return s, z, stop
}

// A disk that does not come to an end with a zone's file holds up neither changes nor those who ask; the file of a zone that was
// dropped meanwhile goes once it does.
func TestABusyDiskHoldsUpNobody(t *testing.T) {
	dir := t.TempDir()
	writing, written := make(chan struct{}), make(chan struct{})
	s, z, stop := busyDisk(t, dir, writing, written)
	<-writing
	free := make(chan struct{})
	go func() {
		defer close(free)
		again := otherZone
		again.Peers = []sites.Peer{{Name: "another"}}
		s.Put(again, z)
		s.Drop("other.test")
		serve(t, s, "192.0.2.53:40000", true, pack(t, new(dns.Msg).SetNotify("other.test.")))
	}()
	select {
	case <-free:
	case <-time.After(10 * time.Second):
		t.Error("a change or a NOTIFY waits for the disk")
	}
	close(written)
	<-free
	stop()
	if left := filesIn(t, dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A zone that comes back at once has the same file, which the end of the one before must not take away.
func TestAZoneThatComesBackKeepsItsFile(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		writing, written := make(chan struct{}), make(chan struct{})
		s, _, stop := busyDisk(t, dir, writing, written)
		<-writing
		s.Drop("other.test")
		z := newSecondaryZone(t)
		s.Put(otherZone, z)
		synctest.Wait()
		close(written)
		synctest.Wait()
		if names := filesIn(t, dir); !z.Current().Known() || len(names) != 1 {
			t.Errorf("known %t, files %v", z.Current().Known(), names)
		}
		stop()
	})
}

// The time until a zone expires counts from when its primary was asked, however long the disk takes.
func TestExpiryCountsFromTheQuestion(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		began, writing, written := time.Now(), make(chan struct{}), make(chan struct{})
		s, _, stop := busyDisk(t, dir, writing, written)
		<-writing
		time.Sleep(time.Hour)
		close(written)
		synctest.Wait()
		if _, status := s.Status("other.test"); !status.RefreshedAt.Equal(began) || !status.ExpiresAt.Equal(began.Add(24*time.Hour)) {
			t.Errorf("status %+v, want one of %v", status, began)
		}
		stop()
	})
}

// What was kept is there before the first query, unless it is too old; and nobody has to be asked for that.
func TestZonesAreLoadedFirst(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		_, _, stop := following(t, &fakePrimary{serial: 7}, dir)
		synctest.Wait()
		stop()
		for _, known := range []bool{true, false} {
			z := newSecondaryZone(t)
			s := New(Config{Dir: dir})
			s.Put(otherZone, z)
			s.Load(t.Context())
			if z.Current().Known() != known {
				t.Errorf("known %t, want %t", !known, known)
			}
			time.Sleep(25 * time.Hour)
		}
	})
}

// A zone that is a primary one from now on leaves no file, nor does a process that was killed as it wrote one.
func TestNothingIsLeftOnDisk(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".arriving-1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s, _, stop := following(t, &fakePrimary{serial: 7}, dir)
		synctest.Wait()
		if names := filesIn(t, dir); len(names) != 1 || names[0] != "other.test.zone" {
			t.Errorf("files %v", names)
		}
		z, err := zone.New(zone.Config{Name: "other.test", IPv4: []netip.Addr{netip.MustParseAddr("192.0.2.1")}})
		if err != nil {
			t.Fatal(err)
		}
		s.Put(sites.PublishedZone{Zone: sites.Zone{Name: "other.test", Kind: sites.ZonePrimary}}, z)
		synctest.Wait()
		if names := filesIn(t, dir); len(names) > 0 {
			t.Errorf("left: %v", names)
		}
		stop()
	})
}

// A fault of ours, whatever the primary has sent, is a failed refresh: the next primary is asked, and the process goes on.
func TestFaultsAreFailedRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePrimary{serial: 1}
		two := otherZone
		two.Primaries = append([]sites.Primary{{Addr: netip.MustParseAddrPort("192.0.2.66:53")}}, two.Primaries...)
		s := New(Config{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "192.0.2.66:") {
				var none *dns.SOA
				_ = none.Serial
			}
			return (&fakeNet{p.answer}).dial(ctx, network, addr)
		}})
		z := newSecondaryZone(t)
		s.Put(two, z)
		ctx, cancel := context.WithCancel(t.Context())
		go s.Run(ctx)
		time.Sleep(time.Minute)
		if !z.Current().Known() {
			t.Error("the second primary is not asked")
		}
		p.set(func(p *fakePrimary) { p.away = true })
		time.Sleep(2 * time.Hour)
		if _, status := s.Status("other.test"); !strings.Contains(status.Err, "192.0.2.66:53: its answer cannot be used") {
			t.Errorf("status %q", status.Err)
		}
		cancel()
		synctest.Wait()
	})
}

// A transfer between SOA records without data is refused, and the zone comes as soon as the primary sends a true one.
func TestSOAWithoutData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bare := &dns.NULL{Hdr: dns.RR_Header{Name: "other.test.", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}}
		p := &fakePrimary{serial: 1, axfr: func(q *dns.Msg) []*dns.Msg {
			m := new(dns.Msg).SetReply(q)
			m.Answer = []dns.RR{bare, otherRecords(1)[1], bare}
			return []*dns.Msg{m}
		}}
		s, z, _ := following(t, p, t.TempDir())
		time.Sleep(time.Minute)
		if _, status := s.Status("other.test"); z.Current().Known() || status.Err == "" {
			t.Errorf("known %t, status %+v", z.Current().Known(), status)
		}
		p.set(func(p *fakePrimary) { p.axfr = nil })
		time.Sleep(2 * time.Hour)
		if !z.Current().Known() {
			t.Error("the zone does not come")
		}
	})
}

// However many NOTIFY messages claim to come from the primary, it is asked once in a while only.
func TestForgedNotifies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePrimary{serial: 1}
		s, _, _ := following(t, p, "")
		packet := pack(t, new(dns.Msg).SetNotify("other.test."))
		for range 1000 {
			time.Sleep(10 * time.Millisecond)
			serve(t, s, "192.0.2.53:40000", true, packet)
		}
		p.set(func(p *fakePrimary) {
			if n := len(p.asked); n < 4 || n > 6 {
				t.Errorf("asked %d times in 10 seconds", n)
			}
		})
	})
}
