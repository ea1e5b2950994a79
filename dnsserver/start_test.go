package dnsserver

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

func testConfig() Config {
	return Config{
		Zone:        "example.test",
		Nameservers: []string{"ns1.example.test", "ns2.dns.example.test", "ns.elsewhere.test"},
		IPv4:        []netip.Addr{netip.MustParseAddr("192.0.2.1")},
		IPv6:        []netip.Addr{netip.MustParseAddr("2001:db8::1")},
		PanelHost:   "panel.example.test",
	}
}

func newServer(t testing.TB, cfg Config) *Server {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// running is a server with sockets of its own on the loopback addresses.
type running struct {
	*Server
	udp4, udp6, tcp4, tcp6 string
	stop                   func() error // ends serving and returns what Serve did
}

// start serves until the test ends. The IPv6 addresses are empty where the machine has none.
func start(t testing.TB, s *Server) *running {
	t.Helper()
	r := &running{Server: s}
	var udp []net.PacketConn
	var tcp []net.Listener
	for host, addrs := range map[string][2]*string{"127.0.0.1": {&r.udp4, &r.tcp4}, "::1": {&r.udp6, &r.tcp6}} {
		conn, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
		if err != nil {
			if host == "::1" {
				t.Log("no IPv6 on this machine:", err)
				continue
			}
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		*addrs[0], *addrs[1] = conn.LocalAddr().String(), listener.Addr().String()
		udp, tcp = append(udp, conn), append(tcp, listener)
	}
	r.stop = serveOn(t, s, udp, tcp)
	return r
}

// serveOn serves until the test ends or the returned function is called, which returns what Serve did.
func serveOn(t testing.TB, s *Server, udp []net.PacketConn, tcp []net.Listener) (stop func() error) {
	return serveSockets(t, s, Sockets{UDP: udp, TCP: tcp})
}

func serveSockets(t testing.TB, s *Server, on Sockets) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- s.Serve(ctx, on)
		close(served)
	}()
	stop = func() error {
		cancel()
		select {
		case err := <-served:
			return err
		case <-time.After(20 * time.Second):
			t.Error("Serve did not return")
			return nil
		}
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error("Serve:", err)
		}
	})
	return stop
}

// samePort binds UDP and TCP sockets of 127.0.0.1 to one port.
func samePort(t testing.TB) ([]net.PacketConn, []net.Listener) {
	t.Helper()
	return samePortOf(t, "127.0.0.1")
}

func samePortOf(t testing.TB, host string) ([]net.PacketConn, []net.Listener) {
	t.Helper()
	for range 50 {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.ListenPacket("udp", listener.Addr().String())
		if err == nil {
			return []net.PacketConn{conn}, []net.Listener{listener}
		}
		_ = listener.Close()
	}
	t.Fatal("no port is free for both transports")
	return nil, nil
}

// full is a full change at a revision with a site per name.
func full(revision int64, names ...string) sites.Change {
	return sites.Change{Revision: revision, Full: true, Sites: published(names...)}
}

func published(names ...string) []sites.Published {
	all := make([]sites.Published, len(names))
	for i, n := range names {
		all[i] = sites.Published{ID: sites.SiteID(i + 1), Name: n, Hosts: []string{n + ".example.test"}}
	}
	return all
}

// recordSet reads "name ttl type data|data".
func recordSet(text string) sites.RRSet {
	fields := strings.SplitN(text, " ", 4)
	var ttl uint32
	for _, digit := range fields[1] {
		ttl = ttl*10 + uint32(digit-'0')
	}
	return sites.RRSet{Name: fields[0], TTL: ttl, Type: fields[2], Data: strings.Split(fields[3], "|")}
}

// question makes a query from "name type".
func question(text string) *dns.Msg {
	name, rrtype, _ := strings.Cut(text, " ")
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), typeOf(rrtype))
	q.RecursionDesired = false
	return q
}

func typeOf(text string) uint16 {
	if rrtype, ok := dns.StringToType[text]; ok {
		return rrtype
	}
	var rrtype uint16
	for _, digit := range strings.TrimPrefix(text, "TYPE") {
		rrtype = rrtype*10 + uint16(digit-'0')
	}
	return rrtype
}

func exchange(t testing.TB, network, addr string, q *dns.Msg) *dns.Msg {
	t.Helper()
	client := &dns.Client{Net: network, UDPSize: 4096, Timeout: 10 * time.Second}
	answer, _, err := client.Exchange(q, addr)
	if err != nil {
		t.Fatalf("%s %v: %v", network, q.Question, err)
	}
	return answer
}

// direct answers without a socket between.
func direct(t testing.TB, s *Server, q *dns.Msg, via transport) *dns.Msg {
	t.Helper()
	packet, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	out := s.newResponder().respond(nil, packet, via, testClient)
	answer := new(dns.Msg)
	if err := answer.Unpack(out); err != nil {
		t.Fatalf("answer to %v cannot be read: %v", q.Question, err)
	}
	return answer
}

// render is an answer as text: rcode and flags, then each record after the name of its section; see normal.
func render(m *dns.Msg) string {
	head := []string{rcodeName(m.Rcode)}
	for _, flag := range []struct {
		set  bool
		name string
	}{{m.Authoritative, "aa"}, {m.Truncated, "tc"}, {m.RecursionDesired, "rd"}, {m.RecursionAvailable, "ra"}, {m.CheckingDisabled, "cd"}} {
		if flag.set {
			head = append(head, flag.name)
		}
	}
	lines := []string{strings.Join(head, " ")}
	for _, section := range []struct {
		name string
		rrs  []dns.RR
	}{{"answer", m.Answer}, {"authority", m.Ns}, {"additional", m.Extra}} {
		for _, rr := range section.rrs {
			if rr.Header().Rrtype != dns.TypeOPT {
				lines = append(lines, section.name+" "+strings.ReplaceAll(rr.String(), "\t", " "))
			}
		}
	}
	return normal(strings.Join(lines, "\n"))
}

// normal makes answers as text comparable: without indentation, and sorted but for the answer section, where the
// order of a chain matters.
func normal(answer string) string {
	lines := strings.Split(strings.TrimSpace(answer), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	head := []string{lines[0]}
	var rest []string
	for _, line := range lines[1:] {
		if strings.HasPrefix(line, "answer ") {
			head = append(head, line)
		} else {
			rest = append(rest, line)
		}
	}
	slices.Sort(rest)
	return strings.Join(append(head, rest...), "\n")
}

// eventually polls until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("never: " + what)
		}
	}
}

// testClient is where queries come from that no socket lies between.
var testClient = netip.MustParseAddrPort("203.0.113.7:4242")

func setChallenge(t testing.TB, s *Server, name, value string) {
	t.Helper()
	if err := s.SetChallenge(context.Background(), name, value); err != nil {
		t.Error(err)
	}
}

func removeChallenge(t testing.TB, s *Server, name, value string) {
	t.Helper()
	if err := s.RemoveChallenge(context.Background(), name, value); err != nil {
		t.Error(err)
	}
}

// logLines is a logger and the lines that it has written.
func logLines() (*slog.Logger, *strings.Builder) {
	var b strings.Builder
	return slog.New(slog.NewTextHandler(&b, nil)), &b
}

func contextOf(t testing.TB) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return ctx, cancel
}
