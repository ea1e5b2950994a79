package cache

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"berth/proxy/compress"
)

// recorder is the response that an origin writes. When it sees the header it decides what becomes of the rest.
type recorder struct {
	cache   *Cache
	client  http.ResponseWriter
	request *http.Request // as the client made it
	key     key
	header  http.Header
	outcome outcome

	flight *flight // nil: the response is for this request alone
	prior  *stored // what the origin was asked about, or nil
	asked  time.Time

	way      way
	out      compress.Writer // to the client
	answer   *stored         // that is being kept, or stands in
	streamed chan error      // how sending what is kept ended
	ignored  int             // bytes
	reserved int64           // likewise
	spoilt   bool            // something of the body is missing
	returned bool
}

// way is what becomes of a response.
type way int

const (
	open    way = iota // the header has not come
	direct             // to the client, and nowhere else
	keeping            // to the flight, which the client is sent from
	instead            // nowhere: another is sent instead
)

// Header is the header that the origin writes, and with it the trailer once the response goes straight to the client.
func (rec *recorder) Header() http.Header {
	if rec.way == direct {
		return rec.client.Header()
	}
	return rec.header
}

// Unwrap is for http.ResponseController.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.client }

func (rec *recorder) WriteHeader(status int) {
	switch {
	case rec.way != open:
	case status < http.StatusOK && status != http.StatusSwitchingProtocols:
		rec.inform(status)
	default:
		rec.decide(status)
	}
}

// inform sends a header that is not the final one, such as 103.
func (rec *recorder) inform(status int) {
	h := rec.client.Header()
	before := maps.Clone(h)
	maps.Copy(h, rec.header)
	rec.client.WriteHeader(status)
	clear(h)
	maps.Copy(h, before)
}

func (rec *recorder) decide(status int) {
	c := rec.cache
	now := c.now()
	if rec.flight == nil {
		rec.goDirect(status)
		return
	}
	if rec.prior != nil {
		if status == http.StatusNotModified && rec.prior.verifiable() {
			rec.confirm(now)
			return
		}
		if failed(status) && rec.prior.standsIn(now) {
			rec.prior.resting.Store(now.Add(rest).UnixNano())
			c.stale.Add(1)
			rec.sendInstead(rec.prior, staleFailed)
			return
		}
	}
	says := instructed(rec.header)
	whole := length(rec.header)
	if !storable(rec.request, status, rec.header, &says) || whole > c.largest || !rec.reserve(max(0, whole)) {
		rec.goDirect(status)
		return
	}
	rec.keep(status, &says, whole, now)
}

// rest is how long a failing origin is left alone where something can stand in for it.
const rest = 5 * time.Second

// confirm takes a 304: the prior response is as good as new.
func (rec *recorder) confirm(now time.Time) {
	h := rec.prior.freshened(rec.header)
	says := instructed(h)
	keep := storable(rec.request, rec.prior.status, h, &says)
	next := rec.prior.renewed(rec.request, h, &says, rec.asked, now)
	if keep {
		rec.cache.keep(rec.key, next, rec.flight)
	} else {
		rec.cache.forget(rec.key)
	}
	if !keep || !next.common {
		rec.pass() // it may have something in it that is for this visitor alone
	}
	rec.sendInstead(next, confirmed)
}

func (rec *recorder) sendInstead(st *stored, o outcome) {
	rec.way, rec.answer, rec.outcome = instead, st, o
}

// goDirect lets the client have the response as it comes.
func (rec *recorder) goDirect(status int) {
	if rec.flight != nil {
		rec.pass()
	}
	rec.way = direct
	rec.cache.changed(rec.request, rec.key, status, rec.header)
	rec.send(status, rec.header, rec.outcome)
}

// pass tells those who wait that they have to ask for themselves, and those who come next not to wait.
func (rec *recorder) pass() {
	c := rec.cache
	c.flights.land(rec.flight)
	if rec.flight.waiting.Load() > 0 {
		until := c.now().Add(aloneFor)
		c.change(rec.key, func(res *resource) *resource {
			next := &resource{alone: until}
			if res != nil {
				next.responses = res.responses
			}
			return next
		})
	}
	rec.flight.end(passed, nil)
}

// send begins the response to the client.
func (rec *recorder) send(status int, header http.Header, o outcome) {
	h := rec.client.Header()
	maps.Copy(h, header)
	delete(h, targeted)
	h["Cache-Status"] = rec.cache.said(header, o)
	request := rec.request
	if _, ok := rec.client.(nobody); ok {
		request = &http.Request{Method: http.MethodHead} // there is no use in encoding
	}
	rec.out = rec.cache.compressor.Wrap(rec.client, request)
	rec.out.WriteHeader(status)
}

