package docker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"

	"berth/sites"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

const (
	// startsAtOnce is how many containers the engine is asked to create and start side by side: it would only queue
	// more, and the last of them would wait too long.
	startsAtOnce = 6
	// attempts is how many addresses are tried when the engine says that one is in use after all.
	attempts = 3
)

// Start implements sites.Runtime. The instance runs and answers when it returns.
func (r *Runtime) Start(ctx context.Context, spec sites.Spec) (sites.Instance, error) {
	var instance sites.Instance
	var err error
	for range attempts {
		instance, err = r.startOnce(ctx, spec)
		switch {
		case errdefs.IsNotFound(err):
			r.forget() // the image or the network was removed behind our back
		case !addressInUse(err):
			return instance, r.fault(ctx, "start instance", err)
		}
	}
	return instance, r.fault(ctx, "start instance", err)
}

func addressInUse(err error) bool {
	return err != nil && strings.Contains(strings.ToLower(err.Error()), "address already in use")
}

func (r *Runtime) startOnce(ctx context.Context, spec sites.Spec) (_ sites.Instance, err error) {
	p, err := r.ready(ctx)
	if err != nil {
		return sites.Instance{}, err
	}
	var volumes []string
	if !spec.Template.Static() {
		if volumes, err = r.templateImage(ctx, spec.Template); err != nil {
			return sites.Instance{}, err
		}
	}
	addr, net, err := r.place(ctx)
	if err != nil {
		return sites.Instance{}, err
	}
	plan, err := r.plan(p, spec, addr, net, volumes)
	if err != nil {
		r.addresses.giveBack(addr)
		return sites.Instance{}, err
	}
	if err := r.starting.take(ctx); err != nil {
		r.addresses.giveBack(addr)
		return sites.Instance{}, err
	}
	r.deeds.begin(plan.name)
	id, err := r.run(ctx, plan, netip.AddrPortFrom(addr, uint16(port(spec.Template))), spec)
	if err != nil {
		r.deeds.stop(plan.name)
		r.discard(ctx, plan.name)
		r.addresses.giveBack(addr)
	} else {
		r.addresses.keep(addr)
	}
	r.deeds.end(plan.name, err == nil)
	if err != nil {
		return sites.Instance{}, err
	}
	return sites.Instance{
		ID: id, Site: spec.Site, Release: spec.Release, Limits: spec.Limits, StartedAt: time.Now(),
		Addr: netip.AddrPortFrom(addr, uint16(port(spec.Template))),
	}, nil
}

// run creates and starts the container and returns when it answers. What it leaves on an error is the caller's to discard.
func (r *Runtime) run(ctx context.Context, p plan, addr netip.AddrPort, spec sites.Spec) (id string, err error) {
	ctx, cancel := context.WithCancel(ctx) // lets go of the exit
	defer cancel()
	began := time.Now()
	id, ended, err := r.launch(ctx, p, spec)
	if err != nil {
		return "", err
	}
	launched := time.Now()
	if err := r.awaitAnswer(ctx, addr, ended); err != nil {
		return "", r.diagnose(ctx, id, spec, err)
	}
	r.log.Debug("started an instance", "site", spec.Name, "release", spec.Release, "addr", addr,
		"launch", launched.Sub(began), "answer", time.Since(launched))
	return id, nil
}

// launch creates and starts the container. It needs a turn of r.starting, and ends it: those who wait for an instance
// to answer hold up nobody.
func (r *Runtime) launch(ctx context.Context, p plan, spec sites.Spec) (id string, ended <-chan exit, err error) {
	defer r.starting.end()
	// The engine goes on creating when its caller has left. Waiting for it is what makes sure that nothing is left behind.
	creation, cancel := outlasting(ctx, r.wait.call, r.wait.parting)
	defer cancel()
	created, err := r.engine().ContainerCreate(creation, p.config, p.host, p.network, nil, p.name)
	if err != nil {
		return "", nil, fmt.Errorf("create container: %w", err)
	}
	for _, warning := range created.Warnings {
		r.log.Debug("the engine warns", "site", spec.Name, "warning", warning)
	}
	ended = r.awaitExit(ctx, created.ID)
	call, cancel := context.WithTimeout(ctx, r.wait.call)
	defer cancel()
	if err := r.engine().ContainerStart(call, created.ID, container.StartOptions{}); err != nil {
		return "", nil, r.startFault(ctx, spec, err)
	}
	return created.ID, ended, nil
}

