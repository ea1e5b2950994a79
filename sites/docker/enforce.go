package docker

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"berth/sites"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// enforce runs Isolate in a container with the host's network and returns what is in force. Where it fails nothing is
// started, and Instances takes instances of templates' images out of service; static ones go on, as they run berth's
// own program only. A kernel that cannot do it is worked with, and that is said.
func (r *Runtime) enforce(ctx context.Context, image string) (isolation, error) {
	call, cancel := context.WithTimeout(ctx, r.wait.call)
	defer cancel()
	out, exit, err := r.runOnce(call, image, "isolate", r.cfg.Installation, r.cfg.Pool.String())
	if err != nil {
		if answered(err) {
			r.expose()
		}
		return "", r.fault(ctx, "run the isolation rules", err)
	}
	if exit != 0 {
		r.expose()
		r.log.Error("setting the isolation rules failed", "exit", exit, "output", out)
		return "", sites.Refuse(sites.ErrUnavailable, "The rules that isolate sites could not be set, so no site is started. An admin finds the cause in berth's log.")
	}
	if warning := isolation(out).warning(); warning != "" {
		r.log.Warn("isolation is incomplete", "reason", warning)
	}
	r.inForce.Store(true)
	return isolation(out), nil
}

// expose notes that the rules are not in force, as far as is known.
func (r *Runtime) expose() {
	r.inForce.Store(false)
	r.forget()
}

// rulesHold reports whether the rules are in force, after an attempt to have it so. Known is false when there was no
// time or no engine to find out.
func (r *Runtime) rulesHold(ctx context.Context) (hold, known bool) {
	if r.inForce.Load() {
		return true, true
	}
	call, cancel := context.WithTimeout(ctx, r.wait.rules)
	defer cancel()
	_, err := r.ready(call)
	if r.inForce.Load() { // even if the preparation failed later on
		return true, true
	}
	return false, err != nil && call.Err() == nil && !r.lost.Load()
}

// runOnce runs a command of berth that sets the host's packet filter to its end, and returns its output and exit code.
func (r *Runtime) runOnce(ctx context.Context, image string, command ...string) (out string, exit int64, err error) {
	name := fmt.Sprintf("berth-%s-isolate-%s", r.tag, suffix())
	r.deeds.begin(name)
	defer r.deeds.end(name, false)
	defer r.discard(ctx, name)
	labels := r.objectLabels()
	labels[labelRole] = roleIsolation
	created, err := r.engine().ContainerCreate(ctx, &container.Config{
		Image: image, Entrypoint: []string{staticPath}, Cmd: command,
		User: "0:0", Labels: labels, // capabilities of others than root have no effect
	}, &container.HostConfig{
		NetworkMode: "host", UsernsMode: "host", IpcMode: container.IPCModeNone,
		CapDrop: []string{"ALL"}, CapAdd: []string{"NET_ADMIN"},
		SecurityOpt: []string{"no-new-privileges"}, ReadonlyRootfs: true,
		LogConfig: logConfig(),
	}, nil, nil, name)
	if err != nil {
		return "", 0, fmt.Errorf("create container: %w", err)
	}
	ended := r.awaitExit(ctx, created.ID)
	if err := r.engine().ContainerStart(ctx, created.ID, container.StartOptions{}); err != nil {
		return "", 0, fmt.Errorf("start container: %w", err)
	}
	end := <-ended
	if end.err != nil {
		return "", 0, fmt.Errorf("wait for container: %w", end.err)
	}
	out, err = r.output(ctx, created.ID, "all")
	return out, end.code, err
}

// output returns what the container has written, of which there must be little.
func (r *Runtime) output(ctx context.Context, id, tail string) (string, error) {
	stream, err := r.engine().ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: tail})
	if err != nil {
		return "", fmt.Errorf("read output: %w", err)
	}
	defer stream.Close()
	var out bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &out, io.LimitReader(stream, 64<<10)); err != nil {
		return "", fmt.Errorf("read output: %w", err)
	}
	return out.String(), nil
}
