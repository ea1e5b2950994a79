package dnsserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"berth/dnsserver/dnstest"
	"berth/sites"

	"github.com/miekg/dns"
)

// The nameservers of a world that is a network namespace. Their addresses look like public ones to Zonemaster; no packet leaves.
var (
	upperAddrs = addresses("193.0.2.53", "2a01:2::53")
	firstAddrs = addresses("194.0.2.53", "2a02:2::53")
	otherAddrs = addresses("195.0.2.53", "2a03:2::53")
)

func addresses(four, six string) []netip.Addr {
	return []netip.Addr{netip.MustParseAddr(four), netip.MustParseAddr(six)}
}

// Zonemaster, which comes to the zones from a root, has nothing to remark on them, at rest and while their keys are replaced. It
// does have on a delegation that names one nameserver too few.
func TestZonemasterFindsNoFault(t *testing.T) {
	dnstest.Need(t, "zonemaster-cli")
	dnstest.Need(t, "named")
	isolate(t, slices.Concat(upperAddrs, firstAddrs, otherAddrs))
	lower := serveLower(t)
	upper := serveUpper(t, lower)
	hints := serveRoot(t, upper)
	for h := range lower.zones.Load().all() {
		if remarks := zonemaster(t, hints, h.published.Name); len(remarks) > 0 {
			t.Errorf("%s:\n%s", h.published.Name, strings.Join(remarks, "\n"))
		}
	}
	upper.Apply(sites.Change{Revision: 8, RRSets: []sites.RRSet{recordSet("example.test 300 NS ns1.example.test.")}})
	if remarks := strings.Join(zonemaster(t, hints, "example.test"), "\n"); !strings.Contains(remarks, "ERROR NOT_ENOUGH_NS_DEL") {
		t.Errorf("of a delegation to one nameserver Zonemaster remarks\n%s", remarks)
	}
}

// serveLower serves zones in all states, by two names.
func serveLower(t *testing.T) *Server {
	t.Helper()
	s := serveAt(t, Config{
		Zone: "example.test", Nameservers: []string{"ns1.example.test", "ns2.test"}, Contact: "hostmaster@mail.test",
		IPv4: firstAddrs[:1], IPv6: firstAddrs[1:],
	}, slices.Concat(firstAddrs, otherAddrs))
	ch := full(7, "hello")
	ch.Zones = []sites.PublishedZone{keyed(1, sites.ZoneMain, "example.test", atRest(t)...)}
	for name, keys := range keyStates(t) {
		ch.Zones = append(ch.Zones, keyed(2, sites.ZonePrimary, name, keys...))
		ch.RRSets = append(ch.RRSets, recordSet(name+" 300 MX 0 ."))
	}
	s.Apply(ch)
	return s
}

// serveUpper serves the zone test, which delegates the zones of another server.
func serveUpper(t *testing.T, lower *Server) *Server {
	t.Helper()
	s := serveAt(t, Config{Zone: "test", IPv4: upperAddrs[:1], IPv6: upperAddrs[1:]}, upperAddrs)
	ch := full(7)
	ch.Zones = []sites.PublishedZone{keyed(1, sites.ZoneMain, "test", atRest(t)...)}
	ch.RRSets = slices.Concat(addressRecords("ns1.example.test", firstAddrs), addressRecords("ns2.test", otherAddrs), addressRecords("mail.test", upperAddrs))
	for h := range lower.zones.Load().all() {
		name := h.published.Name
		ch.RRSets = append(ch.RRSets, recordSet(name+" 300 NS ns1.example.test.|ns2.test."), dsSet(name, lower.ZoneStatus(name).DS))
	}
	s.Apply(ch)
	return s
}

// isolate puts the test, and what it binds and starts from here on, into a network namespace that has the addresses.
func isolate(t *testing.T, addrs []netip.Addr) {
	t.Helper()
	ip := dnstest.Need(t, "ip")
	if probe, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("no IPv6 on this machine: ", err)
	} else {
		_ = probe.Close()
	}
	runtime.LockOSThread() // for good: the thread ends with the test
	if err := syscall.Unshare(syscall.CLONE_NEWNET); errors.Is(err, syscall.EPERM) {
		t.Skip("a network namespace is root's to make")
	} else if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		if out, err := exec.Command(ip, args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	run("link", "set", "lo", "up")
	for _, addr := range addrs {
		run("addr", "add", netip.PrefixFrom(addr, addr.BitLen()).String(), "dev", "lo", "nodad")
	}
}

