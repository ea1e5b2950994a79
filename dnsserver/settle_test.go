package dnsserver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

const (
	challengeName  = "_acme-challenge.hello.example.test"
	challengeValue = "the value"
)

// standIn is another nameserver of the zone, made to behave in a certain way; behave gets the number of the question.
func standIn(t *testing.T, behave func(n int64, m *dns.Msg) *dns.Msg) netip.AddrPort {
	t.Helper()
	var asked atomic.Int64
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		answer := new(dns.Msg).SetReply(q)
		if q.Opcode == dns.OpcodeQuery {
			answer = behave(asked.Add(1), answer)
		}
		if answer != nil {
			_ = w.WriteMsg(answer)
		}
	})
	udp, tcp := samePort(t)
	for _, server := range []*dns.Server{{PacketConn: udp[0], Handler: handler}, {Listener: tcp[0], Handler: handler}} {
		started, ended := make(chan struct{}), make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() {
			defer close(ended)
			_ = server.ActivateAndServe()
		}()
		<-started
		t.Cleanup(func() {
			_ = server.Shutdown()
			<-ended
		})
	}
	return netip.MustParseAddrPort(tcp[0].Addr().String())
}

// The ways in which a nameserver can answer.
func withValue(m *dns.Msg, values ...string) *dns.Msg {
	m.Authoritative = true
	for _, v := range values {
		m.Answer = append(m.Answer, &dns.TXT{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{v}})
	}
	return m
}

func withRcode(m *dns.Msg, rcode int) *dns.Msg {
	m.Authoritative = rcode == dns.RcodeNameError
	m.Rcode = rcode
	return m
}

// settlingServer is a server whose main zone has peers at the addresses, and little patience.
func settlingServer(t *testing.T, peers ...netip.AddrPort) *Server {
	t.Helper()
	s := newServer(t, testConfig())
	s.settling = settling{bound: 2 * time.Second, silence: 300 * time.Millisecond, answer: 100 * time.Millisecond, pause: 5 * time.Millisecond, sights: 3, remind: 20 * time.Millisecond}
	change := full(1, "hello")
	change.Zones = []sites.PublishedZone{{
		Zone: sites.Zone{ID: 1, Name: "example.test", Kind: sites.ZoneMain, Peers: []sites.Peer{{Name: "second", Notify: peers}}},
	}}
	s.Apply(change)
	return s
}

// hasChallenge asks the server itself.
func hasChallenge(t *testing.T, s *Server) bool {
	t.Helper()
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(challengeName), dns.TypeTXT)
	return hasTXT(direct(t, s, q, overTCP), challengeValue)
}

func TestChallengesWaitForTheOtherNameservers(t *testing.T) {
	tests := []struct {
		promise string
		behave  func(n int64, m *dns.Msg) *dns.Msg
		asked   int64 // questions that are needed, at least
	}{
		{"one that has it", func(_ int64, m *dns.Msg) *dns.Msg { return withValue(m, "another", challengeValue) }, 3},
		{"one that gets it", func(n int64, m *dns.Msg) *dns.Msg {
			if n < 6 {
				return withRcode(m, dns.RcodeNameError)
			}
			return withValue(m, challengeValue)
		}, 6},
		{"one that has an older value first", func(n int64, m *dns.Msg) *dns.Msg {
			if n < 4 {
				return withValue(m, "another")
			}
			return withValue(m, challengeValue)
		}, 4},
		{"one that fails for a moment, and is behind then", func(n int64, m *dns.Msg) *dns.Msg {
			switch {
			case n < 4:
				return withRcode(m, dns.RcodeServerFailure)
			case n < 8:
				return withRcode(m, dns.RcodeNameError)
			}
			return withValue(m, challengeValue)
		}, 8},
		{"one that answers from two versions for a moment", func(n int64, m *dns.Msg) *dns.Msg {
			if n == 3 || n == 5 {
				return withRcode(m, dns.RcodeNameError)
			}
			return withValue(m, challengeValue)
		}, 8},
		{"one whose answer is too long for UDP", func(n int64, m *dns.Msg) *dns.Msg {
			if n%2 == 1 {
				m.Truncated = true
				return m
			}
			return withValue(m, challengeValue)
		}, 2},
		{"not for one that refuses", func(_ int64, m *dns.Msg) *dns.Msg { return withRcode(m, dns.RcodeRefused) }, 2},
		{"nor for one whose copy has expired", func(_ int64, m *dns.Msg) *dns.Msg { return withRcode(m, dns.RcodeServerFailure) }, 2},
		{"nor for one that knows nothing of the zone", func(_ int64, m *dns.Msg) *dns.Msg { return m }, 2},
		{"nor for one that is silent", func(int64, *dns.Msg) *dns.Msg { return nil }, 1},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			s := settlingServer(t, standIn(t, func(n int64, m *dns.Msg) *dns.Msg {
				asked.Store(n)
				return tt.behave(n, m)
			}))
			s.settling.bound = 30 * time.Second
			if err := s.SetChallenge(t.Context(), challengeName, challengeValue); err != nil {
				t.Fatal(err)
			}
			if asked.Load() < tt.asked || !hasChallenge(t, s) {
				t.Errorf("asked %d times, want %d; the challenge is there: %v", asked.Load(), tt.asked, hasChallenge(t, s))
			}
		})
	}
}