// keep sends the response to the client from what is kept of it, so that a slow client does not hold up the others.
func (rec *recorder) keep(status int, says *control, whole int64, now time.Time) {
	shown := maps.Clone(rec.header)
	delete(shown, targeted)
	rec.way = keeping
	rec.answer = newStored(rec.request, status, rec.header, says, rec.asked, now)
	rec.flight.begin(rec.answer, shown, whole)
	o := missKept
	if rec.prior != nil {
		o = staleKept
	}
	rec.send(status, shown, o)
	rec.streamed = make(chan error, 1)
	go rec.stream()
}

func (rec *recorder) stream() {
	defer func() {
		if cause := recover(); cause != nil {
			rec.streamed <- panicked{cause}
		}
	}()
	rec.streamed <- rec.flight.stream(rec.request.Context(), &rec.out)
}

// panicked takes a panic to the goroutine that serves the request, whose panics have somebody who knows what to do about them.
type panicked struct{ cause any }

func (p panicked) Error() string { return fmt.Sprint("panic: ", p.cause) }

func (rec *recorder) Write(p []byte) (int, error) {
	if rec.way == open {
		rec.WriteHeader(http.StatusOK)
	}
	switch rec.way {
	case keeping:
		return rec.record(p)
	case instead:
		if rec.ignored += len(p); rec.ignored > 64<<10 {
			return 0, errEnough
		}
		return len(p), nil
	}
	return rec.out.Write(p)
}

// record adds to what is kept. When that becomes too much, the client gets the rest directly.
func (rec *recorder) record(p []byte) (int, error) {
	f := rec.flight
	size := int64(len(f.body) + len(p)) // only this goroutine makes it longer
	switch {
	case f.whole >= 0 && size > f.whole:
		rec.spoilt = true
		return 0, http.ErrContentLength
	case f.whole >= 0, size <= rec.cache.largest && rec.reserve(int64(len(p))):
		f.add(p)
		return len(p), nil
	}
	rec.pass()
	err := <-rec.streamed
	if !errors.Is(err, errHandedBack) {
		rec.spoilt = true
		rec.streamed <- err // for end
		return 0, err
	}
	rec.release()
	rec.way = direct
	return rec.out.Write(p)
}

// reserve takes so many bytes of what bodies may have that are still coming, and release gives all back.
func (rec *recorder) reserve(n int64) bool {
	if rec.cache.pending.Add(n) > rec.cache.most/4 {
		rec.cache.pending.Add(-n)
		return false
	}
	rec.reserved += n
	return true
}

func (rec *recorder) release() {
	rec.cache.pending.Add(-rec.reserved)
	rec.reserved = 0
}

// ReadFrom is for io.Copy, which takes a buffer of its own otherwise.
func (rec *recorder) ReadFrom(src io.Reader) (int64, error) {
	if rec.way == open {
		rec.WriteHeader(http.StatusOK)
	}
	if rec.way == direct {
		return rec.out.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{rec}, src)
}

// FlushError sends what has come so far.
func (rec *recorder) FlushError() error {
	if rec.way == open {
		rec.WriteHeader(http.StatusOK)
	}
	switch rec.way {
	case direct:
		return rec.out.FlushError()
	case keeping:
		rec.flight.flush()
	}
	return nil
}

// Flush makes it an http.Flusher, which handlers may look for.
func (rec *recorder) Flush() { _ = rec.FlushError() }

// end is deferred around the origin: it settles what the response became, also when the origin has panicked.
func (rec *recorder) end() {
	if rec.way == open && rec.returned {
		rec.WriteHeader(http.StatusOK)
	}
	if rec.flight != nil {
		defer rec.cache.flights.land(rec.flight)
	}
	switch rec.way {
	case open:
		if rec.flight != nil {
			rec.flight.end(broken, nil)
		}
	case direct:
		rec.close()
	case keeping:
		rec.complete()
	case instead:
		if !rec.returned {
			if v := recover(); v != nil && v != http.ErrAbortHandler {
				panic(v)
			}
		}
		rec.flight.end(landed, rec.answer)
		rec.cache.send(rec.client, rec.request, rec.key, rec.answer, rec.cache.now(), rec.outcome)
	}
}

func (rec *recorder) close() {
	if rec.returned {
		_ = rec.out.Close() // a client that has gone needs no answer
	}
	rec.out.Abort()
}

// complete keeps the response, if it has come as a whole, and waits until the client has it.
func (rec *recorder) complete() {
	f := rec.flight
	c := rec.cache
	size := int64(len(f.body))
	whole := rec.returned && !rec.spoilt && (f.whole < 0 || f.whole == size)
	if whole {
		rec.answer.complete(slices.Clip(f.body))
		c.keep(rec.key, rec.answer, f)
		c.flights.land(f)
		f.end(landed, rec.answer)
	} else {
		c.flights.land(f)
		f.end(broken, nil)
	}
	err := <-rec.streamed
	rec.release()
	if err == nil {
		err = rec.out.Close()
	}
	rec.out.Abort()
	if p, ok := err.(panicked); ok {
		panic(p.cause)
	}
	if rec.returned && !whole && err != nil {
		panic(http.ErrAbortHandler)
	}
}
