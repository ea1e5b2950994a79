package delegation

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/dnsserver/dnstest"
	"berth/sites"

	"github.com/miekg/dns"
)

// world is a parent zone "test" on BIND, nameservers below it on another BIND, and unbound as the resolver. The addresses in
// the zones are those of documentation; dial leads to the processes.
type world struct {
	cfg    Config
	routes map[netip.Addr]netip.AddrPort
}

var (
	parentAddr = netip.MustParseAddr("192.0.2.1")
	silentAddr = netip.MustParseAddr("192.0.2.2") // takes packets and does not answer
	childAddr  = netip.MustParseAddr("192.0.2.53")
	child6     = netip.MustParseAddr("2001:db8::53")
	lameAddr   = netip.MustParseAddr("192.0.2.66") // a nameserver without the zone
	closedAddr = netip.MustParseAddr("192.0.2.99") // nothing listens there
)

const soa = "@ 300 IN SOA ns1 hostmaster 1 3600 900 1209600 300\n"

// newWorld starts it all. The parent's lines stand below the origin test; children are the contents of zones; the resolver may
// have further lines of its configuration.
func newWorld(t *testing.T, parentLines string, children map[string]string, resolverLines ...string) *world {
	t.Helper()
	parent := dnstest.Config{Zones: []dnstest.Zone{
		{Name: "test", File: soa + "@ 300 IN NS ns-a\n@ 300 IN NS ns-b\nns-a 300 IN A 192.0.2.1\nns-b 300 IN A 192.0.2.2\n" + parentLines},
		{Name: "down", File: soa + "@ 300 IN NS ns1\nns1 300 IN A 192.0.2.99\n"},
	}}
	child := dnstest.Config{}
	for name, content := range children {
		child.Zones = append(child.Zones, dnstest.Zone{Name: name, File: soa + content})
	}
	above, below := dnstest.Named(t, parent), dnstest.Named(t, child)
	stubs := strings.Join(resolverLines, "\n") + "\n"
	for _, zone := range []string{"test", "down"} {
		stubs += fmt.Sprintf("\tlocal-zone: %q nodefault\n\tdomain-insecure: %q\nstub-zone:\n\tname: %q\n\tstub-addr: 127.0.0.1@%d\n\tstub-prime: no\nserver:\n", zone+".", zone+".", zone+".", above.Addr.Port())
	}
	resolver := dnstest.Unbound(t, stubs)
	w := &world{routes: map[netip.Addr]netip.AddrPort{
		resolver.Addr.Addr(): resolver.Addr,
		parentAddr:           above.Addr, silentAddr: silent(t), childAddr: below.Addr, child6: below.Addr, lameAddr: above.Addr,
		closedAddr: dnstest.FreePort(t),
	}}
	w.cfg = Config{Resolver: resolver.Addr, Timeout: time.Second, Dial: w.dial}
	return w
}

func (w *world) dial(ctx context.Context, network string, addr netip.AddrPort) (net.Conn, error) {
	to, ok := w.routes[addr.Addr()]
	if !ok {
		return nil, fmt.Errorf("nothing is at %s", addr)
	}
	if addr != w.cfg.Resolver && addr.Port() != 53 {
		return nil, fmt.Errorf("%s is not a nameserver's port", addr)
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, to.String())
}