// TestChallengesSayWhoStaysBehind wants a sentence that names the nameserver, and nothing left of the challenge.
func TestChallengesSayWhoStaysBehind(t *testing.T) {
	good := standIn(t, func(_ int64, m *dns.Msg) *dns.Msg { return withValue(m, challengeValue) })
	old := standIn(t, func(_ int64, m *dns.Msg) *dns.Msg { return withRcode(m, dns.RcodeNameError) })
	s := settlingServer(t, good, old)
	err := s.SetChallenge(t.Context(), challengeName, challengeValue)
	var refusal *sites.Refusal
	if !errors.As(err, &refusal) || !errors.Is(err, sites.ErrUnavailable) {
		t.Fatalf("error %v", err)
	}
	if !strings.Contains(refusal.Sentence, "second (127.0.0.1)") || !strings.Contains(refusal.Sentence, "example.test") {
		t.Errorf("people are told: %s", refusal.Sentence)
	}
	if hasChallenge(t, s) {
		t.Error("the challenge is still there")
	}
}

// TestChallengesEndWithTheirOrder gives up an order that waits.
func TestChallengesEndWithTheirOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := settlingServer(t, standIn(t, func(n int64, m *dns.Msg) *dns.Msg {
		if n == 3 {
			cancel()
		}
		return withRcode(m, dns.RcodeNameError)
	}))
	s.settling.bound = time.Hour
	if err := s.SetChallenge(ctx, challengeName, challengeValue); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if hasChallenge(t, s) {
		t.Error("the challenge is still there")
	}
}

// TestOtherNameservers finds those that an authority could ask beside this one.
func TestOtherNameservers(t *testing.T) {
	cfg := testConfig()
	cfg.LookupHost = func(_ context.Context, host string) ([]netip.Addr, error) {
		if host != "ns.elsewhere.test" {
			return nil, &net.DNSError{Name: host, IsNotFound: true}
		}
		return []netip.Addr{netip.MustParseAddr("198.51.100.9"), cfg.IPv4[0], netip.MustParseAddr("2001:db8::9")}, nil
	}
	s := newServer(t, cfg)
	change := full(1, "hello")
	// In the main zone a nameserver below it is this one, whatever people have entered.
	change.RRSets = []sites.RRSet{recordSet("ns2.dns.example.test 300 A 198.51.100.8")}
	change.Zones = []sites.PublishedZone{{Zone: sites.Zone{ID: 1, Name: "example.test", Kind: sites.ZoneMain, Peers: []sites.Peer{
		{Name: "hidden", Notify: []netip.AddrPort{netip.MustParseAddrPort("198.51.100.7:5353"), netip.MustParseAddrPort("198.51.100.9:53")}},
	}}}}
	s.Apply(change)
	var got []string
	for _, other := range s.others(t.Context(), s.zones.Load().main) {
		got = append(got, other.host+" "+other.addr.String())
	}
	want := "ns.elsewhere.test 198.51.100.9:53, ns.elsewhere.test [2001:db8::9]:53, hidden 198.51.100.7:5353"
	if strings.Join(got, ", ") != want {
		t.Errorf("others: %v\nwant %s", got, want)
	}
}
