package lookup

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"berth/dnsserver/dnstest"
	"berth/sites"
)

const (
	zoneHead = "$TTL 300\n@ IN SOA ns hostmaster 1 3600 600 86400 3600\n@ IN NS ns\nns IN A 192.0.2.53\n"
	ourZone  = "sites.example.org"
)

var (
	server   = netip.MustParseAddr("192.0.2.53")
	inside   = netip.MustParseAddr("10.0.0.53")
	ours     = netip.MustParseAddr("192.0.2.80")
	ours6    = netip.MustParseAddr("2001:db8::80")
	resolved = fmt.Sprintf("@ IN A %s\n@ IN AAAA %s\n_berth IN TXT \"v=1\"\n_berth IN TXT \"to\" \"ken\"\nwww IN CNAME blog.sites.example.org.\n", ours, ours6)
)

// outside is the DNS of the world: BIND with the zones example.test and far.test, and Unbound in front of it.
type outside struct {
	named    *dnstest.Server
	resolver netip.AddrPort
	routes   map[netip.Addr]netip.AddrPort // where nameservers really are; others cannot be reached
	cfg      Config
}

func newOutside(t *testing.T, content string) *outside {
	t.Helper()
	dnstest.Need(t, "named")
	dnstest.Need(t, "unbound")
	far := "$TTL 300\n@ IN SOA ns hostmaster 1 3600 600 86400 3600\n@ IN NS ns\nns IN A 10.0.0.53\nblog IN A " + ours.String() + "\n"
	named := dnstest.Named(t, dnstest.Config{Zones: []dnstest.Zone{{Name: "example.test", File: zoneHead + content}, {Name: "far.test", File: far}}})
	var stubs strings.Builder
	stubs.WriteString("\tprivate-domain: \"far.test.\"\n")
	for _, zone := range []string{"example.test", "far.test", ourZone} { // the last one is delegated, and nobody answers for it
		fmt.Fprintf(&stubs, "\tlocal-zone: %q nodefault\n\tdomain-insecure: %[1]q\nstub-zone:\n\tname: %[1]q\n\tstub-addr: 127.0.0.1@%d\n\tstub-prime: no\nserver:\n", zone+".", named.Addr.Port())
	}
	resolver := dnstest.Unbound(t, stubs.String()+"\tlocal-zone: \"test.\" nodefault\n")
	o := &outside{named: named, resolver: resolver.Addr, routes: map[netip.Addr]netip.AddrPort{server: named.Addr}}
	o.cfg = Config{Resolver: resolver.Addr, Zone: ourZone, Timeout: 10 * time.Second, Dial: o.dial}
	return o
}

func (o *outside) dial(ctx context.Context, network string, addr netip.AddrPort) (net.Conn, error) {
	to := addr
	if addr != o.resolver {
		var ok bool
		if to, ok = o.routes[addr.Addr()]; !ok || addr.Port() != port {
			return nil, fmt.Errorf("nothing is at %s", addr)
		}
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, to.String())
}

func (o *outside) look(t *testing.T, name string) sites.DomainView {
	t.Helper()
	view, err := Look(t.Context(), o.cfg, name)
	if err != nil {
		t.Fatal(err)
	}
	return view
}

func words(view sites.DomainView) string {
	slices.SortFunc(view.Addresses, netip.Addr.Compare)
	slices.Sort(view.Texts)
	slices.Sort(view.Issuers)
	return fmt.Sprintf("%v %v %v %s %v", view.Aliases, view.Addresses, view.Texts, view.IssuersAt, view.Issuers)
}

