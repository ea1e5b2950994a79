package panel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

const (
	watchTime   = 15 * time.Minute // how long a name is watched at most
	watchPause  = 100 * time.Millisecond
	watchAtOnce = 100 // lines between two pauses; what is beyond is dropped by the DNS server
)

func (p *Panel) queriesPage(c echo.Context, _ visitor) error {
	return p.render(c, http.StatusOK, templates.Queries(templates.QueriesView{
		Shell: p.shell(c, "Live queries", templates.SectionZones),
		Name:  c.QueryParam("name"),
	}))
}

// watchedName reads the name that is to be watched.
func watchedName(text string) (string, error) {
	name := sites.CanonicalHost(strings.TrimSpace(text))
	if name == "" || len(name) > 253 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", sites.RefuseField(sites.ErrInvalid, "name", "Give the name to watch, such as www.example.org.")
	}
	return name, nil
}

// followQueries streams the queries for a name as plain text.
func (p *Panel) followQueries(c echo.Context, who visitor) error {
	name, err := watchedName(c.QueryParam("name"))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-Type", "text/plain; charset=utf-8")
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	request := c.Request().Context()
	ctx, end, err := p.streams.open(request, who.account.ID, p.sessions.ID(request))
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, watchTime)
	defer cancel()
	defer liftDeadlines(c.Response())
	out := newFlushingWriter(c)
	if _, err := fmt.Fprintf(out, "Watching %s and the names below it. Times are in UTC.\n", name); err != nil {
		return nil // the client has gone
	}
	if err := relayQueries(ctx, out, p.cfg.DNS.WatchQueries(ctx, name)); err != nil {
		p.log.Debug("query log ended", "error", err)
	}
	return nil
}

// relayQueries writes lines until the channel is closed, in portions, so that a flood of queries becomes no flood of work.
func relayQueries(ctx context.Context, out io.Writer, lines <-chan sites.QueryLine) error {
	for {
		var portion bytes.Buffer
		line, open := <-lines
		if !open {
			break
		}
		writeQuery(&portion, line)
		for range min(len(lines), watchAtOnce-1) {
			if line, open = <-lines; open {
				writeQuery(&portion, line)
			}
		}
		if _, err := out.Write(portion.Bytes()); err != nil {
			return err
		}
		rest(ctx, watchPause)
	}
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil
	}
	_, err := fmt.Fprintf(out, "Ended after %d minutes.\n", int(watchTime.Minutes()))
	return err
}

func writeQuery(out io.Writer, q sites.QueryLine) {
	limited := ""
	if q.Limited {
		limited = "  rate-limited"
	}
	// Writing to memory does not fail.
	_, _ = fmt.Fprintf(out, "%s  %-15s  %-3s  %-8s %s  %s%s\n", q.At.UTC().Format("15:04:05.000"), q.Client, q.Transport, q.Rcode, q.Type, q.Name, limited)
}
