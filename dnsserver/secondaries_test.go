package dnsserver

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/dnsserver/dnstest"
	"berth/sites"
)

var peerKeys = []sites.TSIGKey{
	{Name: "sha256.key.test", Algorithm: sites.TSIGSHA256, Secret: []byte("the first secret, of 32 bytes...")},
	{Name: "sha512.key.test", Algorithm: sites.TSIGSHA512, Secret: []byte("the second secret, of 64 bytes, 4567890123456789012345678901234")},
}

// testKeys are the keys as other nameservers have them.
func testKeys() (keys []dnstest.Key) {
	for _, k := range peerKeys {
		keys = append(keys, dnstest.Key{Name: k.Name, Algorithm: k.Algorithm, Secret: k.Secret})
	}
	return keys
}

// peer is a nameserver of Debian that transfers the zone from berth.
type peer struct {
	*dnstest.Server
	name   string
	launch func(testing.TB, dnstest.Config) *dnstest.Server
	key    dnstest.Key
	addr   netip.AddrPort
}

func newPeers(t *testing.T) []*peer {
	keys := testKeys()
	peers := []*peer{
		{name: "named", launch: dnstest.Named, key: keys[0]},
		{name: "nsd", launch: dnstest.NSD, key: keys[1]},
		{name: "knotd", launch: dnstest.Knot, key: keys[1]},
	}
	for _, p := range peers {
		p.addr = dnstest.FreePort(t)
	}
	return peers
}

// signedZone is the main zone with keys, and with peers that know it by address and key.
func signedZone(t *testing.T, peers []*peer) sites.PublishedZone {
	zone := signedMain(t, time.Now().Add(-time.Hour))
	zone.TSIG = peerKeys
	for _, p := range peers {
		zone.Peers = append(zone.Peers, sites.Peer{
			Name: p.name, Notify: []netip.AddrPort{p.addr}, From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Key: p.key.Name,
		})
	}
	return zone
}

// follow starts the peers as secondaries of the server.
func follow(t *testing.T, peers []*peer, primary netip.AddrPort) {
	for _, p := range peers {
		p.Server = p.launch(t, dnstest.Config{Addr: p.addr, Debug: true, Keys: testKeys(), Zones: []dnstest.Zone{{
			Name: "example.test", Primaries: []dnstest.Peer{{Addr: primary, Key: p.key.Name}}, Allow: []dnstest.Peer{{Addr: primary, Key: p.key.Name}},
		}}})
	}
	for _, p := range peers {
		dnstest.Eventually(t, p.name+" has the zone", func() bool { return dnstest.Serial(p.addr, "example.test") > 0 })
	}
}

// startServer serves on one port for UDP and TCP.
func startServer(t *testing.T, s *Server) netip.AddrPort {
	udp, tcp := samePort(t)
	serveOn(t, s, udp, tcp)
	return netip.MustParseAddrPort(tcp[0].Addr().String())
}

// BIND, NSD and Knot follow a signed zone through 1,000 changes of every kind, and end with what berth has.
func TestSecondariesConverge(t *testing.T) {
	s := newServer(t, testConfig())
	primary := startServer(t, s)
	peers := newPeers(t)
	change := full(1, siteNames(200)...)
	change.Zones = []sites.PublishedZone{signedZone(t, peers)}
	s.Apply(change)
	follow(t, peers, primary)
	const changes, pauses = 1000, 5 // in which the peers see versions between
	for i := range changes {
		makeChange(t, s, i)
		if (i+1)%(changes/pauses) == 0 {
			converge(t, primary, peers)
		}
	}
	for i := range 5 { // so much that the versions go out one by one
		change := sites.Change{Revision: s.revisionNow() + 1}
		for j := range 20 {
			change.RRSets = append(change.RRSets, recordSet(fmt.Sprintf("bulk-%d-%d.example.test 60 A 192.0.2.1", i, j)))
		}
		s.Apply(change)
	}
	converge(t, primary, peers)
	want := dnstest.Dump(t, primary, "example.test", &peers[0].key)
	for _, p := range peers {
		if got := dnstest.Dump(t, p.addr, "example.test", &p.key); !slices.Equal(got, want) {
			t.Errorf("%s differs: %s", p.name, difference(got, want))
		}
		checkLog(t, p, pauses)
	}
	verify(t, want)
	checkPeerStatus(t, s, peers, dnstest.Serial(primary, "example.test"))
}

// makeChange makes one of a thousand changes.
func makeChange(t *testing.T, s *Server, i int) {
	t.Helper()
	name := fmt.Sprintf("change-%d", i/8)
	set := func(text string) {
		s.Apply(sites.Change{Revision: s.revisionNow() + 1, RRSets: []sites.RRSet{recordSet(text)}})
	}
	gone := func(name, rrtype string) {
		s.Apply(sites.Change{Revision: s.revisionNow() + 1, RRSets: []sites.RRSet{{Name: name, Type: rrtype}}})
	}
	switch i % 8 {
	case 0:
		s.Apply(sites.Change{Revision: s.revisionNow() + 1, Sites: published(name)})
	case 1:
		set("mail." + name + ".example.test 600 MX 10 mx.example.test.|20 mx.elsewhere.test.")
	case 2:
		set("child-" + name + ".example.test 900 NS ns.child-" + name + ".example.test.|ns.elsewhere.test.")
	case 3:
		set("ns.child-" + name + ".example.test 900 A 198.51.100.53")
	case 4:
		// Not to wait for the peers, which are to see versions between.
		if err := s.challenge(t.Context(), "_acme-challenge."+name+".example.test", fmt.Sprint("token ", i), true); err != nil {
			t.Fatal(err)
		}
	case 5:
		set("*." + name + `.example.test 60 TXT "wild ` + fmt.Sprint(i) + `" "card"`)
	case 6:
		if err := s.RemoveChallenge(t.Context(), "_acme-challenge."+name+".example.test", fmt.Sprint("token ", i-2)); err != nil {
			t.Fatal(err)
		}
	case 7:
		if i%16 == 7 {
			s.Apply(sites.Change{Revision: s.revisionNow() + 1, Gone: []string{name + ".example.test"}})
		} else {
			gone("child-"+name+".example.test", "NS")
		}
	}
}