// The same is seen by way of the domain's own nameserver and by way of the resolver alone.
func TestWhatIsSeen(t *testing.T) {
	content := resolved + `elsewhere IN CNAME blog.far.test.
chain IN CNAME www
gone IN CNAME nothing.far.test.
only4 IN A 192.0.2.80
loop IN CNAME pool
pool IN CNAME loop
restricted IN A 192.0.2.80
restricted IN CAA 0 issue "Other-CA.example; account=1"
restricted IN CAA 0 issue "ca.example"
restricted IN CAA 0 iodef "mailto:x@example.test"
below.restricted IN A 192.0.2.80
mute IN CAA 0 iodef "mailto:x@example.test"
`
	o := newOutside(t, content)
	for way, routes := range map[string]map[netip.Addr]netip.AddrPort{"nameserver": o.routes, "resolver": nil} {
		o.routes = routes
		for name, want := range map[string]string{
			"example.test":                  "[] [192.0.2.80 2001:db8::80] [token v=1]  []",
			"Example.Test.":                 "[] [192.0.2.80 2001:db8::80] [token v=1]  []",
			"www.example.test":              "[blog.sites.example.org] [] []  []",
			"chain.example.test":            "[www.example.test blog.sites.example.org] [] []  []",
			"elsewhere.example.test":        "[blog.far.test] [192.0.2.80] []  []",
			"gone.example.test":             "[nothing.far.test] [] []  []",
			"only4.example.test":            "[] [192.0.2.80] []  []",
			"nothing.example.test":          "[] [] []  []",
			"restricted.example.test":       "[] [192.0.2.80] [] restricted.example.test [ca.example other-ca.example]",
			"below.restricted.example.test": "[] [192.0.2.80] [] restricted.example.test [ca.example other-ca.example]",
			"mute.example.test":             "[] [] []  []",
		} {
			if got := words(o.look(t, name)); got != want {
				t.Errorf("%s by the %s: %s, want %s", name, way, got, want)
			}
		}
	}
}

// A circle of aliases ends.
func TestACircleEnds(t *testing.T) {
	o := newOutside(t, "loop IN CNAME pool\npool IN CNAME loop\n")
	if view, err := Look(t.Context(), o.cfg, "loop.example.test"); err == nil && len(view.Addresses) > 0 {
		t.Errorf("a circle leads to %v", view)
	}
}

// A record that was just entered is seen at once, whatever the resolver remembers.
func TestNoCacheHidesANewRecord(t *testing.T) {
	o := newOutside(t, "other IN A 192.0.2.1\n")
	if got := words(o.look(t, "new.example.test")); got != "[] [] []  []" {
		t.Fatalf("before there is a record: %s", got)
	}
	routes := o.routes
	o.routes = nil
	o.look(t, "new.example.test") // the resolver remembers for an hour that there is none
	o.named.Replace(t, "example.test", strings.Replace(zoneHead, " 1 ", " 2 ", 1)+"new IN A 192.0.2.80\n")
	if got := words(o.look(t, "new.example.test")); got != "[] [] []  []" {
		t.Fatalf("the resolver has forgotten: %s", got)
	}
	o.routes = routes
	dnstest.Eventually(t, "the record is seen", func() bool { return words(o.look(t, "new.example.test")) == "[] [192.0.2.80] []  []" })
}

// Nobody gets berth to ask around inside a network by naming nameservers there.
func TestNameserversInsideAreNotAsked(t *testing.T) {
	o := newOutside(t, resolved)
	var asked atomic.Bool
	dial := o.cfg.Dial
	o.cfg.Dial = func(ctx context.Context, network string, addr netip.AddrPort) (net.Conn, error) {
		if addr.Addr() == inside {
			asked.Store(true)
		}
		return dial(ctx, network, addr)
	}
	if got := words(o.look(t, "blog.far.test")); got != "[] [192.0.2.80] []  []" || asked.Load() {
		t.Errorf("%s; the nameserver inside was asked: %t", got, asked.Load())
	}
}

// When nobody answers, nothing is known: that is not the same as no record.
func TestSilenceIsAnError(t *testing.T) {
	dnstest.Need(t, "named")
	refusing := dnstest.Named(t, dnstest.Config{})
	for what, resolver := range map[string]netip.AddrPort{"refused": refusing.Addr, "closed": dnstest.FreePort(t)} {
		if view, err := Look(t.Context(), Config{Resolver: resolver, Zone: ourZone}, "www.example.test"); err == nil {
			t.Errorf("%s: seen %+v", what, view)
		}
	}
}

func TestALookEndsWithItsContext(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	cfg := Config{Resolver: conn.LocalAddr().(*net.UDPAddr).AddrPort(), Zone: ourZone, Timeout: time.Hour}
	if _, err := Look(ctx, cfg, "www.example.test"); err == nil {
		t.Error("no error when the time is over")
	}
}
