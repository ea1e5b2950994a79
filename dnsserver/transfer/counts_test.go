package transfer

import (
	"errors"
	"maps"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// wantCounts compares what has been counted; what is not named has not come.
func wantCounts(t *testing.T, s *Service, want map[Outcome]uint64) {
	t.Helper()
	got := s.Counts()
	if len(got) != len(outcomes) {
		t.Errorf("%d outcomes are told of %d", len(got), len(outcomes))
	}
	maps.DeleteFunc(got, func(_ Outcome, n uint64) bool { return n == 0 })
	if !maps.Equal(got, want) {
		t.Errorf("counted %v\nwant %v", got, want)
	}
}

func TestTransfersOutAreCounted(t *testing.T) {
	s, z := newPrimary(t, 100)
	z.Apply(sites.Change{Revision: 2, RRSets: []sites.RRSet{addressSet(200)}})
	ask := func(client string, m *dns.Msg) { serve(t, s, client, false, pack(t, m)) }
	ask(friend, axfr())
	ask(friend, ixfr(1))
	ask(friend, ixfr(0))
	ask(friend, ixfr(2))
	serve(t, s, friend, true, pack(t, ixfr(1)))
	ask(stranger, axfr())
	ask(stranger, ixfr(1))
	ask(friend, new(dns.Msg).SetQuestion("example.test.", dns.TypeSOA))
	unknown := testKeys[0]
	unknown.Name = "unknown.test"
	packet, _ := signedBy(t, axfr(), unknown, time.Now())
	serve(t, s, keyed, false, packet)
	gone := errors.New("the connection is gone")
	for _, m := range []*dns.Msg{axfr(), ixfr(1)} {
		err := s.Serve(t.Context(), Request{
			Packet: pack(t, m), Client: netip.MustParseAddrPort(friend), Write: func([]byte) error { return gone },
		})
		if !errors.Is(err, gone) {
			t.Error(err)
		}
	}
	serve(t, s, friend, true, pack(t, new(dns.Msg).SetNotify("example.test.")))
	wantCounts(t, s, map[Outcome]uint64{
		{"out", "axfr", "done"}: 1, {"out", "axfr", "refused"}: 2, {"out", "axfr", "failed"}: 1,
		{"out", "ixfr", "done"}: 1, {"out", "ixfr", "whole"}: 1, {"out", "ixfr", "soa"}: 2, {"out", "ixfr", "refused"}: 1, {"out", "ixfr", "failed"}: 1,
		{"in", "notify", "refused"}: 1,
	})
}

func TestTransfersInAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePrimary{serial: 1}
		s, _, _ := following(t, p, "")
		synctest.Wait()
		next := func(serial uint32, ixfr func(q *dns.Msg) []*dns.Msg) {
			t.Helper()
			p.set(func(p *fakePrimary) { p.serial, p.ixfr = serial, ixfr })
			time.Sleep(time.Minute)
			serve(t, s, "192.0.2.53:40000", true, pack(t, new(dns.Msg).SetNotify("other.test.")))
			synctest.Wait()
		}
		reply := func(rrs ...dns.RR) func(q *dns.Msg) []*dns.Msg {
			return func(q *dns.Msg) []*dns.Msg {
				m := new(dns.Msg).SetReply(q)
				m.Answer = rrs
				return []*dns.Msg{m}
			}
		}
		next(2, nil) // NOTIMP: the whole zone then
		next(3, reply(soaRR(3), soaRR(2), soaRR(3), soaRR(3)))
		next(4, reply(append(otherRecords(4), soaRR(4))...))
		next(5, reply(soaRR(4)))
		next(3, nil) // an older version: nothing is transferred
		wantCounts(t, s, map[Outcome]uint64{
			{"in", "axfr", "done"}: 2, {"in", "ixfr", "failed"}: 1, {"in", "ixfr", "done"}: 1, {"in", "ixfr", "whole"}: 1, {"in", "ixfr", "soa"}: 1,
			{"in", "notify", "done"}: 5,
		})
	})
}

func TestNotifiesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &notices{deaf: true}
		s, z := notifying(t, n)
		time.Sleep(time.Hour)
		n.mu.Lock()
		n.deaf = false
		n.mu.Unlock()
		z.Apply(sites.Change{Revision: 2, RRSets: []sites.RRSet{addressSet(1)}})
		s.Changed("example.test")
		time.Sleep(time.Hour)
		wantCounts(t, s, map[Outcome]uint64{{"out", "notify", "failed"}: 5, {"out", "notify", "done"}: 1})
	})
}
