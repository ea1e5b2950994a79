package panel

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

const (
	defaultTail = 100
	maxTail     = 5000
	maxLogPage  = 2 << 20 // bytes that a page of log lines may take
)

// tail reads how many lines are asked for.
func tail(c echo.Context) (int, error) {
	text := c.QueryParam("tail")
	if text == "" {
		return defaultTail, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxTail {
		return 0, sites.RefuseField(sites.ErrInvalid, "tail", "The number of lines must be between 1 and %d.", maxTail)
	}
	return n, nil
}

func (p *Panel) logsPage(c echo.Context, who visitor) error {
	lines, err := tail(c)
	if err != nil {
		return err
	}
	site, err := p.service.Site(c.Request().Context(), who.actor, siteParam(c))
	if err != nil {
		return err
	}
	view := templates.LogsView{Name: site.Name, Tail: lines}
	text := &lastBytes{keep: maxLogPage}
	err = p.service.Logs(c.Request().Context(), who.actor, site.Name, sites.LogQuery{Tail: lines}, text)
	if errors.Is(err, sites.ErrConflict) || errors.Is(err, sites.ErrUnavailable) {
		view.Reason, err = explain(err).sentence, nil
	}
	if err != nil {
		return err
	}
	view.Text = text.String()
	view.Shell = p.shell(c, "Logs of "+site.Name, siteSection(who, site))
	return p.render(c, http.StatusOK, templates.Logs(view))
}

// lastBytes keeps the end of what is written.
type lastBytes struct {
	bytes.Buffer
	keep int
}

func (b *lastBytes) Write(p []byte) (int, error) {
	n, err := b.Buffer.Write(p)
	if over := b.Len() - b.keep; over > 0 {
		b.Next(over)
	}
	return n, err
}

// logReader writes the last lines of a log and, with q.Follow, those that come.
type logReader func(ctx context.Context, q sites.LogQuery, w io.Writer) error

// output reads what the site's instance writes.
func (p *Panel) output(actor sites.Actor, name string) logReader {
	return func(ctx context.Context, q sites.LogQuery, w io.Writer) error {
		return p.service.Logs(ctx, actor, name, q, w)
	}
}

func (p *Panel) followLogs(c echo.Context, who visitor) error {
	return p.follow(c, who, p.output(who.actor, siteParam(c)))
}

// follow streams a log to the page while it grows.
func (p *Panel) follow(c echo.Context, who visitor, read logReader) error {
	lines, err := tail(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	ctx, end, err := p.streams.open(ctx, who.account.ID, p.sessions.ID(ctx))
	if err != nil {
		return err
	}
	defer end()
	return p.streamLog(ctx, c, read, sites.LogQuery{Tail: lines, Follow: true})
}

// streamLog sends a log as plain text. The status waits for the first line or the end, so that a refusal can still be told.
func (p *Panel) streamLog(ctx context.Context, c echo.Context, read logReader, q sites.LogQuery) error {
	q.Follow = q.Follow && c.Request().Method != http.MethodHead // which ends with the headers
	c.Response().Header().Set("Content-Type", "text/plain; charset=utf-8")
	defer liftDeadlines(c.Response()) // what the writer sets would hold for the next request of the connection, too
	err := read(ctx, q, newFlushingWriter(c))
	if err != nil && ctx.Err() == nil {
		c.Response().Header().Del("Content-Type")
		return err
	}
	if !c.Response().Committed {
		c.Response().WriteHeader(http.StatusOK)
	}
	return nil
}
