package transfer

import (
	"context"
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

// fakePrimary answers SOA, AXFR and IXFR questions.
type fakePrimary struct {
	mu     sync.Mutex
	serial uint32
	away   bool
	asked  []time.Time                 // when for the SOA record
	axfr   func(q *dns.Msg) []*dns.Msg // instead of the zone
	ixfr   func(q *dns.Msg) []*dns.Msg // instead of NOTIMP
	alter  func(m *dns.Msg)            // of the SOA answer
}

func (p *fakePrimary) answer(_, _ string, q *dns.Msg) []*dns.Msg {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q.Question[0].Qtype == dns.TypeSOA {
		p.asked = append(p.asked, time.Now())
	}
	m := new(dns.Msg).SetReply(q)
	m.Authoritative = true
	switch {
	case p.away:
		return nil
	case q.Question[0].Qtype == dns.TypeSOA:
		m.Answer = otherRecords(p.serial)[:1]
		if p.alter != nil {
			p.alter(m)
		}
	case q.Question[0].Qtype == dns.TypeIXFR && p.ixfr != nil:
		return p.ixfr(q)
	case q.Question[0].Qtype == dns.TypeIXFR:
		m.Rcode = dns.RcodeNotImplemented
	case p.axfr != nil:
		return p.axfr(q)
	default:
		m.Answer = append(otherRecords(p.serial), otherRecords(p.serial)[0])
	}
	return []*dns.Msg{m}
}

func (p *fakePrimary) set(change func(*fakePrimary)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func rr(text string) dns.RR {
	rr, err := dns.NewRR(text)
	if err != nil {
		panic(err)
	}
	return rr
}

func soaRR(serial uint32) dns.RR {
	soa := rr("other.test. 60 IN SOA ns.other.test. h.other.test. 1 3600 600 86400 60").(*dns.SOA)
	soa.Serial = serial
	return soa
}

// otherRecords is the whole zone other.test at a version.
func otherRecords(serial uint32) []dns.RR {
	return []dns.RR{soaRR(serial), rr("other.test. 60 IN NS ns.other.test."), rr("ns.other.test. 60 IN A 192.0.2.1")}
}

// following runs a service with a secondary zone of the primary.
func following(t *testing.T, p *fakePrimary, dir string) (*Service, *zone.Zone, func()) {
	z, err := zone.NewSecondary("other.test", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{Dir: dir, Dial: (&fakeNet{p.answer}).dial})
	s.Put(sites.PublishedZone{Zone: sites.Zone{
		Name: "other.test", Kind: sites.ZoneSecondary, Primaries: []sites.Primary{{Addr: netip.MustParseAddrPort("192.0.2.53:53")}},
	}}, z)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	stop := func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return s, z, stop
}

// A zone is refreshed, and asked for again while its primary is away, by the times of its SOA record; when those have
// passed it is given up, and comes back with the primary.
func TestTimersOfTheSOARecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePrimary{serial: 1}
		s, z, _ := following(t, p, "")
		time.Sleep(10 * time.Hour)
		p.set(func(p *fakePrimary) {
			if n := len(p.asked); n < 10 || n > 12 {
				t.Errorf("asked %d times in ten hours, want once in 54 to 60 minutes", n)
			}
			p.away, p.asked = true, nil
		})
		began := time.Now()
		_, before := s.Status("other.test")
		time.Sleep(22 * time.Hour)
		if !z.Current().Known() {
			t.Error("the zone is given up too early")
		}
		p.set(func(p *fakePrimary) {
			// Three questions make an attempt: two by UDP, one by TCP.
			if n := len(p.asked) / 3; n < 120 || n > 150 {
				t.Errorf("asked %d times in 22 hours, want once in 9 to 10 minutes", n)
			}
		})
		time.Sleep(time.Until(before.ExpiresAt) + time.Second)
		if z.Current().Known() || time.Since(began) > 24*time.Hour+time.Minute {
			t.Errorf("the zone is answered from after %s", time.Since(began))
		}
		p.set(func(p *fakePrimary) { p.away, p.serial = false, 2 })
		time.Sleep(2 * time.Hour)
		if now := z.Current(); !now.Known() || now.Serial() != 2 {
			t.Error("the zone does not come back")
		}
		if _, status := s.Status("other.test"); status.Err != "" || !status.ExpiresAt.After(time.Now()) {
			t.Errorf("status %+v", status)
		}
	})
}

// A NOTIFY of a primary has the zone refreshed at once; others are refused.
func TestNotifyRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePrimary{serial: 1}
		s, z, _ := following(t, p, "")
		time.Sleep(time.Minute)
		p.set(func(p *fakePrimary) { p.serial = 2 })
		notify := new(dns.Msg).SetNotify("other.test.")
		if m := unpack(t, serve(t, s, stranger, true, pack(t, notify))[0]); m.Rcode != dns.RcodeRefused {
			t.Error("a stranger's NOTIFY:", dns.RcodeToString[m.Rcode])
		}
		synctest.Wait()
		if serial := z.Current().Serial(); serial != 1 {
			t.Fatal("a stranger moves the zone to", serial)
		}
		m := unpack(t, serve(t, s, "192.0.2.53:40000", true, pack(t, notify))[0])
		if m.Rcode != dns.RcodeSuccess || !m.Authoritative || m.Opcode != dns.OpcodeNotify || len(m.Question) != 1 {
			t.Errorf("the primary's NOTIFY: %v", m)
		}
		synctest.Wait()
		if serial := z.Current().Serial(); serial != 2 {
			t.Error("serial", serial)
		}
		notify.SetNotify("unknown.test.")
		if m := unpack(t, serve(t, s, "192.0.2.53:40000", true, pack(t, notify))[0]); m.Rcode != dns.RcodeNotAuth {
			t.Error("a zone that is not here:", dns.RcodeToString[m.Rcode])
		}
	})
}