func (s *Server) revisionNow() int64 {
	s.changing.Lock()
	defer s.changing.Unlock()
	return s.revision
}

func converge(t *testing.T, primary netip.AddrPort, peers []*peer) {
	t.Helper()
	want := dnstest.Serial(primary, "example.test")
	for _, p := range peers {
		dnstest.Eventually(t, fmt.Sprintf("%s has serial %d", p.name, want), func() bool { return dnstest.Serial(p.addr, "example.test") == want })
	}
}

// difference is the first few lines that one dump has and the other has not.
func difference(got, want []string) string {
	var lines []string
	for _, line := range got {
		if !slices.Contains(want, line) {
			lines = append(lines, "+ "+line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			lines = append(lines, "- "+line)
		}
	}
	return strings.Join(lines[:min(len(lines), 10)], "\n")
}

// checkLog finds no complaint in what a peer has logged of the zone, and that it took changes and not whole zones.
func checkLog(t *testing.T, p *peer, least int) {
	t.Helper()
	increments := regexp.MustCompile(map[string]string{
		"named": "got incremental response", "nsd": `received update to serial .* of \d{1,5} bytes`, "knotd": "IXFR, incoming, .* finished",
	}[p.name])
	whole := regexp.MustCompile(map[string]string{
		"named": "got nonincremental response", "nsd": `received update to serial .* of \d{6,} bytes`, "knotd": "AXFR, incoming, .* finished",
	}[p.name])
	complaint := regexp.MustCompile(`(?i)error|warning|fail|refused|\bbad|malformed|unexpected|AXFR-style|retry|unreachable|timed out`)
	counts := [2]int{}
	for line := range strings.SplitSeq(p.Log(), "\n") {
		if increments.MatchString(line) {
			counts[0]++
		}
		if whole.MatchString(line) {
			counts[1]++
		}
		if strings.Contains(line, "example.test") && complaint.MatchString(line) && !strings.Contains(line, "(not exists)") { // the file, at first
			t.Errorf("%s logs %q", p.name, line)
		}
	}
	if counts[0] < least || counts[1] != 1 {
		t.Errorf("%s took %d incremental and %d whole transfers, want at least %d and 1:\n%s", p.name, counts[0], counts[1], least, p.Log())
	}
}

// verify has the validators of ldns and BIND check a zone.
func verify(t *testing.T, zone []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "zone")
	if err := os.WriteFile(path, []byte(strings.Join(zone, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"ldns-verify-zone", "-V", "2", path}, {"dnssec-verify", "-o", "example.test", path},
	} {
		out, err := exec.Command(dnstest.Need(t, command[0]), command[1:]...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", command[0], err, out[:min(len(out), 2000)])
		}
	}
}

func checkPeerStatus(t *testing.T, s *Server, peers []*peer, serial uint32) {
	t.Helper()
	all, secondary := s.peerStatus("example.test")
	if len(all) != len(peers) || secondary != nil {
		t.Errorf("%d peers and the secondary status %v", len(all), secondary)
	}
	for _, status := range all {
		if status.Notified != serial || !status.Answered || status.Served != serial || status.Err != "" || status.Requested.IsZero() {
			t.Errorf("peer status %+v, want all at serial %d", status, serial)
		}
	}
}

// dig and kdig get a zone with the right key, and without it an error that they understand and nothing else.
func TestOtherToolsAreRefused(t *testing.T) {
	s := newServer(t, testConfig())
	primary := startServer(t, s)
	peers := newPeers(t)
	change := full(1, "hello")
	change.Zones = []sites.PublishedZone{signedZone(t, peers)}
	s.Apply(change)
	encode := func(k dnstest.Key, secret string) string {
		return k.Algorithm + ":" + k.Name + ":" + base64.StdEncoding.EncodeToString([]byte(secret))
	}
	for _, tool := range []string{"dig", "kdig"} {
		path := dnstest.Need(t, tool)
		for _, k := range testKeys() {
			for _, c := range []struct {
				args []string
				want string
			}{
				{[]string{"-y", encode(k, string(k.Secret))}, "hello.example.test."},
				{[]string{"-y", encode(k, "another secret of the same length")}, "BADSIG"},
				{[]string{"-y", encode(dnstest.Key{Name: "unknown.test", Algorithm: k.Algorithm}, "secret")}, "BADKEY"},
				{nil, "REFUSED|Transfer failed"},
			} {
				args := append([]string{"@127.0.0.1", "-p", fmt.Sprint(primary.Port()), "example.test", "AXFR"}, c.args...)
				out, _ := exec.Command(path, args...).CombinedOutput() // it fails where it is to
				if !regexp.MustCompile(c.want).Match(out) {
					t.Errorf("%s %v: %s", tool, args, out)
				}
				if leaks := strings.Contains(string(out), "hello"); leaks != (c.want == "hello.example.test.") {
					t.Errorf("%s %v: the zone is told: %t", tool, args, leaks)
				}
			}
		}
	}
}
