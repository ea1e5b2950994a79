package http2

import (
	"net/http"
	"sync/atomic"
	"time"
)

// clockwork is a connection's time limits, guarded by its mutex. There is one timer, which goes off too early at most: becoming
// idle and busy again does not touch it.
type clockwork struct {
	timer      *time.Timer
	next       time.Time // when it goes off
	headerDue  time.Time // when the settings or a header must have come; zero: none is expected
	partingDue time.Time // when the client is taken to know that it is being left; zero: it is not
	idleSince  time.Time // zero: there are requests, or no settings yet
}

func (c *conn) startClock() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = time.AfterFunc(time.Hour, c.tick)
	c.next = time.Now().Add(time.Hour)
	c.remind(&c.headerDue, c.server.HeaderTimeout)
}

func (c *conn) stopClock() { c.timer.Stop() }

// remind sets a limit; a time of 0 means none.
func (c *conn) remind(due *time.Time, after time.Duration) {
	if after > 0 && !c.ended {
		*due = time.Now().Add(after)
		c.wakeAt(*due)
	}
}

func (c *conn) wakeAt(due time.Time) {
	if due.Before(c.next) {
		c.next = due
		c.timer.Reset(time.Until(due))
	}
}

// settled begins the wait for requests.
func (c *conn) settled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headerDue = time.Time{}
	c.rest()
}

// rest is called when there are no requests.
func (c *conn) rest() {
	c.idleSince = time.Now()
	if idle := c.server.IdleTimeout; idle > 0 {
		c.wakeAt(c.idleSince.Add(idle))
	}
}

// tick does what is due, and sets the timer for what is due next.
func (c *conn) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	now := time.Now()
	if passed(c.headerDue, now) {
		c.interrupt()
		return
	}
	if passed(c.partingDue, now) {
		c.partingDue = time.Time{}
		c.refuse()
	}
	idle := c.server.IdleTimeout
	if idle > 0 && !c.idleSince.IsZero() && passed(c.idleSince.Add(idle), now) {
		c.refuse()
		return
	}
	c.next = now.Add(time.Hour)
	for _, due := range []time.Time{c.headerDue, c.partingDue} {
		if !due.IsZero() && due.Before(c.next) {
			c.next = due
		}
	}
	if idle > 0 {
		since := c.idleSince
		if since.IsZero() {
			since = now // it cannot be due before that
		}
		if due := since.Add(idle); due.Before(c.next) {
			c.next = due
		}
	}
	c.timer.Reset(c.next.Sub(now))
}

func passed(due, now time.Time) bool { return !due.IsZero() && !now.Before(due) }

// clock says the time as a Date field does.
type clock struct{ last atomic.Pointer[reading] }

type reading struct {
	second int64
	text   string
}

func (c *clock) date() string {
	now := time.Now()
	if last := c.last.Load(); last != nil && last.second == now.Unix() {
		return last.text
	}
	r := &reading{now.Unix(), now.UTC().Format(http.TimeFormat)}
	c.last.Store(r)
	return r.text
}
