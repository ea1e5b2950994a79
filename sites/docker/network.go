package docker

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"berth/sites"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
)

// checkPool refuses pools that could not work on any engine.
func checkPool(pool netip.Prefix) error {
	switch {
	case !pool.Addr().Is4():
		return fmt.Errorf("network pool %s: must be an IPv4 subnet", pool)
	case pool != pool.Masked():
		return fmt.Errorf("network pool %s: has bits set after the prefix; did you mean %s?", pool, pool.Masked())
	case pool.Bits() < 12 || pool.Bits() > 28:
		return fmt.Errorf("network pool %s: must be between /12 and /28", pool)
	case !pool.Addr().IsPrivate() || !last(pool).IsPrivate():
		return fmt.Errorf("network pool %s: must lie in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16", pool)
	}
	return nil
}

// networks lists this installation's networks, and those of others.
func (r *Runtime) networks(ctx context.Context) (own, foreign []network.Summary, err error) {
	call, cancel := context.WithTimeout(ctx, r.wait.call)
	defer cancel()
	all, err := r.engine().NetworkList(call, network.ListOptions{})
	if err != nil {
		return nil, nil, r.fault(ctx, "list networks", err)
	}
	for _, n := range all {
		if n.Labels[labelInstallation] == r.cfg.Installation {
			own = append(own, n)
		} else {
			foreign = append(foreign, n)
		}
	}
	return own, foreign, nil
}

// ensureNetwork makes the first network of the pool unless there is one, and tells the allocator.
func (r *Runtime) ensureNetwork(ctx context.Context) error {
	own, foreign, err := r.networks(ctx)
	if err != nil {
		return err
	}
	subnets := r.inPool(own)
	if len(subnets) == 0 {
		added, err := r.addNetwork(ctx, own, foreign)
		if err != nil {
			return err
		}
		subnets = append(subnets, added)
	}
	r.addresses.setSubnets(subnets)
	return nil
}

func (r *Runtime) inPool(own []network.Summary) []subnet {
	var subnets []subnet
	for _, n := range own {
		for _, prefix := range prefixes(n) {
			if r.cfg.Pool.Overlaps(prefix) && r.cfg.Pool.Bits() <= prefix.Bits() {
				subnets = append(subnets, subnet{name: n.Name, prefix: prefix})
			}
		}
	}
	return subnets
}

// errPoolFull says that the whole pool is cut into networks.
var errPoolFull = sites.Refuse(sites.ErrConflict, "The server has no address left for another instance. Ask an admin for a larger network pool.")

func (r *Runtime) addNetwork(ctx context.Context, own, foreign []network.Summary) (subnet, error) {
	occupants, err := r.occupants(foreign)
	if err != nil {
		return subnet{}, err
	}
	var inUse []netip.Prefix
	for _, o := range occupants {
		inUse = append(inUse, o.prefix)
	}
	names := make(map[string]bool)
	for _, n := range own {
		inUse = append(inUse, prefixes(n)...)
		names[n.Name] = true
	}
	prefix, ok := nextSubnet(r.cfg.Pool, inUse)
	switch {
	case ok:
	case len(occupants) > 0 && len(r.inPool(own)) == 0:
		return subnet{}, sites.RefuseField(sites.ErrConflict, "network-pool",
			"The network pool %s overlaps %s. Choose another with --network-pool.", r.cfg.Pool, occupants[0].what)
	default:
		return subnet{}, errPoolFull
	}
	number := 0
	for names[r.networkName(number)] {
		number++
	}
	name := r.networkName(number)
	call, cancel := context.WithTimeout(ctx, r.wait.call)
	defer cancel()
	if _, err := r.engine().NetworkCreate(call, name, r.networkOptions(number, prefix)); err != nil {
		return subnet{}, r.fault(ctx, fmt.Sprintf("create network %s for %s", name, prefix), err)
	}
	r.log.Info("created a network for instances", "network", name, "subnet", prefix)
	return subnet{name: name, prefix: prefix}, nil
}

func (r *Runtime) networkName(number int) string { return fmt.Sprintf("berth-%s-%d", r.tag, number) }

func (r *Runtime) networkOptions(number int, prefix netip.Prefix) network.CreateOptions {
	return network.CreateOptions{
		Driver:   "bridge",
		Internal: true, // routed nowhere by the engine; Isolate does what this leaves open, such as the host
		IPAM: &network.IPAM{Driver: "default", Config: []network.IPAMConfig{{
			Subnet: prefix.String(), Gateway: gateway(prefix).String(),
		}}},
		Options: map[string]string{
			"com.docker.network.bridge.name":                 fmt.Sprintf("%s%d", bridgePrefix(r.cfg.Installation), number),
			"com.docker.network.bridge.enable_icc":           "false",
			"com.docker.network.bridge.enable_ip_masquerade": "false",
		},
		Labels: r.objectLabels(),
	}
}

// occupant is what uses some of the pool and is not this installation's.
type occupant struct {
	prefix netip.Prefix
	what   string
}

