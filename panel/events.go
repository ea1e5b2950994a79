package panel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"berth/sites"

	"github.com/labstack/echo/v4"
)

// pace is how fast event streams go.
type pace struct {
	heartbeat time.Duration // how often one shows that it is alive and reads its session anew
	pause     time.Duration // after each telling; what changes meanwhile is told together
}

func defaultPace() pace { return pace{heartbeat: 15 * time.Second, pause: 250 * time.Millisecond} }

// events streams the names of sites that change, of those that the account may see.
func (p *Panel) events(c echo.Context, who visitor) error {
	c.Response().Header().Set("Content-Type", "text/event-stream")
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	request := c.Request().Context()
	ctx, end, err := p.streams.open(request, who.account.ID, p.sessions.ID(request))
	if err != nil {
		return err
	}
	defer end()
	watcher := p.service.Watch()
	defer watcher.Close()
	seen, err := p.newSight(ctx, who.actor)
	if err != nil {
		return err
	}
	out := newFlushingWriter(c)
	defer liftDeadlines(c.Response())
	if _, err := fmt.Fprint(out, "retry: 3000\n\n"); err != nil {
		return nil // the client has gone
	}
	for err == nil && p.stillLoggedIn(ctx) {
		err = p.pace.relay(ctx, out, seen, watcher)
	}
	if err != nil && ctx.Err() == nil {
		p.log.Debug("event stream ended", "error", err)
	}
	return nil // the browser asks again if it may
}

// relay tells of changes until the next heartbeat.
func (pc pace) relay(ctx context.Context, out io.Writer, seen *sight, w *sites.Watcher) error {
	beat, cancel := context.WithTimeout(ctx, pc.heartbeat)
	defer cancel()
	for beat.Err() == nil {
		names, err := w.Next(beat)
		if err != nil {
			break
		}
		if err := sendChanges(ctx, out, seen, names); err != nil {
			return err
		}
		rest(beat, pc.pause)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	_, err := io.WriteString(out, ": alive\n\n")
	return err
}

// rest waits for d, or for the end of ctx.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func sendChanges(ctx context.Context, out io.Writer, seen *sight, names []string) error {
	for _, name := range names {
		show, err := seen.shows(ctx, name)
		if err != nil {
			return err
		}
		if !show {
			continue
		}
		if _, err := fmt.Fprintf(out, "event: site\ndata: %s\n\n", name); err != nil {
			return err
		}
	}
	return nil
}

// stillLoggedIn reads the session anew: it may have ended, or the account may have other rights now. What the panel
// itself ends or changes ends streams at once; the rest, such as idle sessions and the command line, is found here.
func (p *Panel) stillLoggedIn(ctx context.Context) bool {
	fresh, err := p.sessions.Reload(ctx)
	if err != nil {
		return ctx.Err() == nil // the store does not answer; that is no reason to log anybody out
	}
	_, ok, err := p.sessionAccount(fresh)
	return ok || err != nil
}

// sight is which sites an account may hear of. It remembers them, because a deleted site belongs to nobody.
type sight struct {
	service *sites.Service
	actor   sites.Actor
	known   map[string]bool
}

func (p *Panel) newSight(ctx context.Context, actor sites.Actor) (*sight, error) {
	s := &sight{service: p.service, actor: actor, known: make(map[string]bool)}
	if actor.Admin() {
		return s, nil
	}
	own, err := p.service.Sites(ctx, actor, actor.ID)
	for _, site := range own {
		s.known[site.Name] = true
	}
	return s, err
}

func (s *sight) shows(ctx context.Context, name string) (bool, error) {
	if s.actor.Admin() {
		return true, nil
	}
	_, err := s.service.Site(ctx, s.actor, name)
	switch {
	case err == nil:
		s.known[name] = true
		return true, nil
	case errors.Is(err, sites.ErrNotFound):
		was := s.known[name]
		delete(s.known, name)
		return was, nil
	}
	return false, err
}

// flushingWriter hands on every write at once, and gives up on a client that does not read.
type flushingWriter struct{ response *echo.Response }

const streamWrite = 30 * time.Second

func newFlushingWriter(c echo.Context) *flushingWriter {
	liftDeadlines(c.Response())
	return &flushingWriter{response: c.Response()}
}

func (w *flushingWriter) Write(b []byte) (int, error) {
	control := http.NewResponseController(w.response)
	_ = control.SetWriteDeadline(time.Now().Add(streamWrite)) // where it cannot be set there is none
	n, err := w.response.Write(b)
	if err != nil {
		return n, err
	}
	return n, control.Flush()
}
