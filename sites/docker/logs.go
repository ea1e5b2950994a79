package docker

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"berth/sites"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Logs implements sites.Runtime. Lines come in the order in which the engine took them: between
// standard output and standard error that may differ a little from the order in which they were written.
func (r *Runtime) Logs(ctx context.Context, id string, q sites.LogQuery, w io.Writer) error {
	call, cancel := context.WithTimeout(ctx, r.wait.call)
	defer cancel()
	found, ok, err := r.find(call, id)
	if err != nil {
		return r.fault(ctx, "read logs", err)
	}
	if !ok {
		return sites.Refuse(sites.ErrNotFound, "The site has no running instance, so it has no log.")
	}
	if q.Tail <= 0 {
		q.Tail = 100
	}
	stream, err := r.engine().ContainerLogs(ctx, found.ID, container.LogsOptions{
		ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(q.Tail), Follow: q.Follow,
	})
	if err != nil {
		return r.fault(ctx, "read logs", err)
	}
	defer stream.Close()
	sink := &sink{w: w}
	_, err = stdcopy.StdCopy(sink, sink, stream)
	switch {
	case err == nil || q.Follow && ctx.Err() != nil:
		return nil
	case sink.err != nil:
		return fmt.Errorf("write logs: %w", sink.err)
	}
	return r.fault(ctx, "read logs", err)
}

// sink remembers that it was the reader of the log who went away, and not the engine.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
}
