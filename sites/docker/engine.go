package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"

	"berth/sites"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
)

const (
	oldestAPI = "1.41"
	// pingTimeout is how long an engine may take to show that it is there at all.
	pingTimeout = 2 * time.Second

	silent = "The container engine does not answer. Sites that are served from their files go on; it is tried again."
	slow   = "The container engine is too busy to do this in time. Sites that run go on; please try again later."
)

// newClient contacts nothing. With its first call it finds out which version of the API to speak.
func newClient() (*client.Client, error) {
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("docker client: %w", err)
	}
	return cli, nil
}

// adopt makes a client the one that is used.
func (r *Runtime) adopt(cli *client.Client) {
	if old := r.cli.Swap(cli); old != nil && old != cli {
		_ = old.Close() // closes idle connections only; calls under way end by themselves
	}
}

func (r *Runtime) engine() *client.Client { return r.cli.Load() }

// handshake checks that the engine answers and is one that berth can use, and returns its number of processors.
func (r *Runtime) handshake(ctx context.Context) (cpus int, err error) {
	wasLost, cli := r.lost.Load(), r.engine()
	if wasLost {
		// The negotiated version is kept by a client for good, and the engine may have been replaced by a newer one.
		if cli, err = newClient(); err != nil {
			return 0, err
		}
	}
	call, cancel := context.WithTimeout(ctx, r.wait.call)
	defer cancel()
	info, err := cli.Info(call)
	if err != nil {
		if wasLost {
			_ = cli.Close() // it was never used
		}
		return 0, r.fault(ctx, "ask the engine", err)
	}
	if wasLost {
		r.adopt(cli)
		r.lost.Store(false)
		r.log.Info("the container engine answers", "version", info.ServerVersion)
	}
	if version := cli.ClientVersion(); versions.LessThan(version, oldestAPI) {
		return 0, sites.Refuse(sites.ErrUnavailable,
			"The container engine %s is too old: berth needs Docker 20.10 or newer.", info.ServerVersion)
	}
	if slices.Contains(info.SecurityOptions, "name=rootless") {
		return 0, sites.Refuse(sites.ErrUnavailable,
			"The container engine runs rootless, so its containers cannot be reached from this server.")
	}
	return info.NCPU, nil
}

// forget makes the next start prepare again.
func (r *Runtime) forget() { r.prepared.Store(nil) }

// lose notes that the engine does not answer, in the log once.
func (r *Runtime) lose(operation string, err error) {
	r.expose()
	if !r.lost.Swap(true) {
		r.log.Warn("the container engine does not answer", "operation", operation, "error", err)
	}
}

// fault turns an engine's error into what berth passes on. A Refusal holds no internal text, so its cause is logged here.
func (r *Runtime) fault(ctx context.Context, operation string, err error) error {
	var refusal *sites.Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", operation, err)
	case errors.Is(err, context.DeadlineExceeded) && r.alive(ctx):
		r.log.Warn("the container engine is slow", "operation", operation, "error", err)
		return sites.Refuse(sites.ErrUnavailable, slow)
	case unanswered(err):
		r.lose(operation, err)
		return sites.Refuse(sites.ErrUnavailable, silent)
	case strings.Contains(err.Error(), syscall.ENOSPC.Error()):
		r.log.Error("the container engine's disk is full", "operation", operation, "error", err)
		return sites.Refuse(sites.ErrNoSpace, "The server's disk is full. Nothing was changed; ask an admin to make room.")
	}
	return fmt.Errorf("%s: %w", operation, err)
}

// alive tells an engine that is slow from one that is away.
func (r *Runtime) alive(ctx context.Context) bool {
	call, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	_, err := r.engine().Ping(call)
	return err == nil
}

// unanswered reports whether there was no answer, as opposed to one that says no.
func unanswered(err error) bool {
	return client.IsErrConnectionFailed(err) || errdefs.IsUnavailable(err) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNREFUSED)
}
