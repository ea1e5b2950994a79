package cache

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"time"
)

// Fetch answers a request that Hit has not: from the origin, from the origin's answer to another request that is under
// way, or from what is kept and may be used though it is not fresh. It keeps what may be kept. Like an origin it panics
// with http.ErrAbortHandler when a response cannot be completed.
func (c *Cache) Fetch(w http.ResponseWriter, r *http.Request, s *Space, origin Origin) {
	switch {
	case len(r.Header["Upgrade"]) > 0:
		origin(w, r)
	case c.most <= 0:
		c.pass(w, r, s, off, origin)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		c.pass(w, r, s, byMethod, origin)
	case !answerable(r):
		c.pass(w, r, s, byRequest, origin)
	default:
		c.fetch(w, r, s, origin)
	}
}

func (c *Cache) fetch(w http.ResponseWriter, r *http.Request, s *Space, origin Origin) {
	k := keyOf(r, s)
	res := c.find(k)
	prior := res.match(r)
	if !c.spares(prior) {
		c.misses.Add(1)
		c.pass(w, r, s, miss, origin)
		return
	}
	now := c.now()
	asks := parseControl(r.Header["Cache-Control"])
	if prior != nil && prior.rests(now) {
		c.sendStale(w, r, k, prior, staleFailed)
		return
	}
	if prior != nil && prior.meanwhile(&asks, now) {
		c.refresh(r, k, res, prior, origin)
		c.sendStale(w, r, k, prior, hit)
		return
	}
	c.misses.Add(1)
	switch {
	case asks.onlyIfCached:
		c.refuse(w)
	case asks.noStore:
		c.pass(w, r, s, byRequest, origin)
	case r.Method == http.MethodHead, len(r.Header["Range"]) > 0 && !prior.verifiable():
		c.pass(w, r, s, miss, origin)
	default:
		c.together(w, r, res, prior, k, origin)
	}
}

// together leads a flight, or follows the one there is.
func (c *Cache) together(w http.ResponseWriter, r *http.Request, res *resource, prior *stored, k key, origin Origin) {
	f, leads := c.flights.board(k, res.variant(r))
	switch {
	case leads:
		c.lead(w, r, prior, f, origin)
	case res != nil && c.now().Before(res.alone):
		c.pass(w, r, k.space, miss, origin)
	default:
		c.follow(w, r, prior, f, origin)
	}
}

func (c *Cache) sendStale(w http.ResponseWriter, r *http.Request, k key, st *stored, o outcome) {
	c.hits.Add(1)
	c.stale.Add(1)
	c.send(w, r, k, st, c.now(), o)
}

// refuse is the answer to only-if-cached, RFC 9111 section 5.2.1.7.
func (c *Cache) refuse(w http.ResponseWriter) {
	w.Header()["Cache-Status"] = c.words[absent]
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusGatewayTimeout)
}

// rests reports whether the origin failed a moment ago, so that the response stands in for it without asking.
func (st *stored) rests(now time.Time) bool {
	return now.UnixNano() < st.resting.Load() && st.standsIn(now)
}

// standsIn reports whether the response may be used when the origin has failed.
func (st *stored) standsIn(now time.Time) bool { return now.Before(st.broken) && !st.always }

// meanwhile reports whether the response may be used while the origin is asked for a fresh one.
func (st *stored) meanwhile(asks *control, now time.Time) bool {
	insists := asks.noCache || asks.noStore || asks.maxAge != unset || asks.minFresh != unset
	return !st.always && !insists && !now.Before(st.fresh) && now.Before(st.anyhow)
}

// verifiable reports whether the origin can say that nothing has changed. A nil response is not.
func (st *stored) verifiable() bool { return st != nil && (st.tag != "" || st.since != "") }

// conditions are the fields of a request that asks the origin whether the response is still right.
func (st *stored) conditions(h http.Header) http.Header {
	h = maps.Clone(h)
	for _, name := range []string{"Range", "If-Range", "If-None-Match", "If-Modified-Since"} {
		delete(h, name)
	}
	if st.tag != "" {
		h["If-None-Match"] = []string{st.tag}
	}
	if st.since != "" {
		h["If-Modified-Since"] = []string{st.since}
	}
	return h
}

// pass has the origin answer this request alone.
func (c *Cache) pass(w http.ResponseWriter, r *http.Request, s *Space, o outcome, origin Origin) {
	rec := &recorder{cache: c, client: w, request: r, key: keyOf(r, s), header: make(http.Header), outcome: o}
	defer rec.end()
	origin(rec, r)
	rec.returned = true
}

