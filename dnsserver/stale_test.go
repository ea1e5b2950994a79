package dnsserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"berth/acme/acmetest"
	"berth/dnsserver/dnstest"
	"berth/sites"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"github.com/miekg/dns"
)

// TestOrdersSurviveAStaleSecondary has an authority validate 100 names while it asks at random this server or a secondary that
// is behind most of the time, because its transfers are held up.
func TestOrdersSurviveAStaleSecondary(t *testing.T) {
	orders := 100
	if testing.Short() {
		orders = 20
	}
	s := newServer(t, testConfig())
	primary := startServer(t, s)
	peers := []*peer{{name: "nsd", launch: dnstest.NSD, key: testKeys()[1], addr: dnstest.FreePort(t)}}
	change := full(1, siteNames(orders)...)
	change.Zones = []sites.PublishedZone{signedZone(t, peers)}
	s.Apply(change)
	barrier := newBarrier(t, primary)
	follow(t, peers, barrier.addr)
	barrier.holdUp(t)
	between := newBetween(t, primary, peers[0].addr)
	pebble := acmetest.Start(t, acmetest.Options{DNS: between.addr.String(), NonceReject: -1})
	client := newOrderer(t, s, pebble)

	names := make(chan string)
	var working sync.WaitGroup
	for range 10 {
		working.Go(func() {
			for name := range names {
				if err := client.order(t.Context(), name); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	for _, name := range siteNames(orders) {
		names <- name + ".example.test"
	}
	close(names)
	working.Wait()
	asked := [2]int64{between.asked[0].Load(), between.asked[1].Load()}
	t.Logf("%d orders, %d questions to this server and %d to the secondary, %d transfers held up", orders, asked[0], asked[1], barrier.held.Load())
	if asked[0] == 0 || asked[1] == 0 || barrier.held.Load() == 0 {
		t.Error("the secondary was not behind, or not asked")
	}
}

// orderer orders certificates.
type orderer struct {
	acmez.Client
	account acme.Account
}

// newOrderer makes an account of which the server itself answers the challenges.
func newOrderer(t *testing.T, s *Server, ca *acmetest.Pebble) *orderer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o := &orderer{Client: acmez.Client{
		Client: &acme.Client{
			Directory: ca.DirectoryURL(), PollInterval: 50 * time.Millisecond, PollTimeout: 5 * time.Minute,
			HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Roots()}}},
		},
		ChallengeSolvers: map[string]acmez.Solver{acme.ChallengeTypeDNS01: solving{s}},
	}}
	o.account, err = o.NewAccount(t.Context(), acme.Account{TermsOfServiceAgreed: true, PrivateKey: key})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// order orders again where Pebble got no answer at all: it waits for two seconds and asks once, which is little on a machine that
// does much else. An answer that denies the challenge is final.
func (o *orderer) order(ctx context.Context, name string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	for range 5 {
		if _, err = o.ObtainCertificateForSANs(ctx, o.account, key, []string{name}); err == nil || !strings.Contains(err.Error(), "i/o timeout") {
			return err
		}
	}
	return err
}

// solving is a server as a solver.
type solving struct{ server *Server }

func (s solving) Present(ctx context.Context, c acme.Challenge) error {
	return s.server.SetChallenge(ctx, c.DNS01TXTRecordName(), c.DNS01KeyAuthorization())
}

func (s solving) CleanUp(ctx context.Context, c acme.Challenge) error {
	return s.server.RemoveChallenge(ctx, c.DNS01TXTRecordName(), c.DNS01KeyAuthorization())
}

// between is a resolver that asks one of two nameservers, at random, and remembers nothing.
type between struct {
	addr  netip.AddrPort
	asked [2]atomic.Int64
}

func newBetween(t *testing.T, servers ...netip.AddrPort) *between {
	t.Helper()
	b := &between{}
	b.addr = standIn(t, func(_ int64, m *dns.Msg) *dns.Msg {
		first := mathrand.IntN(len(servers))
		for try := range 2 * len(servers) { // as resolvers do, also where a connection breaks off
			which := (first + try) % len(servers)
			q := new(dns.Msg)
			q.SetQuestion(m.Question[0].Name, m.Question[0].Qtype)
			client := &dns.Client{Net: "tcp", Timeout: 400 * time.Millisecond}
			if answer, _, err := client.Exchange(q, servers[which].String()); err == nil {
				b.asked[which].Add(1)
				answer.Id, answer.RecursionAvailable = m.Id, true
				return answer
			}
		}
		return withRcode(m, dns.RcodeServerFailure)
	})
	return b
}

// barrier stands between a secondary and its primary. What comes while it is down waits.
type barrier struct {
	addr netip.AddrPort
	held atomic.Int64

	mu   sync.Mutex
	open chan struct{} // closed while the barrier is up
}

func newBarrier(t *testing.T, primary netip.AddrPort) *barrier {
	t.Helper()
	b := &barrier{open: make(chan struct{})}
	close(b.open)
	udp, tcp := samePort(t)
	b.addr = netip.MustParseAddrPort(tcp[0].Addr().String())
	ctx, cancel := contextOf(t)
	var passing sync.WaitGroup
	passing.Go(func() { b.passTCP(ctx, &passing, tcp[0], primary) })
	passing.Go(func() { b.passUDP(ctx, udp[0], primary) })
	t.Cleanup(func() {
		cancel()
		_ = tcp[0].Close()
		_ = udp[0].Close()
		passing.Wait()
	})
	return b
}

// wait returns when the barrier is up.
func (b *barrier) wait(ctx context.Context) {
	b.mu.Lock()
	open := b.open
	b.mu.Unlock()
	select {
	case <-open:
		return
	default:
		b.held.Add(1)
	}
	select {
	case <-open:
	case <-ctx.Done():
	}
}

// holdUp keeps the barrier down from now on, but for a moment once in a while.
func (b *barrier) holdUp(t *testing.T) {
	const down, up = 800 * time.Millisecond, 100 * time.Millisecond
	ctx, cancel := contextOf(t)
	ended := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			b.mu.Lock()
			b.open = make(chan struct{})
			lift := sync.OnceFunc(func() { close(b.open) })
			b.mu.Unlock()
			rest(ctx, down)
			lift()
			rest(ctx, up)
		}
	}()
}

