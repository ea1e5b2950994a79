package dnsserver

import (
	"fmt"
	"testing"

	"berth/dnsserver/zone"
)

// BenchmarkLookup is the index alone, BenchmarkRespond the whole way from packet to packet.
func BenchmarkLookup(b *testing.B) {
	for _, names := range []int{10, 10_000, 100_000} {
		b.Run(fmt.Sprint(names, " names"), func(b *testing.B) {
			s := newServer(b, testConfig())
			all := siteNames(names)
			s.Apply(full(1, all...))
			now := s.zones.Load().main.Current()
			keys := make([][]byte, len(all))
			for i, name := range all {
				keys[i] = []byte(name + "\x00")
			}
			var r zone.Reply
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				now.Lookup(&r, keys[i], 1, false)
				if len(r.Answer) != 1 {
					b.Fatal("not found")
				}
				i = (i + 7919) % len(keys)
			}
		})
	}
}

func BenchmarkRespond(b *testing.B) {
	s := populated(b)
	for _, ask := range []string{"hello.example.test A", "missing.example.test A", "example.test NS", "chain.example.test A", "host.child.example.test A"} {
		b.Run(ask, func(b *testing.B) {
			packet := pack(b, withSize(ask, 1232))
			responder := s.newResponder()
			var out []byte
			b.ReportAllocs()
			for b.Loop() {
				out = responder.respond(out[:0], packet, overUDP, testClient)
			}
		})
	}
}

// A query is answered without an allocation, whether the client wants signatures or not.
func TestAnswersDoNotAllocate(t *testing.T) {
	for name, server := range map[string]*Server{"plain": populated(t), "signed": signed(t, testConfig(), "hello")} {
		responder := server.newResponder()
		var out []byte
		for _, ask := range []string{
			"hello.example.test A", "hello.example.test AAAA", "hello.example.test TYPE99", "missing.example.test A",
			"example.test NS", "example.test SOA", "chain.example.test A",
		} {
			for _, do := range []bool{false, true} {
				q := withSize(ask, 1232)
				q.IsEdns0().SetDo(do)
				packet := pack(t, q)
				if n := testing.AllocsPerRun(100, func() { out = responder.respond(out[:0], packet, overUDP, testClient) }); n > 0 {
					t.Errorf("%s, %s, DO %v: %.0f allocations", name, ask, do, n)
				}
			}
		}
	}
}

// BenchmarkFullChange is a full change of 10,000 sites: into an empty zone, and with everything in place.
func BenchmarkFullChange(b *testing.B) {
	all := full(1, siteNames(10_000)...)
	b.Run("into an empty zone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			newServer(b, testConfig()).Apply(all)
		}
	})
	b.Run("with nothing new", func(b *testing.B) {
		s := newServer(b, testConfig())
		b.ReportAllocs()
		for b.Loop() {
			s.Apply(all)
		}
	})
}

func siteNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%c%c%d", 'a'+i%26, 'a'+i/26%26, i)
	}
	return names
}