// serveAt serves on port 53 of the addresses.
func serveAt(t *testing.T, cfg Config, addrs []netip.Addr) *Server {
	t.Helper()
	s := newServer(t, cfg)
	var on Sockets
	for _, addr := range addrs {
		at := netip.AddrPortFrom(addr, 53).String()
		udp, err := net.ListenPacket("udp", at)
		if err != nil {
			t.Fatal(err)
		}
		tcp, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		on.UDP, on.TCP = append(on.UDP, udp), append(on.TCP, tcp)
	}
	serveSockets(t, s, on)
	return s
}

func addressRecords(host string, addrs []netip.Addr) []sites.RRSet {
	return []sites.RRSet{recordSet(host + " 300 A " + addrs[0].String()), recordSet(host + " 300 AAAA " + addrs[1].String())}
}

// serveRoot has BIND serve a root zone that knows the zone test, the names of addresses, and who announces them. It returns a
// file of hints.
func serveRoot(t *testing.T, upper *Server) string {
	t.Helper()
	const root = ". 300 IN NS a.root-servers.net.\na.root-servers.net. 300 IN A 127.0.0.1\n"
	var zone strings.Builder
	zone.WriteString(root + ". 300 IN SOA a.root-servers.net. hostmaster.test. 1 14400 3600 604800 300\ntest. 300 IN NS ns1.test.\n")
	for _, set := range append(addressRecords("ns1.test", upperAddrs), dsSet("test", upper.ZoneStatus("test").DS)) {
		fmt.Fprintf(&zone, "%s. 300 IN %s %s\n", set.Name, set.Type, set.Data[0])
	}
	for i, host := range []string{"ns1.example.test.", "ns2.test."} {
		for _, addr := range [][]netip.Addr{firstAddrs, otherAddrs}[i] {
			reverse, err := dns.ReverseAddr(addr.String())
			if err != nil {
				t.Fatal(err)
			}
			origin := strings.NewReplacer(".in-addr.arpa.", ".origin", ".ip6.arpa.", ".origin6").Replace(reverse)
			fmt.Fprintf(&zone, "%s 300 IN PTR %s\n", reverse, host)
			fmt.Fprintf(&zone, "%s.asnlookup.zonemaster.net. 300 IN TXT \"%d | %s | NL | test | 2000-01-01\"\n",
				origin, 64500+i, netip.PrefixFrom(addr, addr.BitLen()/2).Masked())
		}
	}
	dnstest.Named(t, dnstest.Config{Addr: netip.MustParseAddrPort("127.0.0.1:53"), Zones: []dnstest.Zone{{Name: ".", File: zone.String()}}})
	hints := filepath.Join(t.TempDir(), "hints")
	if err := os.WriteFile(hints, []byte(root), 0o600); err != nil {
		t.Fatal(err)
	}
	return hints
}

// zonemaster is what Zonemaster finds worth a notice, or worse.
func zonemaster(t *testing.T, hints, zone string) (remarks []string) {
	t.Helper()
	var log strings.Builder
	cmd := exec.CommandContext(t.Context(), dnstest.Need(t, "zonemaster-cli"), "--hints", hints, "--level", "NOTICE", "--json", "--no-progress", "--locale", "C", zone)
	cmd.Stderr = &log
	out, err := cmd.Output()
	var found []struct {
		Level, Tag string
		Args       map[string]any
	}
	if err == nil {
		err = json.Unmarshal(out, &found)
	}
	if err != nil {
		t.Fatalf("zonemaster-cli %s: %v\n%s%s", zone, err, out, log.String())
	}
	for _, f := range found {
		remarks = append(remarks, fmt.Sprintf("%s %s %v", f.Level, f.Tag, f.Args))
	}
	return remarks
}
