package dnsserver

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func limitedConfig(rate int) Config {
	cfg := testConfig()
	cfg.RateLimit = rate
	cfg.RateLimitExempt = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("2001:db8:ee::/48")}
	return cfg
}

func limited(t testing.TB, rate int) *Server {
	s := newServer(t, limitedConfig(rate))
	s.Apply(full(1, siteNames(400)...))
	return s
}

// flood asks n times from an address, and returns how often there was a whole answer, a short one and none.
func flood(t testing.TB, s *Server, n int, from string, via transport, query func(i int) *dns.Msg) (whole, short, none int) {
	t.Helper()
	responder, client := s.newResponder(), netip.AddrPortFrom(netip.MustParseAddr(from), 4242)
	var out []byte
	for i := range n {
		out = responder.respond(out[:0], pack(t, query(i)), via, client)
		var m dns.Msg
		switch {
		case len(out) == 0:
			none++
		case m.Unpack(out) != nil:
			t.Fatalf("answer %x", out)
		case m.Truncated || m.Rcode == dns.RcodeBadCookie:
			if len(m.Answer)+len(m.Ns) > 0 {
				t.Fatalf("a short answer with records: %v", &m)
			}
			short++
		default:
			whole++
		}
	}
	return whole, short, none
}

func always(what string) func(int) *dns.Msg { return func(int) *dns.Msg { return question(what) } }

// Of what a network asks too often, half is answered as truncated and half not at all; others are not concerned.
func TestRateLimit(t *testing.T) {
	name := siteNames(1)[0] + ".example.test A"
	various := func(i int) *dns.Msg { return question(fmt.Sprintf("x%d.example.test A", i)) }
	for _, c := range []struct {
		name, from string
		via        transport
		query      func(int) *dns.Msg
		limited    bool
	}{
		{"the same answer", "203.0.113.7", overUDP, always(name), true},
		{"the same answer over IPv6", "2001:db8:1::1", overUDP, always(name), true},
		{"the same answer in other letters", "203.0.113.7", overUDP, func(i int) *dns.Msg {
			if i%2 == 0 {
				return question(strings.ToUpper(name[:3]) + name[3:])
			}
			return question(name)
		}, true},
		{"names that do not exist", "203.0.113.7", overUDP, various, true},
		{"no data", "203.0.113.7", overUDP, func(i int) *dns.Msg { return question(fmt.Sprintf("example.test TYPE%d", 1000+i)) }, true},
		{"various answers", "203.0.113.7", overUDP, func(i int) *dns.Msg { return question(siteNames(400)[i] + ".example.test A") }, false},
		{"TCP", "203.0.113.7", overTCP, always(name), false},
		{"TLS", "203.0.113.7", overTLS, always(name), false},
		{"an exempt network", "127.0.0.3", overUDP, always(name), false},
		{"an exempt network over IPv6", "2001:db8:ee::3", overUDP, always(name), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := limited(t, 20)
			const n = 400
			whole, short, none := flood(t, s, n, c.from, c.via, c.query)
			if !c.limited {
				if whole != n {
					t.Errorf("%d of %d are whole, %d short, %d without an answer", whole, n, short, none)
				}
				return
			}
			// What time has refilled is answered whole, too.
			if whole < 20 || whole > 100 || short < 100 || short-none > 1 || none-short > 1 {
				t.Errorf("%d whole, %d short, %d without an answer", whole, short, none)
			}
			if got := s.Stats(); int(got.Slipped) != short || int(got.Limited) != none {
				t.Errorf("counted %d short and %d without an answer, want %d and %d", got.Slipped, got.Limited, short, none)
			}
			other, _, _ := flood(t, s, 5, "198.51.100.1", overUDP, always(name))
			if other != 5 {
				t.Errorf("another network gets %d of 5", other)
			}
			neighbour := map[string]string{"203.0.113.7": "203.0.113.99", "2001:db8:1::1": "2001:db8:1:ff::9"}[c.from]
			if more, _, _ := flood(t, s, 100, neighbour, overUDP, c.query); more > 30 {
				t.Errorf("a neighbour in the same network gets %d of 100", more)
			}
		})
	}
}

// Errors are as short as a truncated answer, so that they are given or not.
func TestErrorsAreLimited(t *testing.T) {
	whole, short, none := flood(t, limited(t, 20), 400, "203.0.113.7", overUDP, always("elsewhere.test A"))
	if short != 0 || none < 150 || whole < 150 {
		t.Errorf("%d given, %d truncated, %d not answered", whole, short, none)
	}
}

// A client that knows cookies is told by BADCOOKIE to come again with a good one, and then is not limited.
func TestCookiesAreTheWayOut(t *testing.T) {
	s := limited(t, 20)
	new := func(int) *dns.Msg { return asking("example.test SOA", optCookie) }
	_, short, none := flood(t, s, 400, "203.0.113.7", overUDP, new)
	if s.Stats().Rcodes["BADCOOKIE"] != uint64(short) || short < 100 || none < 100 {
		t.Fatalf("%d short, %d without an answer: %v", short, none, s.Stats().Rcodes)
	}
	var cookie string
	for cookie == "" {
		var m dns.Msg
		if out := s.newResponder().respond(nil, pack(t, new(0)), overUDP, testClient); len(out) > 0 && m.Unpack(out) == nil {
			cookie = cookieIn(t, &m)
		}
	}
	valid := func(int) *dns.Msg { return asking("example.test SOA", "10 "+cookie) }
	if whole, _, _ := flood(t, s, 400, testClient.Addr().String(), overUDP, valid); whole != 400 {
		t.Errorf("with a valid cookie %d of 400", whole)
	}
	if whole, _, _ := flood(t, s, 100, "203.0.113.8", overUDP, valid); whole > 30 {
		t.Errorf("with the cookie of another address %d of 100", whole)
	}
}

