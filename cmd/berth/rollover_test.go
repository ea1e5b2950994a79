package main

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"berth/dnsserver"
	"berth/dnsserver/dnstest"
	"berth/dnsserver/zonefile"
	"berth/sites"
	"berth/sites/bundle"
	"berth/sites/embedded"
	"berth/sites/sqlite"

	"github.com/miekg/dns"
)

// TestZoneSigningKeyRollsOver replaces the key and has a new validating resolver look at the zone at each step of the plan,
// with its clock and the signer's moved there.
func TestZoneSigningKeyRollsOver(t *testing.T) {
	dnstest.Need(t, "unbound")
	w := newSignedWorld(t)
	anchor, start := delegationSigner(t, w.addr), time.Now()
	w.look(t, start, anchor)
	if _, err := w.service.RollKey(t.Context(), sites.System, testZone, sites.ZoneSigning); err != nil {
		t.Fatal(err)
	}
	for _, at := range w.steps(t, start, sites.ZoneSigning) {
		w.look(t, at, anchor)
	}
}

// TestKeySigningKeyRollsOver does the same to the key that the parent names. The parent has the old DS record until the new one
// has been entered, and caches hold either for a while: meanwhile both must do.
func TestKeySigningKeyRollsOver(t *testing.T) {
	dnstest.Need(t, "unbound")
	w := newSignedWorld(t)
	before, start := delegationSigner(t, w.addr), time.Now()
	if _, err := w.service.RollKey(t.Context(), sites.System, testZone, sites.KeySigning); err != nil {
		t.Fatal(err)
	}
	both := delegationSigners(t, w.addr)
	if len(both) != 2 || !slices.Contains(both, before) {
		t.Fatalf("during the rollover the zone has the key-signing keys %q, want %q and another", both, before)
	}
	for _, anchor := range both {
		w.look(t, start.Add(time.Minute), anchor)
		w.look(t, start.Add(26*time.Hour), anchor) // when the parent may have the new DS record
	}
	if _, err := w.service.ConfirmDS(t.Context(), sites.System, testZone); err != nil {
		t.Fatal(err)
	}
	after := both[0]
	if after == before {
		after = both[1]
	}
	for _, at := range w.steps(t, start, sites.KeySigning) {
		w.look(t, at, after)
	}
	if left := delegationSigners(t, w.addr); len(left) != 1 || left[0] != after {
		t.Errorf("after the rollover the zone has the key-signing keys %q, want %q alone", left, after)
	}
}

// signedWorld is the use cases and the DNS server of a zone, with a clock of its own for the signer.
type signedWorld struct {
	service *sites.Service
	dns     *dnsserver.Server
	addr    netip.AddrPort
	ahead   atomic.Int64 // of the signer's clock
}

func newSignedWorld(t *testing.T) *signedWorld {
	t.Helper()
	w := &signedWorld{}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "berth.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	w.dns, err = dnsserver.New(dnsserver.Config{
		Zone: testZone, IPv4: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Logger: log,
		Revise: func(ctx context.Context, fn func(int64)) error { return w.service.Revise(ctx, fn) },
		Now:    w.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	runtime := embedded.New(log)
	w.service, err = sites.New(sites.Config{
		Store: store, Runtime: runtime, Drainer: nothingInFlight{}, Appliers: []sites.Applier{w.dns},
		Unpack: unpacker(bundle.DefaultLimits()), Zone: testZone, Syntax: zonefile.Syntax{}, DataDir: dir, MaxUpload: 1 << 20,
		Now: w.now, Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", udp.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	w.addr = udp.LocalAddr().(*net.UDPAddr).AddrPort()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- w.service.Run(ctx) }()
	go func() {
		ended <- w.dns.Serve(ctx, dnsserver.Sockets{UDP: []net.PacketConn{udp}, TCP: []net.Listener{tcp}})
	}()
	t.Cleanup(func() {
		cancel()
		for range cap(ended) {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		runtime.Close()
		store.Close()
	})
	<-w.service.Booted()
	return w
}

type nothingInFlight struct{}

func (nothingInFlight) Drain(context.Context, netip.AddrPort) error { return nil }

func (w *signedWorld) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// steps are the times around everything that the plan of the zone's keys of the role names, in order.
func (w *signedWorld) steps(t *testing.T, start time.Time, role sites.KeyRole) []time.Time {
	t.Helper()
	zone, err := w.service.Zone(t.Context(), sites.System, testZone)
	if err != nil {
		t.Fatal(err)
	}
	var planned []time.Time
	for _, k := range zone.Keys {
		if k.Role == role {
			planned = append(planned, k.PublishedAt, k.ActiveAt, k.RetiredAt, k.RemovedAt)
		}
	}
	var steps []time.Time
	last := start
	for _, at := range sorted(planned) {
		for _, step := range []time.Time{at.Add(-time.Minute), at.Add(time.Minute)} {
			if step.After(last) {
				steps, last = append(steps, step), step
			}
		}
	}
	if len(steps) < 3 {
		t.Fatalf("the plan of the %s has %d steps: %+v", role, len(steps), zone.Keys)
	}
	return steps
}

// look moves the clocks and checks that what a resolver then gets is secure.
func (w *signedWorld) look(t *testing.T, at time.Time, anchor string) {
	t.Helper()
	w.ahead.Store(int64(time.Until(at)))
	name := "_acme-challenge." + testZone
	if err := w.dns.SetChallenge(t.Context(), name, "wakes the signer"); err != nil {
		t.Fatal(err)
	}
	if err := w.dns.RemoveChallenge(t.Context(), name, "wakes the signer"); err != nil {
		t.Fatal(err)
	}
	dnstest.Eventually(t, "the signer has caught up with its clock", func() bool {
		return w.dns.ZoneStatus(testZone).RenewalAt.After(w.now())
	})
	resolver := resolverFor(t, w.addr, anchor, at)
	for question, rcode := range map[string]int{
		testZone + " SOA": dns.RcodeSuccess, testZone + " DNSKEY": dns.RcodeSuccess,
		"www." + testZone + " A": dns.RcodeSuccess, "missing." + testZone + " A": dns.RcodeNameError,
	} {
		wantSecure(t, resolver, question, rcode)
	}
	if t.Failed() {
		t.Fatalf("at %s", at)
	}
}

// sorted returns the times that are planned, in order.
func sorted(times []time.Time) []time.Time {
	times = slices.DeleteFunc(times, time.Time.IsZero)
	slices.SortFunc(times, time.Time.Compare)
	return times
}
