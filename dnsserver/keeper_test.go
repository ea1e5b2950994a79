package dnsserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// signedMain is the main zone with a key of each role, active from a time on.
func signedMain(t testing.TB, from time.Time) sites.PublishedZone {
	t.Helper()
	return sites.PublishedZone{
		Zone: sites.Zone{ID: 1, Name: "example.test", Kind: sites.ZoneMain, Signed: true},
		Keys: []sites.ZoneKey{newKey(t, 1, sites.KeySigning, from), newKey(t, 2, sites.ZoneSigning, from)},
	}
}

// newKey is a key that is published and active from a time on.
func newKey(t testing.TB, id int64, role sites.KeyRole, from time.Time) sites.ZoneKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return sites.ZoneKey{ID: id, Zone: 1, Role: role, Private: der, PublishedAt: from, ActiveAt: from}
}

// signed is a server of a signed zone with sites.
func signed(t testing.TB, cfg Config, names ...string) *Server {
	t.Helper()
	s := newServer(t, cfg)
	now := s.cfg.Now()
	ch := full(7, names...)
	ch.Zones = []sites.PublishedZone{signedMain(t, now.Add(-time.Hour))}
	s.Apply(ch)
	return s
}

func askDO(t testing.TB, s *Server, what string) *dns.Msg {
	t.Helper()
	return direct(t, s, withEDNS(what, func(o *dns.OPT) { o.SetDo() }), overTCP)
}

func signature(t testing.TB, m *dns.Msg) *dns.RRSIG {
	t.Helper()
	for _, rr := range m.Answer {
		if sig, ok := rr.(*dns.RRSIG); ok {
			return sig
		}
	}
	t.Fatalf("no signature in %v", m)
	return nil
}

// Signatures come to those who ask for them alone, and are made anew before they expire, each time as a revision.
func TestSignaturesAreKept(t *testing.T) {
	cfg := testConfig()
	var ahead atomic.Int64 // of the clock
	cfg.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	var revision atomic.Int64
	revision.Store(100)
	cfg.Revise = func(_ context.Context, fn func(int64)) error {
		fn(revision.Add(1))
		return nil
	}
	r := start(t, signed(t, cfg, "hello"))
	if m := direct(t, r.Server, question("hello.example.test A"), overTCP); len(m.Answer) != 1 {
		t.Errorf("without DO: %v", m)
	}
	first := signature(t, askDO(t, r.Server, "hello.example.test A"))
	status := r.ZoneStatus("Example.Test.")
	if !status.Signed || len(status.DS) == 0 || status.RenewalAt.IsZero() || status.Serial != 7 || status.Names < 5 {
		t.Errorf("status %+v", status)
	}
	until := time.Unix(int64(first.Expiration), 0)
	ahead.Store(int64(time.Until(until) - time.Minute))
	r.noteChange() // as any change would, and else the next minute
	eventually(t, "the signature is made anew", func() bool {
		return signature(t, askDO(t, r.Server, "hello.example.test A")).Expiration > first.Expiration
	})
	if serial := r.ZoneStatus("example.test").Serial; serial <= 100 || int64(serial) != revision.Load() {
		t.Errorf("serial %d after revision %d", serial, revision.Load())
	}
}

// Where no revision can be had, the status says so, and signatures are made anew all the same before they expire.
func TestSignaturesAreKeptWithoutRevisions(t *testing.T) {
	cfg := testConfig()
	now := time.Now()
	cfg.Now = func() time.Time { return now }
	failure := errors.New("disk full")
	cfg.Revise = func(_ context.Context, fn func(int64)) error {
		if failure == nil {
			fn(50)
		}
		return failure
	}
	s := signed(t, cfg, "hello")
	for _, step := range []struct {
		late    time.Duration
		failure error
		serial  uint32
	}{{0, failure, 7}, {keepPatience, failure, 8}, {0, nil, 50}} {
		now, failure = s.ZoneStatus("example.test").RenewalAt.Add(step.late), step.failure
		if err := s.renewDue(t.Context()); !errors.Is(err, failure) {
			t.Errorf("%v late: error %v", step.late, err)
		}
		if serial := s.ZoneStatus("example.test").Serial; serial != step.serial || s.Stats().Unrevised != (failure != nil) {
			t.Errorf("%v late: serial %d, want %d; status %t", step.late, serial, step.serial, s.Stats().Unrevised)
		}
	}
}

func TestIssuersAreARevision(t *testing.T) {
	cfg := testConfig()
	failure := errors.New("disk full")
	cfg.Revise = func(_ context.Context, fn func(int64)) error {
		if failure == nil {
			fn(50)
		}
		return failure
	}
	s := newServer(t, cfg)
	s.Apply(full(1))
	if err := s.SetIssuers(context.Background(), []string{`0 issue "ca.test"`}); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
	wantRcodes(t, s, map[string]string{"example.test CAA": "NODATA"})
	failure = nil
	if err := s.SetIssuers(context.Background(), []string{`0 issue "ca.test"`}); err != nil {
		t.Error(err)
	}
	wantRcodes(t, s, map[string]string{"example.test CAA": "NOERROR"})
	if got := serial(t, s); got != 50 {
		t.Errorf("serial %d, want 50", got)
	}
}

func TestStatusOfZones(t *testing.T) {
	s := newServer(t, testConfig())
	ch := full(3, "hello")
	ch.Zones = append(primary("customer.test"), sites.PublishedZone{Zone: sites.Zone{ID: 9, Name: "copy.test", Kind: sites.ZoneSecondary}})
	s.Apply(ch)
	if got := s.ZoneStatus("customer.test"); got.Serial != 3 || got.Signed || got.Secondary != nil {
		t.Errorf("primary: %+v", got)
	}
	if got := s.ZoneStatus("copy.test"); got.Serial != 0 || got.Secondary == nil {
		t.Errorf("secondary: %+v", got)
	}
	if got := s.ZoneStatus("elsewhere.test"); got.Serial != 0 || got.Names != 0 {
		t.Errorf("of nobody: %+v", got)
	}
}
