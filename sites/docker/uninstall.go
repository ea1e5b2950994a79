package docker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
)

const (
	// uninstallTimeout bounds Uninstall as a whole.
	uninstallTimeout = 2 * time.Minute
	// removalsAtOnce is how many containers are removed side by side.
	removalsAtOnce = 6
)

// Uninstall removes every container, network and image of this installation, and its packet filter rules. It goes on
// where something cannot be removed and returns what failed; called again, it removes what is left. It ends after two
// minutes at most. No start may be under way; one that comes later prepares the engine anew.
func (r *Runtime) Uninstall(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, uninstallTimeout)
	defer cancel()
	if err := r.preparing.take(bounded); err != nil {
		return fmt.Errorf("uninstall: %w", err)
	}
	defer r.preparing.end()
	if _, err := r.handshake(bounded); err != nil {
		return fmt.Errorf("uninstall: %w", err)
	}
	r.expose()
	// Nothing is left to run without its rules, and the image is what takes the rules away.
	if err := errors.Join(
		r.removeContainers(bounded), r.liftRules(bounded), r.removeNetworks(bounded), r.removeImages(bounded),
	); err != nil {
		return fmt.Errorf("uninstall: %w", err)
	}
	return nil
}

func (r *Runtime) removeContainers(ctx context.Context) error {
	all, err := r.survey(ctx, r.wait.call)
	if err != nil {
		return err
	}
	errs := make([]error, len(all))
	slots := make(chan struct{}, removalsAtOnce)
	var removals sync.WaitGroup
	for i, c := range all {
		slots <- struct{}{}
		removals.Go(func() {
			defer func() { <-slots }()
			name := containerName(c)
			r.deeds.stop(name)
			if errs[i] = r.remove(ctx, c.ID); errs[i] != nil {
				r.deeds.notStopped(name)
			} else if addr, ok := fixedAddress(c); ok {
				r.addresses.giveBack(addr)
			}
		})
	}
	removals.Wait()
	return errors.Join(errs...)
}

// liftRules runs Unisolate in a container with the host's network.
func (r *Runtime) liftRules(ctx context.Context) error {
	ref, err := r.ensureImage(ctx)
	if err != nil {
		return err
	}
	out, exit, err := r.runOnce(ctx, ref, "isolate", "--remove", r.cfg.Installation, r.cfg.Pool.String())
	if err == nil && exit != 0 {
		err = fmt.Errorf("exit code %d: %s", exit, out)
	}
	if err != nil {
		return fmt.Errorf("remove the isolation rules: %w", err)
	}
	return nil
}

func (r *Runtime) removeNetworks(ctx context.Context) error {
	networks, err := r.engine().NetworkList(ctx, network.ListOptions{Filters: r.ours()})
	if err != nil {
		return fmt.Errorf("list networks: %w", err)
	}
	var errs []error
	for _, n := range networks {
		if err := r.engine().NetworkRemove(ctx, n.ID); err != nil && !errdefs.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("remove network %s: %w", n.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (r *Runtime) removeImages(ctx context.Context) error {
	images, err := r.engine().ImageList(ctx, image.ListOptions{Filters: r.ours()})
	if err != nil {
		return fmt.Errorf("list images: %w", err)
	}
	var errs []error
	for _, i := range images {
		_, err := r.engine().ImageRemove(ctx, i.ID, image.RemoveOptions{Force: true, PruneChildren: true})
		if err != nil && !errdefs.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("remove image: %w", err))
		}
	}
	return errors.Join(errs...)
}
