package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"berth/sites"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// Labels of the engine's objects. Every object has the first; what is known of an instance is kept in the others, so
// that a listing needs one call however many instances there are.
const (
	labelInstallation = "berth.installation"
	labelVersion      = "berth.version"
	labelBuild        = "berth.build" // fingerprint of berth's executable, or recipe where the image is a template's
	labelSite         = "berth.site"
	labelName         = "berth.name"
	labelRelease      = "berth.release"
	labelStatic       = "berth.static" // of instances that run berth's own program
	labelPort         = "berth.port"
	labelLimits       = "berth.limits"
	labelRole         = "berth.role" // of containers that are no instances
)

const roleIsolation = "isolation"

// tag is a short form of the installation's id that fits into the names of interfaces and tables.
func tag(installation string) string {
	sum := sha256.Sum256([]byte(installation))
	return hex.EncodeToString(sum[:4])
}

// bridgePrefix begins the names of the installation's bridges, and of no others.
func bridgePrefix(installation string) string { return "bt" + tag(installation) + "-" }

// ours selects the installation's objects in a listing.
func (r *Runtime) ours(more ...string) filters.Args {
	args := filters.NewArgs(filters.Arg("label", labelInstallation+"="+r.cfg.Installation))
	for _, label := range more {
		args.Add("label", label)
	}
	return args
}

func (r *Runtime) objectLabels() map[string]string {
	return map[string]string{labelInstallation: r.cfg.Installation, labelVersion: r.cfg.Version}
}

func (r *Runtime) instanceLabels(spec sites.Spec) (map[string]string, error) {
	build, err := r.build()
	if err != nil {
		return nil, err
	}
	limits, err := json.Marshal(spec.Limits)
	if err != nil {
		return nil, fmt.Errorf("encode limits: %w", err)
	}
	labels := r.objectLabels()
	if spec.Template.Static() {
		labels[labelBuild], labels[labelStatic] = build, "true"
	} else {
		labels[labelBuild] = recipe
	}
	labels[labelSite] = strconv.FormatInt(int64(spec.Site), 10)
	labels[labelName] = spec.Name
	labels[labelRelease] = strconv.Itoa(spec.Release)
	labels[labelPort] = strconv.Itoa(port(spec.Template))
	labels[labelLimits] = string(limits)
	return labels, nil
}

// instance reads back what instanceLabels and the network settings say.
func (r *Runtime) instance(c container.Summary) (sites.Instance, error) {
	site, err := strconv.ParseInt(c.Labels[labelSite], 10, 64)
	if err != nil {
		return sites.Instance{}, fmt.Errorf("label %s: %w", labelSite, err)
	}
	release, err := strconv.Atoi(c.Labels[labelRelease])
	if err != nil {
		return sites.Instance{}, fmt.Errorf("label %s: %w", labelRelease, err)
	}
	var limits sites.Limits
	if err := json.Unmarshal([]byte(c.Labels[labelLimits]), &limits); err != nil {
		return sites.Instance{}, fmt.Errorf("label %s: %w", labelLimits, err)
	}
	port, err := strconv.ParseUint(c.Labels[labelPort], 10, 16)
	if err != nil {
		return sites.Instance{}, fmt.Errorf("label %s: %w", labelPort, err)
	}
	addr, ok := fixedAddress(c)
	if !ok {
		return sites.Instance{}, fmt.Errorf("container %s has no fixed address", containerName(c))
	}
	return sites.Instance{
		ID: c.ID, Site: sites.SiteID(site), Release: release,
		Addr: netip.AddrPortFrom(addr, uint16(port)), Limits: limits, StartedAt: time.Unix(c.Created, 0),
		Stale: r.stale(c.Labels, addr),
	}, nil
}

// stale reports whether an instance was made by another berth, or for another pool, than this one.
func (r *Runtime) stale(labels map[string]string, addr netip.Addr) bool {
	build, err := r.build()
	current := labels[labelBuild] == recipe || (err == nil && labels[labelBuild] == build)
	return !current || labels[labelVersion] != r.cfg.Version || !r.cfg.Pool.Contains(addr)
}

// harmless reports whether an instance runs berth's own program, which nobody has to be kept from.
func harmless(c container.Summary) bool { return c.Labels[labelStatic] == "true" }

// fixedAddress is the address that the container was created with, whether or not it runs.
func fixedAddress(c container.Summary) (netip.Addr, bool) {
	if c.NetworkSettings == nil {
		return netip.Addr{}, false
	}
	for _, endpoint := range c.NetworkSettings.Networks {
		if endpoint == nil || endpoint.IPAMConfig == nil {
			continue
		}
		if addr, err := netip.ParseAddr(endpoint.IPAMConfig.IPv4Address); err == nil {
			return addr, true
		}
	}
	return netip.Addr{}, false
}

func containerName(c container.Summary) string {
	if len(c.Names) == 0 {
		return c.ID
	}
	return strings.TrimPrefix(c.Names[0], "/")
}
