package docker

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// stopSeconds is how long an instance may take to end by itself. Its requests have ended before.
const stopSeconds = 3

// Stop implements sites.Runtime. A container that is not this installation's is treated as one that does not exist.
func (r *Runtime) Stop(ctx context.Context, id string) error {
	call, cancel := context.WithTimeout(ctx, r.wait.call)
	defer cancel()
	found, ok, err := r.find(call, id)
	if err != nil || !ok {
		return r.fault(ctx, "stop instance", err)
	}
	name := strings.TrimPrefix(found.Name, "/")
	r.deeds.stop(name)
	seconds := stopSeconds
	err = r.engine().ContainerStop(call, found.ID, container.StopOptions{Timeout: &seconds})
	if err == nil || answered(err) { // one that cannot be stopped can still be removed
		err = r.remove(call, found.ID)
	}
	if err != nil {
		r.deeds.notStopped(name)
		return r.fault(ctx, "stop instance", err)
	}
	for _, endpoint := range found.NetworkSettings.Networks {
		if endpoint.IPAMConfig == nil {
			continue
		}
		if addr, err := netip.ParseAddr(endpoint.IPAMConfig.IPv4Address); err == nil {
			r.addresses.giveBack(addr)
		}
	}
	return nil
}

func answered(err error) bool { return !unanswered(err) && !errors.Is(err, context.Canceled) }

// find returns the container if it exists and is one of this installation's instances.
func (r *Runtime) find(ctx context.Context, id string) (container.InspectResponse, bool, error) {
	if id == "" {
		return container.InspectResponse{}, false, nil
	}
	found, err := r.engine().ContainerInspect(ctx, id)
	if errdefs.IsNotFound(err) {
		return found, false, nil
	}
	if err != nil {
		return found, false, fmt.Errorf("inspect container: %w", err)
	}
	ours := found.Config != nil && found.Config.Labels[labelInstallation] == r.cfg.Installation && found.Config.Labels[labelSite] != ""
	return found, ours && found.ContainerJSONBase != nil && found.NetworkSettings != nil, nil
}

// remove removes a container, running or not, and returns when it is gone.
func (r *Runtime) remove(ctx context.Context, id string) error {
	err := r.engine().ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	switch {
	case err == nil || errdefs.IsNotFound(err):
		return nil
	case !errdefs.IsConflict(err):
		return fmt.Errorf("remove container: %w", err)
	}
	// Somebody else is removing it already.
	responses, errs := r.engine().ContainerWait(ctx, id, container.WaitConditionRemoved)
	select {
	case <-responses:
		return nil
	case err := <-errs:
		if err == nil || errdefs.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("wait for removal: %w", err)
	}
}

// discard removes what a start has left, even when ctx has ended. It reports whether it is gone.
func (r *Runtime) discard(ctx context.Context, name string) bool {
	call, cancel := outlasting(ctx, r.wait.remove, r.wait.parting)
	defer cancel()
	err := r.engine().ContainerRemove(call, name, container.RemoveOptions{Force: true, RemoveVolumes: true})
	switch {
	case err == nil:
		return true
	case errdefs.IsNotFound(err):
		r.deeds.notStopped(name)
		return true
	}
	r.deeds.notStopped(name)
	r.log.Warn("removing a container that was not to stay failed; it is tried again", "container", name, "error", err)
	return false
}