// occupants finds the networks and routes in the pool that instances must keep clear of. Docker would find some of
// these, later and in its own words.
func (r *Runtime) occupants(foreign []network.Summary) ([]occupant, error) {
	var all []occupant
	for _, n := range foreign {
		for _, prefix := range prefixes(n) {
			if r.cfg.Pool.Overlaps(prefix) {
				all = append(all, occupant{prefix, fmt.Sprintf("%s of the Docker network %q", prefix, n.Name)})
			}
		}
	}
	table, err := os.Open("/proc/net/route")
	if errors.Is(err, os.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the host's routes: %w", err)
	}
	defer table.Close()
	routes, err := parseRoutes(table)
	if err != nil {
		return nil, fmt.Errorf("read the host's routes: %w", err)
	}
	for _, route := range routes {
		if r.cfg.Pool.Overlaps(route.prefix) && !strings.HasPrefix(route.device, bridgePrefix(r.cfg.Installation)) {
			all = append(all, occupant{route.prefix, fmt.Sprintf("the host's route to %s through %s", route.prefix, route.device)})
		}
	}
	return all, nil
}

type route struct {
	prefix netip.Prefix
	device string
}

// parseRoutes reads the format of /proc/net/route: the numbers are hexadecimal in the processor's byte order. The
// default route is left out, because it overlaps everything.
func parseRoutes(table io.Reader) ([]route, error) {
	var routes []route
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 8 || fields[0] == "Iface" {
			continue
		}
		addr, err := parseHexAddr(fields[1])
		if err != nil {
			return nil, err
		}
		mask, err := parseHexAddr(fields[7])
		if err != nil {
			return nil, err
		}
		bits := 0
		for m := binary.BigEndian.Uint32(mask[:]); m != 0; m <<= 1 {
			bits++
		}
		if bits > 0 {
			routes = append(routes, route{netip.PrefixFrom(netip.AddrFrom4(addr), bits), fields[0]})
		}
	}
	return routes, lines.Err()
}

func parseHexAddr(field string) (addr [4]byte, err error) {
	raw, err := hex.DecodeString(field)
	if err != nil || len(raw) != 4 {
		return addr, fmt.Errorf("%q is no address", field)
	}
	binary.NativeEndian.PutUint32(addr[:], binary.BigEndian.Uint32(raw))
	return addr, nil
}

func prefixes(n network.Summary) []netip.Prefix {
	var all []netip.Prefix
	for _, config := range n.IPAM.Config {
		if prefix, err := netip.ParsePrefix(config.Subnet); err == nil {
			all = append(all, prefix.Masked())
		}
	}
	return all
}

// removeOldNetworks removes this installation's networks outside the pool, which may have been another one before.
// The engine keeps those that a container uses.
func (r *Runtime) removeOldNetworks(ctx context.Context) error {
	own, _, err := r.networks(ctx)
	if err != nil {
		return err
	}
	call, cancel := context.WithTimeout(ctx, r.wait.call)
	defer cancel()
	var errs []error
	for _, n := range own {
		if len(r.inPool([]network.Summary{n})) > 0 {
			continue
		}
		err := r.engine().NetworkRemove(call, n.ID)
		if err != nil && !errdefs.IsPermissionDenied(err) && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
			errs = append(errs, fmt.Errorf("remove network: %w", err))
		}
	}
	return errors.Join(errs...)
}

// place hands out an address and the network it is in. A network that is full is joined by another before addresses
// are used that have hardly rested.
func (r *Runtime) place(ctx context.Context) (netip.Addr, subnet, error) {
	if addr, s, ok := r.addresses.take(false); ok {
		return addr, s, nil
	}
	if err := r.preparing.take(ctx); err != nil { // of all that find the networks full, one makes another
		return netip.Addr{}, subnet{}, err
	}
	defer r.preparing.end()
	if addr, s, ok := r.addresses.take(false); ok {
		return addr, s, nil
	}
	err := r.extend(ctx)
	if err != nil && !errors.Is(err, errPoolFull) {
		return netip.Addr{}, subnet{}, err
	}
	if addr, s, ok := r.addresses.take(true); ok {
		return addr, s, nil
	}
	return netip.Addr{}, subnet{}, errPoolFull
}

// extend makes another network. It needs a turn of r.preparing.
func (r *Runtime) extend(ctx context.Context) error {
	own, foreign, err := r.networks(ctx)
	if err != nil {
		return err
	}
	added, err := r.addNetwork(ctx, own, foreign)
	if err != nil {
		return err
	}
	r.addresses.setSubnets(append(r.inPool(own), added))
	return nil
}

// survey lists all containers of this installation, whatever their state, and settles the addresses by it.
func (r *Runtime) survey(ctx context.Context, within time.Duration) ([]container.Summary, error) {
	call, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	since := r.addresses.now()
	all, err := r.engine().ContainerList(call, container.ListOptions{All: true, Filters: r.ours()})
	if err != nil {
		return nil, r.fault(ctx, "list containers", err)
	}
	var inUse []netip.Addr
	for _, c := range all {
		if addr, ok := fixedAddress(c); ok {
			inUse = append(inUse, addr)
		}
	}
	r.addresses.settle(since, inUse)
	return all, nil
}