// Who asks in the name of others for whatever is large cannot make the server send more than three times as much, beyond the
// first answers; a resolver at a usual rate has all that it asks for, signatures and denials among it.
func TestAmplification(t *testing.T) {
	names := siteNames(100)
	large := func(i int) *dns.Msg {
		ask := []string{names[i%100] + ".example.test A", fmt.Sprintf("x%d.example.test A", i), "example.test DNSKEY", names[i%100] + ".example.test ANY", "example.test NS"}[i%5]
		return withEDNS(ask, func(o *dns.OPT) { o.SetDo() })
	}
	s := signed(t, limitedConfig(20), siteNames(100)...)
	responder := s.newResponder()
	var in, sent, free int
	begin := time.Now()
	for i := range 5000 {
		packet := pack(t, large(i))
		out := responder.respond(nil, packet, overUDP, testClient)
		if i < 500 { // the burst is spent by then
			free += len(out)
			continue
		}
		in, sent = in+len(packet), sent+len(out)
	}
	refilled := int(time.Since(begin).Seconds()*float64(20*excessPerAnswer)) + ednsSize
	if sent > freeFactor*in+refilled {
		t.Errorf("%d bytes for %d: %.1f times as many", sent, in, float64(sent)/float64(in))
	}
	t.Logf("beyond the first 500 queries %.2f times as many bytes out as in; %d bytes before", float64(sent)/float64(in), free)
	if burst := 20 * excessPerAnswer * int(excessBurst/time.Second); free > 500*200+burst {
		t.Errorf("%d bytes at first", free)
	}
}

func TestUsualResolversAreNotLimited(t *testing.T) {
	s := signed(t, limitedConfig(20), siteNames(100)...)
	responder, now := s.newResponder(), time.Now()
	names, bytes := siteNames(100), 0
	for i := range 600 { // 15 a second, for 40 seconds
		what := names[i%100] + ".example.test A"
		if i%5 == 0 {
			what = fmt.Sprintf("x%d.example.test A", i)
		}
		packet := pack(t, withEDNS(what, func(o *dns.OPT) { o.SetDo() }))
		out := responder.respond(nil, packet, overTCP, testClient) // its size
		bytes += len(out)
		responder.from.addr, responder.from.now = testClient.Addr(), now.Add(time.Duration(i)*time.Second/15)
		if !responder.takeAnswer(s.zones.Load().main) || !responder.takeExcess(len(out)-freeFactor*len(packet)) {
			t.Fatalf("limited at query %d, after %d bytes", i, bytes)
		}
	}
}

// A bucket is full again after a while, and slots are given up for others where the table has no room.
func TestBuckets(t *testing.T) {
	l := newRateLimiter(10, nil)
	l.table = l.table[:64]
	now := l.begin.Add(time.Hour)
	take := func(client netip.Addr, n int) (taken int) {
		var k limiterKey
		k.begin(kindError, 0, client)
		for range n {
			if l.takeAnswer(&k, now) {
				taken++
			}
		}
		return taken
	}
	client := netip.MustParseAddr("192.0.2.1")
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 10}, {0, 0}, {100 * time.Millisecond, 1}, {500 * time.Millisecond, 5}, {time.Hour, 10}, {(1<<timeBits)*time.Microsecond + time.Minute, 10}} {
		now = now.Add(c.after)
		if got := take(client, 50); got != c.want {
			t.Errorf("after %v: %d, want %d", c.after, got, c.want)
		}
	}
	for i := range 3 * 64 * limiterWays { // more networks than there are slots
		take(netip.AddrFrom4([4]byte{1, byte(i >> 8), byte(i), 1}), 1)
	}
	if got := take(netip.MustParseAddr("250.1.1.1"), 50); got != 10 {
		t.Errorf("a new network in a full table gets %d", got)
	}
}

func TestLimitingDoesNotAllocate(t *testing.T) {
	s := limited(t, 1)
	responder := s.newResponder()
	var out []byte
	for _, ask := range []string{"example.test A", "missing.example.test A", "elsewhere.test A"} {
		packet := pack(t, asking(ask, optCookie))
		if n := testing.AllocsPerRun(100, func() { out = responder.respond(out[:0], packet, overUDP, testClient) }); n > 0 {
			t.Errorf("%s: %.0f allocations", ask, n)
		}
	}
}

// BenchmarkLimits is what recognizing and limiting clients adds to an answer.
func BenchmarkLimits(b *testing.B) {
	for name, rate := range map[string]int{"off": 0, "on": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			responder := limited(b, rate).newResponder()
			for kind, q := range map[string]*dns.Msg{"plain": withSize(siteNames(1)[0]+".example.test A", 1232), "cookie": asking(siteNames(1)[0]+".example.test A", optCookie)} {
				b.Run(kind, func(b *testing.B) {
					packet := pack(b, q)
					var out []byte
					b.ReportAllocs()
					for b.Loop() {
						out = responder.respond(out[:0], packet, overUDP, testClient)
					}
				})
			}
		})
	}
}
