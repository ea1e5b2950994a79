package embedded

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"berth/sites"
	"berth/sites/static"
)

// Runtime implements sites.Runtime without any process but this one. What it has started ends with it.
type Runtime struct {
	log         *slog.Logger
	directories *directories

	mu        sync.Mutex
	started   int // counts starts; makes ids unique
	instances map[string]*instance

	// byRoot is the newest *instance of each directory; its log takes what requests leave. It is changed under mu and
	// read without: requests of one site do not wait for another's.
	byRoot sync.Map
}

var _ sites.Runtime = (*Runtime)(nil)

// instance is a release that is served, or could be, and its log.
type instance struct {
	sites.Instance
	root  string
	lines *lines
}

// New returns a Runtime that runs nothing.
func New(log *slog.Logger) *Runtime { return newRuntime(log, mostOpen) }

func newRuntime(log *slog.Logger, open int) *Runtime {
	return &Runtime{
		log: log, directories: &directories{most: open},
		instances: make(map[string]*instance),
	}
}

// Start implements sites.Runtime. The release answers requests as soon as the proxy sends any.
func (r *Runtime) Start(ctx context.Context, spec sites.Spec) (sites.Instance, error) {
	if err := ctx.Err(); err != nil {
		return sites.Instance{}, fmt.Errorf("start instance: %w", err)
	}
	if !spec.Template.Static() {
		return sites.Instance{}, sites.Refuse(sites.ErrUnavailable,
			"The template %q needs a container engine, and this server runs without one.", spec.Template.Name)
	}
	probe, err := static.New(spec.Root, nil)
	if err != nil {
		return sites.Instance{}, fmt.Errorf("start instance: %w", err)
	}
	if err := probe.Close(); err != nil {
		return sites.Instance{}, fmt.Errorf("start instance: %w", err)
	}
	i := &instance{root: spec.Root, lines: newLines()}
	r.mu.Lock()
	r.started++
	i.Instance = sites.Instance{
		ID: fmt.Sprintf("%d-%d-%d", spec.Site, spec.Release, r.started), Site: spec.Site, Release: spec.Release,
		Limits: spec.Limits, StartedAt: time.Now(),
	}
	r.instances[i.ID] = i
	r.byRoot.Store(i.root, i)
	r.mu.Unlock()
	slog.New(slog.NewTextHandler(i.lines, nil)).Info("serving", "release", spec.Release)
	return i.Instance, nil
}

// Stop implements sites.Runtime. Requests in flight end well.
func (r *Runtime) Stop(_ context.Context, id string) error {
	r.mu.Lock()
	i, ok := r.instances[id]
	unused := ok && r.byRoot.CompareAndDelete(i.root, i)
	delete(r.instances, id)
	r.mu.Unlock()
	if ok {
		i.lines.end()
	}
	if unused {
		r.directories.drop(i.root)
	}
	return nil
}

// Instances implements sites.Runtime.
func (r *Runtime) Instances(context.Context) ([]sites.Instance, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]sites.Instance, 0, len(r.instances))
	for _, i := range r.instances {
		all = append(all, i.Instance)
	}
	return all, nil
}

// Logs implements sites.Runtime. Of an instance the last lines are kept, in memory.
func (r *Runtime) Logs(ctx context.Context, id string, q sites.LogQuery, w io.Writer) error {
	r.mu.Lock()
	i, ok := r.instances[id]
	r.mu.Unlock()
	if !ok {
		return sites.Refuse(sites.ErrNotFound, "The site has no running instance, so it has no log.")
	}
	if q.Tail <= 0 {
		q.Tail = 100
	}
	kept, next := i.lines.tail(q.Tail)
	for {
		if _, err := io.WriteString(w, strings.Join(kept, "")); err != nil {
			return fmt.Errorf("write logs: %w", err)
		}
		if !q.Follow || !i.lines.wait(ctx, next) {
			return nil
		}
		kept, next = i.lines.since(next)
	}
}

// Watch implements sites.Runtime. Nothing happens here that berth does not do itself.
func (r *Runtime) Watch(ctx context.Context, _ func()) { <-ctx.Done() }

// Info implements sites.Runtime.
func (r *Runtime) Info(context.Context) sites.RuntimeInfo {
	return sites.RuntimeInfo{Name: "embedded"}
}

// Close gives all directories back, each when its last request has ended. Requests that come later are answered with 503.
func (r *Runtime) Close() error {
	r.mu.Lock()
	all := slices.Collect(maps.Values(r.instances))
	clear(r.instances)
	r.byRoot.Clear()
	r.mu.Unlock()
	for _, i := range all {
		i.lines.end()
	}
	return r.directories.close()
}

// journal is the log of whatever serves root: it goes to the newest instance that was started from there, if any.
type journal struct {
	runtime *Runtime
	root    string
}

// Write takes one line.
func (j journal) Write(line []byte) (int, error) {
	newest, ok := j.runtime.byRoot.Load(j.root)
	if !ok {
		return len(line), nil
	}
	return newest.(*instance).lines.Write(line)
}