// silent returns an address where packets and connections are taken and nothing is answered.
func silent(t *testing.T) netip.AddrPort {
	t.Helper()
	addr := dnstest.FreePort(t)
	conn, err := net.ListenPacket("udp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	listener, err := net.Listen("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return addr
}

// newKey returns a key-signing key of a zone.
func newKey(t *testing.T, zone string) *dns.DNSKEY {
	t.Helper()
	key := &dns.DNSKEY{
		Hdr:   dns.RR_Header{Name: zone + ".", Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 300},
		Flags: 257, Protocol: 3, Algorithm: dns.ECDSAP256SHA256,
	}
	if _, err := key.Generate(256); err != nil {
		t.Fatal(err)
	}
	return key
}

// zoneOf is what the world should be told in most cases.
func zoneOf(name string, ds ...sites.DS) Zone {
	return Zone{
		Name: name, Nameservers: []string{"ns1." + name, "ns2." + name}, DS: ds,
		Glue: map[string][]netip.Addr{"ns1." + name: {childAddr}, "ns2." + name: {childAddr, child6}},
	}
}

// goodDelegation are the parent's lines of zoneOf.
func goodDelegation(label string) string {
	return fmt.Sprintf(`%[1]s 300 IN NS ns1.%[1]s
%[1]s 300 IN NS ns2.%[1]s
ns1.%[1]s 300 IN A 192.0.2.53
ns2.%[1]s 300 IN A 192.0.2.53
ns2.%[1]s 300 IN AAAA 2001:db8::53
`, label)
}

const childContent = "@ 300 IN NS ns1\n@ 300 IN NS ns2\nns1 300 IN A 192.0.2.53\nns2 300 IN A 192.0.2.53\nns2 300 IN AAAA 2001:db8::53\n"

// scene is a delegation, and what is found of it.
type scene struct {
	label  string
	parent string // lines of the parent
	child  string // content of the zone at its nameserver; empty: it does not have it
	zone   Zone
	state  sites.DelegationState
	want   []string // kind, server and a part of the sentence
}

func scenes(t *testing.T) []scene {
	key, other := newKey(t, "wrongds.test"), newKey(t, "wrongds.test")
	ds := func(key *dns.DNSKEY, digest uint8) sites.DS { return asDS(key.ToDS(digest)) }
	line := func(label string, ds sites.DS) string { return fmt.Sprintf("%s 300 IN DS %s\n", label, dsText(ds)) }
	for key.KeyTag() == other.KeyTag() {
		other = newKey(t, "wrongds.test")
	}
	sha384 := newKey(t, "sha384.test")
	return []scene{
		{label: "good", parent: goodDelegation("good"), child: childContent, zone: zoneOf("good.test"), state: sites.DelegationGood},
		{label: "signed", parent: goodDelegation("signed") + line("signed", ds(key, 2)), child: childContent, zone: zoneOf("Signed.Test.", ds(key, 2)), state: sites.DelegationGood},
		{label: "sha384", parent: goodDelegation("sha384") + line("sha384", ds(sha384, 4)), child: childContent + sha384.String() + "\n", zone: zoneOf("sha384.test", ds(sha384, 2)), state: sites.DelegationGood},
		{label: "absent", child: childContent, zone: zoneOf("absent.test"), state: sites.DelegationMissing, want: []string{
			"not-delegated  There are no NS records of absent.test in test. Enter these nameservers at the registrar: ns1.absent.test, ns2.absent.test.",
		}},
		{label: "empty", parent: "below.empty 300 IN TXT x\n", zone: zoneOf("empty.test"), state: sites.DelegationMissing, want: []string{"not-delegated  There are no NS records"}},
		{label: "elsewhere", parent: "elsewhere 300 IN NS ns.away\nns.away 300 IN A 192.0.2.66\n", zone: zoneOf("elsewhere.test"), state: sites.DelegationMissing, want: []string{
			"not-delegated  elsewhere.test is delegated elsewhere, to ns.away.test.",
		}},
		{label: "servers", parent: goodDelegation("servers") + "servers 300 IN NS ns.away\n", child: childContent, zone: func() Zone {
			z := zoneOf("servers.test")
			z.Nameservers = append(z.Nameservers, "ns3.servers.test")
			return z
		}(), state: sites.DelegationPartly, want: []string{
			"nameserver ns3.servers.test The nameserver ns3.servers.test of the zone is not among those that test names.",
			"nameserver ns.away.test Test names ns.away.test, which is no nameserver of the zone.",
			"lame ns.away.test The nameserver ns.away.test (192.0.2.66) answers questions for servers.test without authority",
		}},
		{label: "lame", parent: goodDelegation("lame"), zone: zoneOf("lame.test"), state: sites.DelegationBroken, want: []string{
			"lame ns1.lame.test The nameserver ns1.lame.test (192.0.2.53) answers questions for lame.test with REFUSED.",
			"lame ns2.lame.test ", "lame ns2.lame.test ",
		}},
		{label: "wrongglue", parent: strings.Replace(goodDelegation("wrongglue"), "ns1.wrongglue 300 IN A 192.0.2.53", "ns1.wrongglue 300 IN A 192.0.2.99", 1), child: childContent, zone: zoneOf("wrongglue.test"), state: sites.DelegationPartly, want: []string{
			"wrong-glue ns1.wrongglue.test Test says that ns1.wrongglue.test has the address 192.0.2.99. Correct it at the registrar to 192.0.2.53.",
			"unreachable ns1.wrongglue.test The nameserver ns1.wrongglue.test does not answer at 192.0.2.99.",
		}},
		{label: "partglue", parent: strings.Replace(goodDelegation("partglue"), "ns2.partglue 300 IN AAAA 2001:db8::53\n", "", 1), child: childContent, zone: zoneOf("partglue.test"), state: sites.DelegationPartly, want: []string{
			"missing-glue ns2.partglue.test Test lacks the address 2001:db8::53 of ns2.partglue.test.",
		}},
		{label: "nods", parent: goodDelegation("nods"), child: childContent, zone: zoneOf("nods.test", ds(key, 2)), state: sites.DelegationPartly, want: []string{
			"missing-ds  nods.test is signed, and test has no DS record of it, so that nobody checks the signatures. Enter at the registrar: " + dsText(ds(key, 2)),
		}},
		{label: "wrongds", parent: goodDelegation("wrongds") + line("wrongds", ds(other, 2)), child: childContent + key.String() + "\n", zone: zoneOf("wrongds.test", ds(key, 2)), state: sites.DelegationBroken, want: []string{
			fmt.Sprintf("wrong-ds  Test has a DS record with the key tag %d, which names no key of wrongds.test, so that resolvers that validate refuse the zone. Replace it at the registrar by: %s.", other.KeyTag(), dsText(ds(key, 2))),
		}},
		{label: "staleds", parent: goodDelegation("staleds") + line("staleds", ds(other, 2)) + line("staleds", ds(key, 2)), child: childContent, zone: zoneOf("staleds.test", ds(key, 2)), state: sites.DelegationPartly, want: []string{
			fmt.Sprintf("wrong-ds  Test has a DS record with the key tag %d, which names no key of staleds.test. Remove it", other.KeyTag()),
		}},
		{label: "halfds", parent: goodDelegation("halfds") + line("halfds", ds(key, 2)), child: childContent, zone: zoneOf("halfds.test", ds(key, 2), ds(other, 2)), state: sites.DelegationPartly, want: []string{
			fmt.Sprintf("missing-ds  Test has no DS record yet of the key with the tag %d. Enter at the registrar, beside what is there: %s.", other.KeyTag(), dsText(ds(other, 2))),
		}},
		{label: "unsigned", parent: goodDelegation("unsigned") + line("unsigned", ds(key, 2)), child: childContent, zone: zoneOf("unsigned.test"), state: sites.DelegationBroken, want: []string{
			fmt.Sprintf("wrong-ds  unsigned.test is not signed, and test has a DS record of it with the key tag %d", key.KeyTag()),
		}},
		{label: "silent", parent: "silent 300 IN NS ns-b\n", child: childContent, zone: Zone{Name: "silent.test", Nameservers: []string{"ns-b.test"}}, state: sites.DelegationBroken, want: []string{
			"unreachable ns-b.test The nameserver ns-b.test does not answer at 192.0.2.2. Let UDP and TCP port 53 through",
		}},
		{label: "noaddress", parent: "noaddress 300 IN NS nowhere\nnoaddress 300 IN NS ns.ok\nns.ok 300 IN A 192.0.2.53\nnowhere 300 IN TXT x\n", child: "@ 300 IN NS ns.ok.test.\n", zone: Zone{Name: "noaddress.test", Nameservers: []string{"nowhere.test", "ns.ok.test"}}, state: sites.DelegationPartly, want: []string{
			"unreachable nowhere.test The nameserver nowhere.test has no address that the resolver",
		}},
	}
}

// Each fault of a delegation is told apart, with what would be right.
func TestCheck(t *testing.T) {
	all := scenes(t)
	lines, children := "", map[string]string{}
	for _, s := range all {
		lines += s.parent
		if s.child != "" {
			children[s.label+".test"] = s.child
		}
	}
	w := newWorld(t, lines, children)
	for _, s := range all {
		t.Run(s.label, func(t *testing.T) {
			got, err := Check(t.Context(), w.cfg, s.zone)
			if err != nil {
				t.Fatal(err)
			}
			checkResult(t, got, s.state, "test", s.want...)
		})
	}
}

func checkResult(t *testing.T, got sites.Delegation, state sites.DelegationState, parent string, want ...string) {
	t.Helper()
	if got.State != state || got.Parent != parent {
		t.Errorf("state %s, parent %q, want %s and %q", got.State, got.Parent, state, parent)
	}
	var findings []string
	for _, f := range got.Findings {
		findings = append(findings, fmt.Sprintf("%s %s %s", f.Kind, f.Server, f.Sentence))
	}
	if !slices.EqualFunc(findings, want, strings.HasPrefix) {
		t.Errorf("findings\n%s\nwant\n%s", strings.Join(findings, "\n"), strings.Join(want, "\n"))
	}
}
