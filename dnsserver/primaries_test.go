package dnsserver

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"berth/dnsserver/dnstest"
	"berth/sites"
)

// syncLog is what a server has logged.
type syncLog struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *syncLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *syncLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// otherZone is the content of a zone at a version: each has one name that no other has.
func otherZone(serial int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "$ORIGIN other.test.\n$TTL 300\n@ SOA ns1 host.master %d 2 1 1000 60\n@ NS ns1\n@ NS ns.elsewhere.test.\nns1 A 192.0.2.1\n", serial)
	for i := range 300 {
		fmt.Fprintf(&b, "host-%d A 192.0.2.%d\n", i, i%250)
	}
	b.WriteString("mail MX 10 host-1\nmail MX 20 mx.elsewhere.test.\ntext TXT \"one\" \"two; three\"\n_sip._tcp SRV 1 2 5060 host-2\n" +
		"alias CNAME host-3\n*.wild A 192.0.2.9\nchild NS ns.child\nns.child AAAA 2001:db8::53\n@ CAA 0 issue \"ca.test\"\nUPPER A 192.0.2.7\nsvc HTTPS 1 . alpn=h2,h3\nodd TYPE65400 \\# 3 010203\n")
	fmt.Fprintf(&b, "version-%d TXT \"%d\"\n", serial, serial)
	return b.String()
}

// secondary is a berth that has a zone from elsewhere.
type secondary struct {
	*Server
	addr  netip.AddrPort
	log   *syncLog
	ahead *atomic.Int64 // of the real time, its clock
	stop  func() error
}

// newSecondary starts a server with a secondary zone, whose content it keeps in dir.
func newSecondary(t *testing.T, dir string, primary netip.AddrPort, key dnstest.Key) *secondary {
	udp, tcp := samePort(t)
	return newSecondaryOn(t, dir, primary, key, udp, tcp)
}

func newSecondaryOn(t *testing.T, dir string, primary netip.AddrPort, key dnstest.Key, udp []net.PacketConn, tcp []net.Listener) *secondary {
	t.Helper()
	s := &secondary{log: new(syncLog), ahead: new(atomic.Int64), addr: netip.MustParseAddrPort(tcp[0].Addr().String())}
	cfg := testConfig()
	cfg.DataDir = dir
	cfg.Logger = slog.New(slog.NewTextHandler(s.log, nil))
	cfg.Now = func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }
	s.Server = newServer(t, cfg)
	change := full(1)
	change.Zones = []sites.PublishedZone{
		{Zone: sites.Zone{ID: 1, Name: "example.test", Kind: sites.ZoneMain}},
		{Zone: sites.Zone{
			ID: 2, Name: "other.test", Kind: sites.ZoneSecondary,
			Primaries: []sites.Primary{{Addr: primary, Key: key.Name}}, Peers: []sites.Peer{{Name: "test", Key: key.Name}},
		}, TSIG: peerKeys},
	}
	s.Apply(change)
	s.stop = serveOn(t, s.Server, udp, tcp)
	return s
}

func (s *secondary) has(t *testing.T, serial uint32) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	dnstest.Eventually(t, fmt.Sprintf("berth has serial %d", serial), func() bool {
		if time.Now().After(deadline) {
			_, status := s.peerStatus("other.test")
			t.Fatalf("no serial %d: %+v\n%s", serial, status, s.log)
		}
		return dnstest.Serial(s.addr, "other.test") == serial
	})
}

