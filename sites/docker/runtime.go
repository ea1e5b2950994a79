package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"berth/sites"

	"github.com/docker/docker/client"
)

// DefaultPool is where instances get their addresses from unless the operator chooses otherwise.
const DefaultPool = "10.1.0.0/16"

// Config is what a Runtime is made of.
type Config struct {
	Installation string       // id of this installation; every object on the engine bears it as a label
	Version      string       // berth's version; part of the image's tag
	Executable   string       // berth's own static executable; empty: the one that runs
	Pool         netip.Prefix // private; zero: DefaultPool
	Logger       *slog.Logger
}

// Runtime runs instances as containers of one Docker engine.
type Runtime struct {
	cfg       Config
	log       *slog.Logger
	tag       string
	build     func() (string, error) // fingerprint of the executable, read once
	cli       atomic.Pointer[client.Client]
	lost      atomic.Bool                 // the engine did not answer: connect anew, it may be another version by then
	preparing turns                       // one at a time
	prepared  atomic.Pointer[preparation] // nil: prepare before the next start
	inForce   atomic.Bool                 // the isolation rules, as far as is known; a preparation implies it
	starting  turns
	addresses *addresses
	deeds     *deeds
	orphans   *orphans
	doubts    doubts
	wait      patience
	probe     *http.Client
}

var _ sites.Runtime = (*Runtime)(nil)

// preparation is what Prepare found out. It is immutable.
type preparation struct {
	image     string // reference of the static server's image
	cpus      int
	isolation isolation
}

// New returns a Runtime without asking the engine for anything.
func New(cfg Config) (*Runtime, error) {
	if cfg.Installation == "" {
		return nil, errors.New("docker runtime: the installation has no id")
	}
	if cfg.Version == "" {
		return nil, errors.New("docker runtime: berth's version is not given")
	}
	if cfg.Executable == "" {
		cfg.Executable = "/proc/self/exe" // stays right when the file is replaced by an upgrade
	}
	if !cfg.Pool.IsValid() {
		cfg.Pool = netip.MustParsePrefix(DefaultPool)
	}
	if err := checkPool(cfg.Pool); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Runtime{
		cfg: cfg, log: cfg.Logger, tag: tag(cfg.Installation),
		build:     sync.OnceValues(func() (string, error) { return fingerprint(cfg.Executable, cfg.Installation) }),
		preparing: make(turns, 1), starting: make(turns, startsAtOnce),
		addresses: newAddresses(cfg.Pool), deeds: newDeeds(), orphans: newOrphans(), wait: usual(), probe: newProbe(),
	}
	cli, err := newClient()
	if err != nil {
		return nil, err
	}
	r.adopt(cli)
	return r, nil
}

// Ping reports whether the engine answers and can be used; if not, the error is a *sites.Refusal that says why.
func (r *Runtime) Ping(ctx context.Context) error {
	_, err := r.handshake(ctx)
	return err
}

// Prepare brings the engine into the state that starting instances needs: the image is loaded, the isolation rules
// are in force, a network is there. It is idempotent, and Start calls it when it has to.
func (r *Runtime) Prepare(ctx context.Context) error {
	_, err := r.again(ctx)
	return err
}

// again prepares, whether or not it was done before.
func (r *Runtime) again(ctx context.Context) (*preparation, error) {
	if err := r.preparing.take(ctx); err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	defer r.preparing.end()
	err := r.prepare(ctx)
	return r.prepared.Load(), err
}

// ready returns the last preparation, or prepares.
func (r *Runtime) ready(ctx context.Context) (*preparation, error) {
	if p := r.prepared.Load(); p != nil {
		return p, nil
	}
	if err := r.preparing.take(ctx); err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	defer r.preparing.end()
	if p := r.prepared.Load(); p != nil {
		return p, nil
	}
	err := r.prepare(ctx)
	return r.prepared.Load(), err
}

// prepare needs a turn of r.preparing.
func (r *Runtime) prepare(ctx context.Context) error {
	cpus, err := r.handshake(ctx)
	if err != nil {
		return err
	}
	p := &preparation{cpus: cpus}
	if p.image, err = r.ensureImage(ctx); err != nil {
		return err
	}
	// The rules hold for bridges by the beginning of their names, so they come before the first bridge.
	if p.isolation, err = r.enforce(ctx, p.image); err != nil {
		return err
	}
	if err := r.ensureNetwork(ctx); err != nil {
		return err
	}
	if _, err := r.survey(ctx, r.wait.call); err != nil {
		return err
	}
	r.prepared.Store(p)
	r.tidy(ctx, p)
	return nil
}

// tidy removes images and networks of this installation that nothing uses any more.
func (r *Runtime) tidy(ctx context.Context, p *preparation) {
	if err := r.removeOldImages(ctx, p.image); err != nil {
		r.log.Warn("removing old images failed", "error", err)
	}
	if err := r.removeOldNetworks(ctx); err != nil {
		r.log.Warn("removing old networks failed", "error", err)
	}
}

// Info implements sites.Runtime.
func (r *Runtime) Info(ctx context.Context) sites.RuntimeInfo {
	info := sites.RuntimeInfo{Name: "docker"}
	call, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	version, err := r.engine().ServerVersion(call)
	if err != nil {
		info.Err = silent
		return info
	}
	info.Version = fmt.Sprintf("%s (API %s)", version.Version, version.APIVersion)
	if p := r.prepared.Load(); p != nil && p.isolation.warning() != "" {
		info.Version += "; " + p.isolation.warning()
	}
	return info
}
