package docker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"berth/sites"

	"github.com/docker/docker/api/types/network"
)

func TestPoolsThatCannotWork(t *testing.T) {
	for pool, want := range map[string]string{
		"fd00::/64":      "must be an IPv4 subnet",
		"10.1.2.3/16":    "did you mean 10.1.0.0/16?",
		"10.0.0.0/8":     "between /12 and /28",
		"10.0.0.0/29":    "between /12 and /28",
		"8.8.0.0/16":     "must lie in",
		"192.160.0.0/12": "must lie in",
	} {
		_, err := New(Config{Installation: "x", Version: "1", Pool: netip.MustParsePrefix(pool)})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), pool) {
			t.Errorf("%s: %v, want %q", pool, err, want)
		}
	}
}

func TestNextSubnet(t *testing.T) {
	pool := netip.MustParsePrefix("10.1.0.0/20")
	var inUse []netip.Prefix
	for _, want := range []string{"10.1.0.0/22", "10.1.4.0/22", "10.1.8.0/22", "10.1.12.0/22"} {
		got, ok := nextSubnet(pool, inUse)
		if !ok || got.String() != want {
			t.Fatalf("got %v %v, want %s", got, ok, want)
		}
		inUse = append(inUse, got)
	}
	if got, ok := nextSubnet(pool, inUse); ok {
		t.Errorf("a full pool yields %v", got)
	}
	if got, _ := nextSubnet(pool, slices.Delete(inUse, 1, 2)); got.String() != "10.1.4.0/22" {
		t.Errorf("the gap is %v", got)
	}
	if got, ok := nextSubnet(netip.MustParsePrefix("192.168.0.64/26"), nil); !ok || got.String() != "192.168.0.64/26" {
		t.Errorf("a small pool yields %v", got)
	}
}

func smallAddresses() *addresses {
	a := newAddresses(netip.MustParsePrefix("10.9.0.0/28"))
	a.setSubnets([]subnet{{"b", netip.MustParsePrefix("10.9.0.8/29")}, {"a", netip.MustParsePrefix("10.9.0.0/29")}})
	return a
}

func TestAddressesAreHandedOutOnce(t *testing.T) {
	a := smallAddresses()
	var got []string
	for {
		addr, net, ok := a.take(false)
		if !ok {
			break
		}
		if !net.prefix.Contains(addr) {
			t.Errorf("%v is not in %v", addr, net)
		}
		got = append(got, net.name+addr.String()[len("10.9.0"):])
	}
	want := []string{"a.2", "a.3", "a.4", "a.5", "a.6", "b.10", "b.11", "b.12", "b.13", "b.14"}
	if !slices.Equal(got, want) {
		t.Errorf("handed out %v", got)
	}
	back := netip.MustParseAddr("10.9.0.4")
	a.giveBack(back)
	if addr, _, ok := a.take(false); ok {
		t.Errorf("%v was handed out without a rest", addr)
	}
	if addr, _, ok := a.take(true); !ok || addr != back {
		t.Errorf("got %v %v, want %v although it has not rested", addr, ok, back)
	}
}

func TestSurveyDoesNotFreeWhatItCannotKnow(t *testing.T) {
	a := smallAddresses()
	early, _, _ := a.take(false)
	a.keep(early)
	since := a.now() // the engine is asked here
	starting, _, _ := a.take(false)
	started, _, _ := a.take(false)
	a.keep(started)
	stranger := netip.MustParseAddr("10.9.0.5")
	a.settle(since, []netip.Addr{stranger})
	var got []netip.Addr
	for addr, _, ok := a.take(false); ok; addr, _, ok = a.take(false) {
		got = append(got, addr)
	}
	if !slices.Contains(got, early) {
		t.Errorf("%v is gone from the engine and was not freed", early)
	}
	for _, addr := range []netip.Addr{starting, started, stranger} {
		if slices.Contains(got, addr) {
			t.Errorf("%v is in use and was handed out", addr)
		}
	}
}

func TestParseRoutes(t *testing.T) {
	table := "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n" +
		"eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n" +
		"docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
	routes, err := parseRoutes(strings.NewReader(table))
	if err != nil || len(routes) != 1 || routes[0].prefix.String() != "172.17.0.0/16" || routes[0].device != "docker0" {
		t.Errorf("routes: %v, %v", routes, err)
	}
	if _, err := parseRoutes(strings.NewReader("eth0 xyz 0 0 0 0 0 0\n")); err == nil {
		t.Error("nonsense was parsed")
	}
}

func TestPoolThatOverlaps(t *testing.T) {
	foreign := newRig(t)
	if err := foreign.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *Config) { c.Pool = netip.PrefixFrom(foreign.cfg.Pool.Addr(), 24).Masked() })
	err := r.Prepare(t.Context())
	want := fmt.Sprintf("The network pool %s overlaps %s of the Docker network %q. Choose another with --network-pool.",
		r.cfg.Pool, foreign.cfg.Pool, foreign.networkName(0))
	var refusal *sites.Refusal
	if !errors.As(err, &refusal) || refusal.Sentence != want {
		t.Errorf("prepare: %v", err)
	}
	// Of what is left only the route is in the way.
	_, err = r.addNetwork(t.Context(), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "overlaps the host's route to "+foreign.cfg.Pool.String()+" through "+bridgePrefix(foreign.cfg.Installation)) {
		t.Errorf("route: %v", err)
	}
}

func TestPoolThatWasChanged(t *testing.T) {
	r := newRig(t)
	before := r.start(spec(t, 1, 1, "index.html", "x"))
	moved := newRig(t, func(c *Config) {
		*c = r.cfg
		for c.Pool.Overlaps(r.cfg.Pool) {
			c.Pool = somePool()
		}
	})
	if listed := moved.instances(); len(listed) != 1 || !listed[0].Stale {
		t.Errorf("instance in the old pool: %+v", listed)
	}
	after := moved.start(spec(t, 1, 1, "index.html", "x"))
	if !moved.cfg.Pool.Contains(after.Addr.Addr()) {
		t.Errorf("%v is not in %v", after.Addr, moved.cfg.Pool)
	}
	if err := moved.Stop(t.Context(), before.ID); err != nil {
		t.Fatal(err)
	}
	if err := moved.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	networks, err := r.cli.NetworkList(t.Context(), network.ListOptions{Filters: r.ours()})
	if err != nil || len(networks) != 1 || networks[0].IPAM.Config[0].Subnet != moved.cfg.Pool.String() {
		t.Errorf("networks: %+v, %v", networks, err)
	}
}

func TestPoolThatIsInUseInPart(t *testing.T) {
	begin := netip.AddrFrom4([4]byte{10, 78, byte(16 * rand.UintN(16)), 0})
	foreign := newRig(t, func(c *Config) { c.Pool = netip.PrefixFrom(begin, 26) })
	foreign.prepare()
	r := newRig(t, func(c *Config) { c.Pool = netip.PrefixFrom(begin, 20) })
	instance := r.start(spec(t, 1, 1, "index.html", "beside"))
	if want := netip.PrefixFrom(last(netip.PrefixFrom(begin, widest)).Next(), widest); !want.Contains(instance.Addr.Addr()) {
		t.Errorf("%v is not in %v, the first piece that nobody else uses", instance.Addr, want)
	}
	if got := get(t, instance.Addr, "/"); got != "beside" {
		t.Errorf("instance answers %q", got)
	}
}