// A primary that says what cannot be right leaves the zone as it was, and the status tells what it was.
func TestGarbageLeavesTheZone(t *testing.T) {
	reply := func(q *dns.Msg, rrs ...dns.RR) []*dns.Msg {
		m := new(dns.Msg).SetReply(q)
		m.Answer = rrs
		return []*dns.Msg{m}
	}
	with := func(make func(q *dns.Msg) []*dns.Msg) func(*fakePrimary) {
		return func(p *fakePrimary) { p.axfr, p.ixfr = make, make }
	}
	for name, c := range map[string]struct {
		alter func(*fakePrimary)
		want  string
	}{
		"refused":           {with(func(q *dns.Msg) []*dns.Msg { m := reply(q); m[0].Rcode = dns.RcodeRefused; return m }), "it answers the AXFR request with REFUSED"},
		"no records":        {with(func(q *dns.Msg) []*dns.Msg { return reply(q) }), "has no records"},
		"no SOA first":      {with(func(q *dns.Msg) []*dns.Msg { return reply(q, otherRecords(2)[1:]...) }), "does not begin with the SOA record"},
		"SOA of others":     {with(func(q *dns.Msg) []*dns.Msg { return reply(q, rr("evil.test. 1 IN SOA a. b. 9 1 1 1 1")) }), "SOA record of evil.test."},
		"nothing but SOA":   {with(func(q *dns.Msg) []*dns.Msg { return reply(q, soaRR(2), soaRR(2)) }), "cannot be served"},
		"another end":       {with(func(q *dns.Msg) []*dns.Msg { return reply(q, append(otherRecords(2), soaRR(3))...) }), "begins with serial 2 and ends with 3"},
		"more than the end": {with(func(q *dns.Msg) []*dns.Msg { return reply(q, append(otherRecords(2), soaRR(2), soaRR(2))...) }), "goes on after its end"},
		"never ends":        {with(func(q *dns.Msg) []*dns.Msg { return reply(q, otherRecords(2)...) }), "it does not answer"},
		"another question":  {with(func(q *dns.Msg) []*dns.Msg { q.Question[0].Name = "evil.test."; return reply(q, otherRecords(2)...) }), "to another question"},
		"another id":        {with(func(q *dns.Msg) []*dns.Msg { q.Id++; return reply(q, otherRecords(2)...) }), "to another question"},
		"older":             {func(p *fakePrimary) { p.serial = 0 }, "its serial 0 is older than 1"},
		"not authoritative": {func(p *fakePrimary) { p.alter = func(m *dns.Msg) { m.Authoritative = false } }, "not authoritative"},
		"no such zone":      {func(p *fakePrimary) { p.alter = func(m *dns.Msg) { m.Answer = nil } }, "has no SOA record of the zone"},
		"SERVFAIL":          {func(p *fakePrimary) { p.alter = func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure } }, "it answers the SOA query with SERVFAIL"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &fakePrimary{serial: 1}
				s, z, _ := following(t, p, "")
				synctest.Wait()
				p.set(func(p *fakePrimary) { p.serial = 2; c.alter(p) })
				time.Sleep(2 * time.Hour)
				if now := z.Current(); !now.Known() || now.Serial() != 1 {
					t.Errorf("known %t, serial %d", now.Known(), now.Serial())
				}
				if _, status := s.Status("other.test"); !strings.Contains(status.Err, c.want) {
					t.Errorf("%q, want %q", status.Err, c.want)
				}
			})
		})
	}
}

// When a primary's differences do not lead from what is there, the whole zone is taken.
func TestWrongDifferencesEndInTheWholeZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePrimary{serial: 1}
		_, z, _ := following(t, p, "")
		synctest.Wait()
		p.set(func(p *fakePrimary) {
			p.serial = 3
			p.ixfr = func(q *dns.Msg) []*dns.Msg {
				m := new(dns.Msg).SetReply(q)
				m.Answer = []dns.RR{soaRR(3), soaRR(1), rr("never.other.test. 1 IN A 192.0.2.9"), soaRR(3), soaRR(3)}
				return []*dns.Msg{m}
			}
		})
		time.Sleep(time.Hour)
		if serial := z.Current().Serial(); serial != 3 {
			t.Error("serial", serial)
		}
	})
}

// The zone outlives a restart without its primary, but not beyond its expiry; and one that is dropped leaves nothing.
func TestZonesAreKeptOnDisk(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := &fakePrimary{serial: 7}
		_, _, stop := following(t, p, dir)
		synctest.Wait()
		stop()
		p.away = true
		_, z, stop := following(t, p, dir)
		synctest.Wait()
		if serial := z.Current().Serial(); serial != 7 {
			t.Error("serial", serial, "after a restart")
		}
		stop()
		time.Sleep(25 * time.Hour)
		s, z, stop := following(t, p, dir)
		synctest.Wait()
		if z.Current().Known() {
			t.Error("the zone is answered from a day too late")
		}
		s.Drop("other.test")
		stop()
	})
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Error("left:", left, err)
	}
}

// A file that is damaged is no zone.
func TestDamagedFilesAreNotServed(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := &fakePrimary{serial: 7}
		_, _, stop := following(t, p, dir)
		synctest.Wait()
		stop()
		path := filepath.Join(dir, "other.test.zone")
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		p.away = true
		for n := 0; n < len(content); n += 5 {
			if err := os.WriteFile(path, content[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			_, z, stop := following(t, p, dir)
			synctest.Wait()
			if z.Current().Known() {
				t.Errorf("a file of %d bytes of %d is served", n, len(content))
			}
			stop()
		}
	})
}
