package delegation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"berth/dnsserver/dnstest"
	"berth/sites"
)

// NSD serves a delegation without the glue that it needs; BIND would not load it.
func TestMissingGlue(t *testing.T) {
	parent := dnstest.NSD(t, dnstest.Config{Zones: []dnstest.Zone{{
		Name: "test",
		File: "$ORIGIN test.\n" + soa + "@ 300 IN NS ns-a\nns-a 300 IN A 192.0.2.1\nbare 300 IN NS ns1.bare\nbare 300 IN NS ns2.bare\n",
	}}})
	w := newWorld(t, "", nil)
	w.routes[parentAddr] = parent.Addr
	got, err := Check(t.Context(), w.cfg, zoneOf("bare.test"))
	if err != nil {
		t.Fatal(err)
	}
	checkResult(t, got, sites.DelegationBroken, "test",
		"missing-glue ns1.bare.test Test lacks the address 192.0.2.53 of ns1.bare.test. Enter it at the registrar",
		"missing-glue ns2.bare.test Test lacks the address 192.0.2.53 and 2001:db8::53 of ns2.bare.test.")
}

// A referral that does not fit a packet is asked for over TCP, and no glue counts as missing that was only cut off.
func TestLongReferral(t *testing.T) {
	zone := Zone{Name: "long.test", Glue: map[string][]netip.Addr{}}
	lines, content := "", ""
	for i := range 13 {
		host := fmt.Sprintf("%s-%d", strings.Repeat("nameserver", 5), i)
		for j := range 6 {
			addr := netip.AddrFrom4([4]byte{198, 51, 100, byte(10*i + j)})
			zone.Glue[host+".long.test"] = append(zone.Glue[host+".long.test"], addr)
			lines += fmt.Sprintf("%s.long 300 IN A %s\n", host, addr)
		}
		zone.Nameservers = append(zone.Nameservers, host+".long.test")
		lines += fmt.Sprintf("long 300 IN NS %s.long\n", host)
		content += fmt.Sprintf("@ 300 IN NS %s\n%[1]s 300 IN A 192.0.2.53\n", host)
	}
	w := newWorld(t, lines, map[string]string{"long.test": content})
	for _, addrs := range zone.Glue {
		for _, addr := range addrs {
			w.routes[addr] = w.routes[childAddr]
		}
	}
	got, err := Check(t.Context(), w.cfg, zone)
	if err != nil {
		t.Fatal(err)
	}
	checkResult(t, got, sites.DelegationGood, "test")
}

// What cannot be asked is told, and is not taken for a fault of the delegation.
func TestParentThatCannotBeAsked(t *testing.T) {
	w := newWorld(t, "other 300 IN TXT x\n", nil)
	t.Run("its nameservers are down", func(t *testing.T) {
		got, err := Check(t.Context(), w.cfg, zoneOf("example.down"))
		if err != nil {
			t.Fatal(err)
		}
		checkResult(t, got, sites.DelegationUnknown, "down", "unreachable  No nameserver of down gives an answer of use.")
		if _, _, err := DSAtParent(t.Context(), w.cfg, "example.down"); err == nil {
			t.Error("DS records were told")
		}
	})
	t.Run("its nameserver refuses", func(t *testing.T) {
		refusing := dnstest.Named(t, dnstest.Config{})
		w.routes[closedAddr] = refusing.Addr
		got, err := Check(t.Context(), w.cfg, zoneOf("example.down"))
		if err != nil {
			t.Fatal(err)
		}
		checkResult(t, got, sites.DelegationUnknown, "down", "unreachable  No nameserver of down gives an answer of use.")
	})
	t.Run("the resolver is down", func(t *testing.T) {
		cfg := w.cfg
		cfg.Resolver = netip.AddrPortFrom(silentAddr, 53)
		got, err := Check(t.Context(), cfg, zoneOf("good.test"))
		if err != nil {
			t.Fatal(err)
		}
		checkResult(t, got, sites.DelegationUnknown, "", "unreachable  The parent zone of good.test was not found: the resolver 192.0.2.2:53 gives")
	})
}

