package docker

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"berth/sites"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
)

// fallback bounds instances whose limits are not given: none runs without.
var fallback = sites.Limits{MemoryMB: 128, CPUs: 0.5, Pids: 128}

// plan is everything that the engine is told to create.
type plan struct {
	name    string
	config  *container.Config
	host    *container.HostConfig
	network *network.NetworkingConfig
}

// plan lays down the container of an instance. Volumes are the paths that a template's image wants to write to.
func (r *Runtime) plan(p *preparation, spec sites.Spec, addr netip.Addr, net subnet, volumes []string) (plan, error) {
	labels, err := r.instanceLabels(spec)
	if err != nil {
		return plan{}, err
	}
	limits := bounded(spec.Limits, p.cpus)
	config := &container.Config{
		Image: spec.Template.Image, Cmd: spec.Template.Command,
		User: unprivileged, Hostname: "site", Labels: labels,
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
	}
	host := r.hostConfig(spec, limits, net.name)
	if spec.Template.Static() {
		config.Image = p.image
		config.Cmd = []string{"static", staticContent, "--listen", ":" + strconv.Itoa(staticPort)}
		// The Go runtime returns memory before the kernel ends the process for it.
		config.Env = []string{fmt.Sprintf("GOMEMLIMIT=%dMiB", limits.MemoryMB*9/10)}
	} else {
		host.IpcMode, host.ShmSize = container.IPCModePrivate, 8<<20
		host.Tmpfs = map[string]string{"/tmp": scratch}
		for _, path := range volumes {
			host.Tmpfs[path] = scratch // on disk it would have no bound
		}
		delete(host.Tmpfs, contentPath(spec.Template))
	}
	return plan{
		// Other instances can look this name up with the engine's resolver, so it does not hold the site's.
		name:   fmt.Sprintf("berth-%s-s%d-r%d-%s", r.tag, spec.Site, spec.Release, suffix()),
		config: config, host: host,
		network: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
			net.name: {IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: addr.String()}},
		}},
	}, nil
}

// suffix keeps names apart, of containers that follow each other too.
func suffix() string { return strings.ToLower(rand.Text()[:6]) }

// scratch is what a template's image can write to: memory, within the instance's limit.
const scratch = "rw,noexec,nosuid,nodev,size=16m,mode=1777"

func (r *Runtime) hostConfig(spec sites.Spec, limits sites.Limits, network string) *container.HostConfig {
	memory, pids := int64(limits.MemoryMB)<<20, int64(limits.Pids)
	return &container.HostConfig{
		NetworkMode: container.NetworkMode(network),
		// The engine's own resolver would forward queries, even from an internal network. Nothing listens here.
		DNS:            []string{"127.0.0.1"},
		DNSSearch:      []string{"."},
		DNSOptions:     []string{"timeout:1", "attempts:1"}, // so that a program that asks is not held up
		ReadonlyRootfs: true,
		CapDrop:        []string{"ALL"},
		SecurityOpt:    []string{"no-new-privileges"},
		IpcMode:        container.IPCModeNone,
		CgroupnsMode:   container.CgroupnsModePrivate,
		OomScoreAdj:    500, // before the host's own services
		// The engine has no nosuid for bind mounts; without new privileges a set-uid file gives none.
		Mounts: []mount.Mount{{
			Type: mount.TypeBind, Source: spec.Root, Target: contentPath(spec.Template), ReadOnly: true,
			BindOptions: &mount.BindOptions{Propagation: mount.PropagationRPrivate, NonRecursive: true},
		}},
		LogConfig: logConfig(),
		// Not unless-stopped: an engine that was killed ends what it finds running, and then takes it for stopped.
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyAlways},
		Resources: container.Resources{
			Memory: memory, MemorySwap: memory, NanoCPUs: int64(limits.CPUs * 1e9), PidsLimit: &pids,
			Ulimits: []*container.Ulimit{{Name: "nofile", Soft: 8192, Hard: 8192}, {Name: "core"}},
		},
	}
}

func logConfig() container.LogConfig {
	return container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "1m", "max-file": "2"}}
}

// bounded fills in what the limits leave open, and what the engine would refuse.
func bounded(l sites.Limits, cpus int) sites.Limits {
	if l.MemoryMB <= 0 {
		l.MemoryMB = fallback.MemoryMB
	}
	if l.CPUs <= 0 {
		l.CPUs = fallback.CPUs
	}
	if l.Pids <= 0 {
		l.Pids = fallback.Pids
	}
	l.CPUs = max(0.01, min(l.CPUs, float64(cpus)))
	return l
}

// port is where the template's instances listen.
func port(t sites.Template) int {
	if t.Static() || t.Port == 0 {
		return staticPort
	}
	return t.Port
}

// contentPath is where the release's files are mounted.
func contentPath(t sites.Template) string {
	if t.Static() || t.ContentPath == "" {
		return staticContent
	}
	return t.ContentPath
}
