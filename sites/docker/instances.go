package docker

import (
	"context"
	"slices"
	"time"

	"berth/sites"

	"github.com/docker/docker/api/types/container"
)

const (
	// loops is after how many restarts in a row by the engine an instance is given up.
	loops = 5
	// grace is how long a container that has ended is left alone: an engine that shuts down ends all instances, and
	// brings them back when it starts again.
	grace = 15 * time.Second
)

// Instances implements sites.Runtime. What it finds of this installation's containers that are no instances is removed
// by Watch: what was created and never started, what has ended for good, what the engine restarts time and again, and
// what was to run once. So nothing that a crash leaves behind outlives the next listings.
//
// While the isolation rules are missing, as when they cannot be set after the host was started anew, what runs a
// template's image is no instance either, and is removed. It is left out, and left alone, while that is not known.
//
// An instance counts from the moment that Start returns it. StartedAt is kept to the second, and stays when the
// engine restarts the instance.
func (r *Runtime) Instances(ctx context.Context) ([]sites.Instance, error) {
	all, err := r.survey(ctx, r.wait.list)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(c container.Summary) bool { return r.deeds.isUnderway(containerName(c)) })
	hold, known := true, true
	if slices.ContainsFunc(all, func(c container.Summary) bool { return !harmless(c) && c.Labels[labelSite] != "" }) {
		hold, known = r.rulesHold(ctx)
	}
	call, cancel := context.WithTimeout(ctx, r.wait.list)
	defer cancel()
	instances := make([]sites.Instance, 0, len(all))
	doubted := r.doubts.take()
	var dead []orphan
	for _, c := range all {
		instance, err := r.instance(c)
		if err != nil { // what is to run once has no site
			dead = append(dead, orphan{c, err})
			continue
		}
		switch fate := r.fate(call, c, doubted[containerName(c)]); {
		case fate == gone:
			dead = append(dead, orphan{c, nil})
		case fate == lives && (hold || harmless(c)):
			instances = append(instances, instance)
		case fate == lives && known:
			dead = append(dead, orphan{c, errExposed})
		}
	}
	r.orphans.set(dead)
	return instances, nil
}

// fate is what becomes of a container.
type fate int

const (
	lives fate = iota // runs, or will again in a moment
	ended             // may be brought back, for now
	gone
)

// fate asks again about what does not run, which may have been a start that has ended since the listing, and about what is
// listed as running though its end was told.
func (r *Runtime) fate(ctx context.Context, c container.Summary, doubted bool) fate {
	running := c.State == container.StateRunning || c.State == container.StatePaused
	if running && !doubted {
		return lives
	}
	found, err := r.engine().ContainerInspect(ctx, c.ID)
	if err != nil || found.ContainerJSONBase == nil || found.State == nil {
		if running {
			r.doubts.raise(containerName(c))
			return lives
		}
		return ended // the next listing knows more
	}
	switch found.State.Status {
	case container.StateRunning, container.StatePaused:
		return lives
	case container.StateRestarting:
		if found.RestartCount < loops {
			return lives
		}
	case container.StateExited:
		if at, err := time.Parse(time.RFC3339Nano, found.State.FinishedAt); err == nil && time.Since(at) < grace {
			return ended
		}
	}
	return gone
}