// A check ends when its caller no longer waits.
func TestCheckEndsWithItsContext(t *testing.T) {
	addr := silent(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := Check(ctx, Config{Resolver: addr, Timeout: time.Minute}, zoneOf("good.test"))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the context's", err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestCheckNeedsAZone(t *testing.T) {
	for _, zone := range []Zone{{}, {Name: "."}, {Name: "a..b", Nameservers: []string{"ns1.test"}}, {Name: "good.test"}} {
		if _, err := Check(t.Context(), Config{}, zone); err == nil {
			t.Errorf("%+v was checked", zone)
		}
	}
}

// Where one nameserver has the parent and the zone, its answer for NS is the zone's own; the DS records are the parent's.
func TestParentAndZoneOnOneNameserver(t *testing.T) {
	both := dnstest.Named(t, dnstest.Config{Zones: []dnstest.Zone{
		{Name: "test", File: soa + "@ 300 IN NS ns-a\nns-a 300 IN A 192.0.2.1\n" + goodDelegation("both")},
		{Name: "both.test", File: soa + childContent},
	}})
	w := newWorld(t, goodDelegation("both"), nil)
	w.routes[parentAddr], w.routes[childAddr], w.routes[child6] = both.Addr, both.Addr, both.Addr
	key := newKey(t, "both.test")
	got, err := Check(t.Context(), w.cfg, zoneOf("both.test", asDS(key.ToDS(2))))
	if err != nil {
		t.Fatal(err)
	}
	checkResult(t, got, sites.DelegationPartly, "test", "missing-ds  both.test is signed")
}

// The resolver may know less than the parents: a zone between them is found by their referrals.
func TestZoneBetweenParentAndZone(t *testing.T) {
	w := newWorld(t, "middle 300 IN NS ns.middle\nns.middle 300 IN A 192.0.2.53\n", map[string]string{
		"middle.test":     "@ 300 IN NS ns.middle.test.\nns 300 IN A 192.0.2.53\n" + goodDelegation("low"),
		"low.middle.test": childContent,
	}, "\tlocal-zone: middle.test. static", "\tlocal-data: 'middle.test. NS ns.middle.test.'", "\tlocal-data: 'ns.middle.test. A 192.0.2.53'")
	got, err := Check(t.Context(), w.cfg, zoneOf("low.middle.test"))
	if err != nil {
		t.Fatal(err)
	}
	checkResult(t, got, sites.DelegationGood, "middle.test")
}

// A nameserver must answer over both transports (RFC 7766).
func TestTransportThatIsBlocked(t *testing.T) {
	w := newWorld(t, goodDelegation("half"), map[string]string{"half.test": childContent})
	for network, want := range map[string]string{"udp": "over TCP alone", "tcp": "over UDP alone"} {
		cfg := w.cfg
		cfg.Dial = func(ctx context.Context, n string, addr netip.AddrPort) (net.Conn, error) {
			if n == network && addr.Addr() == child6 {
				return nil, syscall.ECONNREFUSED
			}
			return w.dial(ctx, n, addr)
		}
		got, err := Check(t.Context(), cfg, zoneOf("half.test"))
		if err != nil {
			t.Fatal(err)
		}
		checkResult(t, got, sites.DelegationPartly, "test", "unreachable ns2.half.test The nameserver ns2.half.test answers at 2001:db8::53 "+want)
	}
}

// A machine without IPv6 does not take nameservers for unreachable that it cannot judge.
func TestMachineWithoutIPv6(t *testing.T) {
	only := "only 300 IN NS ns1.only\nonly 300 IN NS ns2.only\nns1.only 300 IN A 192.0.2.53\nns2.only 300 IN AAAA 2001:db8::53\n"
	w := newWorld(t, goodDelegation("six")+only, map[string]string{"six.test": childContent, "only.test": childContent})
	cfg := w.cfg
	cfg.Dial = func(ctx context.Context, network string, addr netip.AddrPort) (net.Conn, error) {
		if addr.Addr().Is6() {
			return nil, &net.OpError{Op: "dial", Err: syscall.ENETUNREACH}
		}
		return w.dial(ctx, network, addr)
	}
	zone := zoneOf("six.test")
	got, err := Check(t.Context(), cfg, zone)
	if err != nil {
		t.Fatal(err)
	}
	checkResult(t, got, sites.DelegationGood, "test")
	zone.Nameservers, zone.Glue["ns2.only.test"] = []string{"ns1.only.test", "ns2.only.test"}, []netip.Addr{child6}
	zone.Name, zone.Glue["ns1.only.test"] = "only.test", []netip.Addr{childAddr}
	got, err = Check(t.Context(), cfg, zone)
	if err != nil {
		t.Fatal(err)
	}
	checkResult(t, got, sites.DelegationPartly, "test", "unreachable ns2.only.test The nameserver ns2.only.test could not be asked at 2001:db8::53: this server has no way there.")
}

func TestDSAtParent(t *testing.T) {
	key := newKey(t, "signed.test")
	two, four := asDS(key.ToDS(2)), asDS(key.ToDS(4))
	w := newWorld(t, goodDelegation("signed")+goodDelegation("plain")+
		fmt.Sprintf("signed 7200 IN DS %s\nsigned 7200 IN DS %s\n", dsText(two), dsText(four)), nil)
	got, ttl, err := DSAtParent(t.Context(), w.cfg, "signed.test")
	if err != nil || ttl != 2*time.Hour || len(got) != 2 || !slices.Contains(got, two) || !slices.Contains(got, four) {
		t.Errorf("DS %v, TTL %s, %v; want %v and %v, 2h", got, ttl, err, two, four)
	}
	if got, _, err := DSAtParent(t.Context(), w.cfg, "plain.test"); err != nil || len(got) > 0 {
		t.Errorf("DS %v of a zone that has none (%v)", got, err)
	}
	if _, _, err := DSAtParent(t.Context(), w.cfg, "absent.test"); err == nil {
		t.Error("no error for a zone that is not delegated")
	}
}

func TestRegistrarLines(t *testing.T) {
	zone := Zone{
		Name: "Example.org.", Nameservers: []string{"ns1.example.org", "NS2.example.org", "ns.example.net"},
		Glue: map[string][]netip.Addr{"ns1.example.org.": {child6, childAddr}, "ns2.example.org": {silentAddr}, "ns.example.net": {parentAddr}},
		DS:   []sites.DS{{KeyTag: 4711, Algorithm: 13, DigestType: 2, Digest: "ab12"}},
	}
	ns, glue, ds := RegistrarLines(zone)
	got := strings.Join(slices.Concat(ns, glue, ds), "\n")
	want := `example.org. IN NS ns1.example.org.
example.org. IN NS ns2.example.org.
example.org. IN NS ns.example.net.
ns1.example.org. IN A 192.0.2.53
ns1.example.org. IN AAAA 2001:db8::53
ns2.example.org. IN A 192.0.2.2
example.org. IN DS 4711 13 2 AB12`
	if got != want {
		t.Errorf("lines\n%s\nwant\n%s", got, want)
	}
}