// startFault makes sense of an engine that could not start the container. With berth's own image that is no one's fault
// but berth's or the engine's.
func (r *Runtime) startFault(ctx context.Context, spec sites.Spec, err error) error {
	if spec.Template.Static() || ctx.Err() != nil || unanswered(err) || errdefs.IsNotFound(err) || addressInUse(err) {
		return fmt.Errorf("start container: %w", err)
	}
	r.log.Warn("an instance could not be started", "site", spec.Name, "image", spec.Template.Image, "error", err)
	return sites.Refuse(sites.ErrConflict, "The image %s of the template %q could not be started with its command.", spec.Template.Image, spec.Template.Name)
}

// exit is how a container's process ended, or why that is not known.
type exit struct {
	code int64
	err  error
}

// awaitExit returns a channel that receives once: when the container's process ends, or ctx does. It is to be called
// before the start, so that no exit is missed. The event bears the exit code of that very end; the engine's wait reads it
// later, when a restart may have begun already.
func (r *Runtime) awaitExit(ctx context.Context, id string) <-chan exit {
	result := make(chan exit, 1)
	stream, errs := r.engine().Events(ctx, events.ListOptions{
		Since:   "1", // what the engine remembers counts too: the subscription may begin later than the start
		Filters: filters.NewArgs(filters.Arg("container", id), filters.Arg("event", string(events.ActionDie))),
	})
	go func() {
		select {
		case event := <-stream:
			code, err := strconv.ParseInt(event.Actor.Attributes["exitCode"], 10, 64)
			result <- exit{code: code, err: err}
		case err := <-errs:
			result <- exit{err: err}
		}
	}()
	return result
}

// exited is the error of a process that ended before it answered.
type exited struct{ code int64 }

func (e exited) Error() string { return fmt.Sprintf("ended with exit code %d", e.code) }

var errNotReady = errors.New("does not answer")

// awaitAnswer returns nil when an HTTP request to addr is answered, whatever the answer.
func (r *Runtime) awaitAnswer(ctx context.Context, addr netip.AddrPort, ended <-chan exit) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.wait.ready, errNotReady)
	defer cancel()
	pause := 2 * time.Millisecond
	for {
		if r.answers(ctx, addr) {
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case end := <-ended:
			timer.Stop()
			if end.err == nil {
				return exited{end.code}
			}
			ended = nil // the engine lost sight of it; the answer counts
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		pause = min(pause*3/2, 200*time.Millisecond)
	}
}

func newProbe() *http.Client {
	return &http.Client{
		Timeout:       2 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}, // and no proxy
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (r *Runtime) answers(ctx context.Context, addr netip.AddrPort) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr.String()+"/", nil)
	if err != nil {
		return false
	}
	req.Header.Set("User-Agent", "berth")
	resp, err := r.probe.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return true
}

// diagnose says in a sentence why an instance did not come to answer.
func (r *Runtime) diagnose(ctx context.Context, id string, spec sites.Spec, err error) error {
	var end exited
	switch {
	case errors.Is(err, errNotReady):
		r.logLastLines(ctx, id, spec, err)
		return sites.Refuse(sites.ErrConflict, "The site did not begin to answer on port %d within %d seconds.", port(spec.Template), int(r.wait.ready.Seconds()))
	case !errors.As(err, &end):
		return err
	}
	lines := r.logLastLines(ctx, id, spec, err)
	call, cancel := context.WithTimeout(ctx, r.wait.call)
	defer cancel()
	found, inspectErr := r.engine().ContainerInspect(call, id)
	oom := inspectErr == nil && found.State != nil && found.State.OOMKilled
	if oom || end.code == 137 { // SIGKILL: the kernel's answer to too much memory, and the engine forgets soon that it was
		return sites.Refuse(sites.ErrConflict, "The site's program was ended while it started: it needs more than the %d MB of memory that the site has.", bounded(spec.Limits, 1).MemoryMB)
	}
	sentence := fmt.Sprintf("The site's program ended while it started, with exit code %d.", end.code)
	if said := lastLine(lines); said != "" && !spec.Template.Static() {
		sentence += fmt.Sprintf(" Its last words were: %q", said)
	}
	return sites.Refuse(sites.ErrConflict, "%s", sentence)
}

func (r *Runtime) logLastLines(ctx context.Context, id string, spec sites.Spec, cause error) string {
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	lines, err := r.output(call, id, "10")
	r.log.Warn("an instance did not come to answer", "site", spec.Name, "release", spec.Release,
		"error", cause, "output", lines, "outputError", err)
	return lines
}

// lastLine is the last line that holds anything, fit to be shown.
func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	line := []rune(strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return -1
	}, lines[len(lines)-1]))
	return string(line[:min(len(line), 200)])
}