// berth takes a zone from BIND and Knot, with TSIG: whole at first, then what has changed, told by NOTIFY. It keeps the zone over a
// restart and while the primary is away, asks it again, and gives the zone up when it is too old.
func TestBerthFollowsPrimaries(t *testing.T) {
	for i, launch := range []func(testing.TB, dnstest.Config) *dnstest.Server{dnstest.Named, dnstest.Knot} {
		t.Run([]string{"named", "knotd"}[i], func(t *testing.T) {
			t.Parallel()
			key, dir := testKeys()[i], t.TempDir()
			udp, tcp := samePort(t)
			ours := netip.MustParseAddrPort(tcp[0].Addr().String())
			primary := launch(t, dnstest.Config{Keys: testKeys(), Zones: []dnstest.Zone{{
				Name: "other.test", File: otherZone(1), Peers: []dnstest.Peer{{Addr: ours, Key: key.Name}},
			}}})
			s := newSecondaryOn(t, dir, primary.Addr, key, udp, tcp)
			s.has(t, 1)
			sameContent(t, primary.Addr, s.addr, key)

			primary.Replace(t, "other.test", otherZone(2))
			s.has(t, 2)
			sameContent(t, primary.Addr, s.addr, key)
			if !strings.Contains(s.log.String(), "transfer=incremental") {
				t.Errorf("no incremental transfer:\n%s", s.log)
			}
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			primary.Stop()

			s = newSecondary(t, dir, primary.Addr, key)
			s.has(t, 2) // from disk
			if _, status := s.peerStatus("other.test"); status == nil || status.RefreshedAt.IsZero() {
				t.Errorf("status %+v", status)
			}
			dnstest.Eventually(t, "the status tells that the primary is away", func() bool {
				_, status := s.peerStatus("other.test")
				return strings.Contains(status.Err, "nothing listens there")
			})
			write(t, primary.ZoneFile("other.test"), otherZone(3))
			_ = os.Remove(primary.ZoneFile("other.test") + ".jnl") // BIND's journal does not lead to what the file has now
			primary.Start(t)
			s.has(t, 3)

			primary.Stop()
			s.ahead.Store(int64(1001 * time.Second))
			dnstest.Eventually(t, "the zone has expired", func() bool {
				return exchange(t, "udp", s.addr.String(), question("host-1.other.test A")).Rcode == 2
			})
		})
	}
}

// A berth follows another one, and hands the zone on to a third.
func TestBerthFollowsBerth(t *testing.T) {
	key := testKeys()[1]
	udp, tcp := samePort(t)
	ours := netip.MustParseAddrPort(tcp[0].Addr().String())
	middle, middleTCP := samePort(t)
	between := netip.MustParseAddrPort(middleTCP[0].Addr().String())

	primary := newServer(t, testConfig())
	zone := sites.PublishedZone{TSIG: peerKeys, Zone: sites.Zone{
		ID: 2, Name: "other.test", Kind: sites.ZonePrimary, Peers: []sites.Peer{{Name: "second", Key: key.Name, Notify: []netip.AddrPort{between}}},
	}}
	change := full(1)
	change.Zones = []sites.PublishedZone{{Zone: sites.Zone{ID: 1, Name: "example.test", Kind: sites.ZoneMain}}, zone}
	for i := range 200 {
		change.RRSets = append(change.RRSets, recordSet(fmt.Sprintf("host-%d.other.test 300 A 192.0.2.%d", i, i)))
	}
	primary.Apply(change)
	serveOn(t, primary, udp, tcp)
	second := newSecondaryOn(t, t.TempDir(), ours, key, middle, middleTCP)
	dnstest.Eventually(t, "the first transfer", func() bool { return dnstest.Serial(second.addr, "other.test") > 0 })
	third := newSecondary(t, t.TempDir(), between, key)
	dnstest.Eventually(t, "the second transfer", func() bool { return dnstest.Serial(third.addr, "other.test") > 0 })

	second.Apply(sites.Change{Revision: 2, Zones: []sites.PublishedZone{{TSIG: peerKeys, Zone: sites.Zone{
		ID: 2, Name: "other.test", Kind: sites.ZoneSecondary, Primaries: []sites.Primary{{Addr: ours, Key: key.Name}},
		Peers: []sites.Peer{{Name: "third", Key: key.Name, Notify: []netip.AddrPort{third.addr}}},
	}}}})
	for i := range 20 {
		primary.Apply(sites.Change{Revision: int64(2 + i), RRSets: []sites.RRSet{recordSet(fmt.Sprintf("new-%d.other.test 300 A 192.0.2.1", i))}})
	}
	want := dnstest.Serial(ours, "other.test")
	second.has(t, want)
	third.has(t, want)
	sameContent(t, ours, second.addr, key)
	sameContent(t, ours, third.addr, key)
	for _, s := range []*secondary{second, third} {
		if strings.Contains(s.log.String(), "level=WARN") || strings.Contains(s.log.String(), "level=ERROR") {
			t.Errorf("complaints:\n%s", s.log)
		}
	}
	for _, s := range []*secondary{second, third} {
		if !strings.Contains(s.log.String(), "transfer=incremental") {
			t.Errorf("no incremental transfer:\n%s", s.log)
		}
	}
}

func sameContent(t *testing.T, a, b netip.AddrPort, key dnstest.Key) {
	t.Helper()
	want, got := dnstest.Dump(t, a, "other.test", &key), dnstest.Dump(t, b, "other.test", &key)
	for _, lines := range [][]string{want, got} {
		for i := range lines { // berth answers in lower case
			lines[i] = strings.ToLower(lines[i])
		}
		slices.Sort(lines)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the content differs: %s", difference(got, want))
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
