package docker

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// listenOn accepts connections on an address of this host until the test ends.
func listenOn(t *testing.T, addr netip.Addr) string {
	t.Helper()
	listener, err := net.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}

// ownAddress is an address of this host that is neither loopback nor on a bridge of the installation.
func ownAddress(t *testing.T, pool netip.Prefix) netip.Addr {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && prefix.Addr().Is4() && !prefix.Addr().IsLoopback() && !pool.Contains(prefix.Addr()) {
			return prefix.Addr()
		}
	}
	t.Fatal("this host has no address but loopback")
	return netip.Addr{}
}

func expectDial(t *testing.T, from netip.AddrPort, to, want string) {
	t.Helper()
	if got := get(t, from, "/-/dial", "to", to); !strings.HasPrefix(got, want) {
		t.Errorf("from instance %v to %s: %s, want it %s", from, to, got, want)
	}
}

func TestInstancesReachNothing(t *testing.T) {
	r := newRig(t)
	a := r.start(spec(t, 1, 1, "index.html", "a"))
	b := r.start(spec(t, 2, 1, "index.html", "b"))
	atGateway := listenOn(t, gateway(r.cfg.Pool))
	atHost := listenOn(t, ownAddress(t, r.cfg.Pool))
	if p := r.prepared.Load(); p.isolation.warning() != "" {
		t.Fatalf("isolation: %q", p.isolation)
	}
	if info := r.Info(t.Context()); strings.Contains(info.Version, ";") || info.Err != "" {
		t.Errorf("info: %+v", info)
	}

	everywhere := []string{b.Addr.String(), atGateway, atHost}
	if routed := addDefaultRoute(t, r, a.ID); routed {
		defer t.Log("with a default route of the test's own in the instance")
	}
	for _, to := range everywhere {
		conn, err := net.Dial("tcp", to)
		if err != nil {
			t.Fatalf("the host itself does not reach %s: %v", to, err)
		}
		_ = conn.Close()
		expectDial(t, a.Addr, to, "blocked")
	}
	if got := get(t, b.Addr, "/"); got != "b" {
		t.Errorf("from the host an instance answers %q", got)
	}

	// It is the rules that keep instances from the host, and Prepare brings them back.
	if err := r.liftRules(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectDial(t, a.Addr, atGateway, "connected")
	for range 2 {
		if err := r.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		expectDial(t, a.Addr, atGateway, "blocked")
	}
}

// addDefaultRoute gives an instance what no instance has, so that the rules are tested and not the lack of a route.
func addDefaultRoute(t *testing.T, r *rig, id string) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return false
	}
	if _, err := exec.LookPath("nsenter"); err != nil {
		return false
	}
	found, err := r.cli.ContainerInspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	command(t, "nsenter", "--net", "--target", strconv.Itoa(found.State.Pid), "ip", "route", "replace", "default", "via", gateway(r.cfg.Pool).String())
	return true
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// lab is a host with a bridge, two instances on it, and a neighbour beyond the host, each a network namespace.
type lab struct {
	t            *testing.T
	prefix       string
	exe          string
	installation string
}

const (
	labPool     = "10.66.0.0/24"
	labHost     = "10.66.0.1"
	labA        = "10.66.0.2"
	labB        = "10.66.0.3"
	labHostWide = "10.66.9.1"
	labOutside  = "10.66.9.2"
)

func newLab(t *testing.T) *lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("there is no ip command")
	}
	l := &lab{t: t, prefix: fmt.Sprintf("bt%d", rand.Uint32()), exe: program(t), installation: "lab"}
	for _, ns := range []string{"host", "a", "b", "out"} {
		l.ip("netns", "add", l.prefix+ns)
		t.Cleanup(func() { command(t, "ip", "netns", "del", l.prefix+ns) })
		l.in(ns, "ip", "link", "set", "lo", "up")
	}
	bridge := bridgePrefix(l.installation) + "0"
	l.in("host", "ip", "link", "add", bridge, "type", "bridge")
	l.in("host", "ip", "addr", "add", labHost+"/24", "dev", bridge)
	l.in("host", "ip", "link", "set", bridge, "up")
	l.in("host", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
	// Frames on the bridge are then left to the bridge's own rules; the engine, which does more, is not here.
	l.in("host", "sh", "-c", "! test -d /proc/sys/net/bridge || echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables")
	for ns, addr := range map[string]string{"a": labA, "b": labB} {
		l.wire(ns, addr+"/24", labHost)
		l.in("host", "ip", "link", "set", "to-"+ns, "master", bridge)
	}
	l.wire("out", labOutside+"/24", labHostWide)
	l.in("host", "ip", "addr", "add", labHostWide+"/24", "dev", "to-out")
	return l
}

