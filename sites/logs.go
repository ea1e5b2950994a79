package sites

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Logs copies the output of the site's instances to w. Where there are several, each line begins with the number of
// its instance, and q.Tail counts for each of them.
func (s *Service) Logs(ctx context.Context, actor Actor, name string, q LogQuery, w io.Writer) error {
	site, err := s.owned(ctx, actor, name)
	if err != nil {
		return err
	}
	instances := s.conditions.instances(site.ID)
	switch len(instances) {
	case 0:
		return Refuse(ErrConflict, "%s is not running, so there is no log.", name)
	case 1:
		return s.runtime.Logs(ctx, instances[0].ID, q, w)
	}
	return s.logsOfSeveral(ctx, instances, q, w)
}

// logsOfSeveral copies one log after the other, or follows all of them at a time. An instance that ends ends its own log.
func (s *Service) logsOfSeveral(ctx context.Context, instances []Instance, q LogQuery, w io.Writer) error {
	var writing sync.Mutex
	faults := make([]error, len(instances))
	copyLog := func(i int) {
		lines := &numbered{mu: &writing, w: w, prefix: fmt.Sprintf("%d | ", i+1)}
		faults[i] = errors.Join(s.runtime.Logs(ctx, instances[i].ID, q, lines), lines.end())
	}
	var wg sync.WaitGroup
	for i := range instances {
		if q.Follow {
			wg.Go(func() { copyLog(i) })
		} else {
			copyLog(i)
		}
	}
	wg.Wait()
	for _, err := range faults {
		if err == nil {
			return nil // what could be shown was
		}
	}
	return faults[0]
}

// longestLine is how much of a line without an end is kept back.
const longestLine = 64 << 10

// numbered writes whole lines, each with a prefix, between those of others.
type numbered struct {
	mu     *sync.Mutex // of w
	w      io.Writer
	prefix string
	rest   []byte // of a line whose end is still to come
}

func (n *numbered) Write(p []byte) (int, error) {
	n.rest = append(n.rest, p...)
	for {
		line, rest, whole := bytes.Cut(n.rest, []byte("\n"))
		if !whole && len(line) < longestLine {
			return len(p), nil
		}
		if err := n.line(line); err != nil {
			return 0, err
		}
		n.rest = rest
	}
}

func (n *numbered) line(text []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, err := fmt.Fprintf(n.w, "%s%s\n", n.prefix, text)
	return err
}

// end writes a last line that has no end.
func (n *numbered) end() error {
	if len(n.rest) == 0 {
		return nil
	}
	return n.line(n.rest)
}