// lead has the origin answer for all that follow.
func (c *Cache) lead(w http.ResponseWriter, r *http.Request, prior *stored, f *flight, origin Origin) {
	rec := &recorder{
		cache: c, client: w, request: r, key: f.key, header: make(http.Header), outcome: miss,
		flight: f, prior: prior, asked: c.now(),
	}
	req, arrive := f.depart(r)
	if prior.verifiable() {
		req.Header = prior.conditions(r.Header)
	}
	defer rec.end()
	defer arrive()
	origin(rec, req)
	rec.returned = true
}

// refresh asks the origin behind the request, unless that is being done.
func (c *Cache) refresh(r *http.Request, k key, res *resource, prior *stored, origin Origin) {
	f, leads := c.flights.board(k, res.variant(r))
	if !leads {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), grace)
	stop := context.AfterFunc(c.behind.ctx, cancel)
	again := r.Clone(ctx)
	again.Method, again.Body, again.ContentLength = http.MethodGet, http.NoBody, 0
	again.Header = prior.conditions(again.Header)
	delete(again.Header, "Cache-Control")
	f.left = true
	begun := c.background(func() {
		defer cancel()
		defer stop()
		c.lead(nobody{make(http.Header)}, again, prior, f, origin)
	})
	if !begun {
		stop()
		cancel()
		f.end(broken, nil)
		c.flights.land(f)
	}
}

// nobody is a client that takes everything.
type nobody struct{ header http.Header }

func (n nobody) Header() http.Header         { return n.header }
func (n nobody) Write(p []byte) (int, error) { return len(p), nil }
func (n nobody) WriteHeader(int)             {}
func (n nobody) FlushError() error           { return nil }

// follow waits for what another request gets, and takes it if it answers this one, too.
func (c *Cache) follow(w http.ResponseWriter, r *http.Request, prior *stored, f *flight, origin Origin) {
	f.waiting.Add(1)
	defer f.waiting.Add(-1)
	timer := time.NewTimer(c.patience)
	defer timer.Stop()
	for {
		p := f.progress(0)
		switch {
		case p.phase == landed && prior != nil && prior.rests(c.now()):
			c.sendStale(w, r, f.key, prior, staleFailed)
			return
		case p.phase == coming && !p.answer.common, p.phase == landed && !p.answer.common:
			c.pass(w, r, f.key.space, miss, origin)
			return
		case p.phase == coming && p.whole >= 0 && unconditional(r) && p.answer.matches(r) && c.lent.spare(&p.answer.loan, p.whole):
			c.ride(w, r, f, p.answer, p.whole)
			return
		case p.phase == landed && p.answer.matches(r) && c.spares(p.answer):
			c.send(w, r, f.key, p.answer, c.now(), missJoined)
			return
		case p.phase != asked && p.phase != coming:
			c.pass(w, r, f.key.space, miss, origin)
			return
		}
		select {
		case <-p.changed:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		case <-timer.C:
			if next := c.flights.replace(f); next != nil {
				c.lead(w, r, prior, next, origin)
			} else {
				c.pass(w, r, f.key.space, miss, origin)
			}
			return
		}
	}
}

// unconditional reports whether the answer to r is a whole body, whatever the header turns out to be.
func unconditional(r *http.Request) bool {
	return r.Method == http.MethodGet && len(r.Header["Range"]) == 0 && len(r.Header["If-None-Match"]) == 0 &&
		len(r.Header["If-Modified-Since"]) == 0
}

// ride sends a response on while it comes.
func (c *Cache) ride(w http.ResponseWriter, r *http.Request, f *flight, answer *stored, whole int64) {
	c.lent.take(&answer.loan, whole)
	defer c.lent.back(&answer.loan, whole)
	maps.Copy(w.Header(), f.header)
	w.Header()["Cache-Status"] = c.said(f.header, missJoined)
	out := c.compressor.Wrap(w, r)
	out.WriteHeader(answer.status)
	err := f.stream(r.Context(), &out)
	if err == nil {
		err = out.Close()
	}
	out.Abort()
	if err != nil {
		panic(http.ErrAbortHandler) // or the client would take a part for the whole
	}
}

// changed drops what an unsafe request that succeeded has made obsolete, RFC 9111 section 4.4.
func (c *Cache) changed(r *http.Request, k key, status int, h http.Header) {
	switch {
	case r.Method == http.MethodGet, r.Method == http.MethodHead, r.Method == http.MethodOptions, r.Method == http.MethodTrace:
		return
	case status < 200 || status >= 400:
		return
	}
	c.forget(k)
	for _, name := range []string{"Location", "Content-Location"} {
		to, err := url.Parse(h.Get(name))
		if err != nil || h.Get(name) == "" {
			continue
		}
		if to = r.URL.ResolveReference(to); to.Host == "" || to.Host == r.Host {
			c.forget(keyAt(k.space, k.host, to))
		}
	}
}