// wire connects a namespace to the host's and gives it an address and a default route.
func (l *lab) wire(ns, addr, via string) {
	l.t.Helper()
	l.in("host", "ip", "link", "add", "to-"+ns, "type", "veth", "peer", "name", "eth0", "netns", l.prefix+ns)
	l.in("host", "ip", "link", "set", "to-"+ns, "up")
	l.in(ns, "ip", "link", "set", "eth0", "up")
	l.in(ns, "ip", "addr", "add", addr, "dev", "eth0")
	l.in(ns, "ip", "route", "add", "default", "via", via)
}

func (l *lab) ip(args ...string) { l.t.Helper(); command(l.t, "ip", args...) }

func (l *lab) in(ns string, args ...string) string {
	l.t.Helper()
	return command(l.t, "ip", append([]string{"netns", "exec", l.prefix + ns}, args...)...)
}

// listen serves in a namespace until the test ends.
func (l *lab) listen(ns string) {
	l.t.Helper()
	cmd := exec.Command("ip", "netns", "exec", l.prefix+ns, l.exe, "listen", ":80")
	out, err := cmd.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		_ = cmd.Process.Kill() // ip has become the program by exec
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		l.t.Fatalf("listen in %s: %q %v", ns, line, err)
	}
}

func (l *lab) expect(from, to, want string) {
	l.t.Helper()
	if got := l.in(from, l.exe, "dial", to+":80"); !strings.HasPrefix(got, want) {
		l.t.Errorf("from %s to %s: %s, want it %s", from, to, got, want)
	}
}

func TestRules(t *testing.T) {
	l := newLab(t)
	for _, ns := range []string{"host", "a", "b", "out"} {
		l.listen(ns)
	}
	ways := []struct{ from, to, isolated string }{
		{"a", labB, "blocked"},
		{"b", labA, "blocked"},
		{"a", labHost, "blocked"},
		{"a", labHostWide, "blocked"},
		{"a", labOutside, "blocked"},
		{"out", labA, "blocked"},
		{"host", labA, "connected"},
		{"host", labB, "connected"},
		{"host", labOutside, "connected"},
		{"out", labHostWide, "connected"},
	}
	for _, way := range ways {
		l.expect(way.from, way.to, "connected")
	}
	for range 2 {
		if got := isolation(l.in("host", l.exe, "isolate", l.installation, labPool)); got.warning() != "" {
			t.Fatalf("isolate reports %q", got)
		}
		for _, way := range ways {
			l.expect(way.from, way.to, way.isolated)
		}
	}
	// Another installation's rules are not ours to touch.
	l.in("host", l.exe, "isolate", "another", "10.67.0.0/24")
	l.in("host", l.exe, "isolate", "--remove", "another", "10.67.0.0/24")
	l.expect("a", labB, "blocked")
	for range 2 { // the second time there is nothing to remove
		l.in("host", l.exe, "isolate", "--remove", l.installation, labPool)
	}
	for _, way := range ways {
		l.expect(way.from, way.to, "connected")
	}
}

func TestIsolationThatIsIncompleteIsSaid(t *testing.T) {
	for report, want := range map[isolation]string{
		"inet\nbridge\n": "",
		"inet\n":         "sites are kept from each other by the engine only: the host's kernel has no nf_tables for bridges",
		"":               "sites are not kept from the host: its kernel has no nf_tables",
	} {
		if got := report.warning(); got != want {
			t.Errorf("%q: %q, want %q", report, got, want)
		}
	}
}