func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (b *barrier) passTCP(ctx context.Context, passing *sync.WaitGroup, listener net.Listener, primary netip.AddrPort) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		passing.Go(func() {
			defer near.Close()
			b.wait(ctx)
			far, err := net.Dial("tcp", primary.String())
			if err != nil {
				return
			}
			defer far.Close()
			stop := context.AfterFunc(ctx, func() { _ = near.Close() })
			defer stop()
			go func() {
				_, _ = io.Copy(far, near) // ends with the connections
				_ = far.Close()
			}()
			_, _ = io.Copy(near, far)
		})
	}
}

// passUDP handles one datagram after the other: they are few.
func (b *barrier) passUDP(ctx context.Context, conn net.PacketConn, primary netip.AddrPort) {
	packet := make([]byte, 64<<10)
	for {
		n, from, err := conn.ReadFrom(packet)
		if err != nil {
			return
		}
		b.wait(ctx)
		answer, err := exchangeUDP(packet[:n], primary)
		if err == nil {
			_, _ = conn.WriteTo(answer, from)
		}
	}
}

func exchangeUDP(packet []byte, to netip.AddrPort) ([]byte, error) {
	conn, err := net.Dial("udp", to.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(packet); err != nil {
		return nil, fmt.Errorf("pass a datagram on: %w", err)
	}
	answer := make([]byte, 64<<10)
	n, err := conn.Read(answer)
	return answer[:n], err
}
