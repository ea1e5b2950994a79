package origin

import (
	"bytes"
	"context"
	"errors"
	"os"
	"time"
)

// moment is how long a response is waited for before anything is done to notice that its request has ended meanwhile: most come
// sooner, and what that costs would be much of what they cost.
const moment = 50 * time.Millisecond

// watch has the end of a request interrupt what is done for it, once it has begun.
type watch struct {
	conn  *conn
	ctx   context.Context
	begun bool
	stop  func() bool
}

func (w *watch) begin() {
	if !w.begun {
		w.begun, w.stop = true, context.AfterFunc(w.ctx, w.conn.interrupt)
	}
}

// end reports whether there was no interruption.
func (w *watch) end() bool { return !w.begun || w.stop() }

// first waits for the response to a request that is sent, and returns when its header is there or the rest may take longer.
func (w *watch) first() error {
	c, limit := w.conn, w.conn.transport.cfg.Response
	begin := time.Now()
	if err := c.readWithin(min(moment, limit)); err != nil {
		return err
	}
	_, err := c.in.Peek(1)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && limit > moment:
	case err != nil:
		return err
	default:
		if begun, _ := c.in.Peek(c.in.Buffered()); bytes.Contains(begun, []byte("\r\n\r\n")) {
			return nil
		}
	}
	w.begin()
	return c.await(limit - time.Since(begin))
}
