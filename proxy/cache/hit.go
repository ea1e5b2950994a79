package cache

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"berth/proxy/compress"

	"github.com/maypok86/otter/v2"
)

// Hit answers a request if that can be done from what is kept and is fresh, and reports whether it has.
func (c *Cache) Hit(w http.ResponseWriter, r *http.Request, s *Space) bool {
	if c.entries.Load() == nil || !answerable(r) {
		return false
	}
	k := keyOf(r, s)
	st := c.find(k).match(r)
	if st == nil {
		return false
	}
	now := c.now()
	if !st.good(r, now) || !c.spares(st) {
		return false
	}
	c.hits.Add(1)
	c.send(w, r, k, st, now, hit)
	return true
}

// spares reports whether the body may be sent from memory once more. A nil response may.
func (c *Cache) spares(st *stored) bool {
	return st == nil || c.lent.spare(&st.loan, int64(len(st.plain.body)))
}

// What Cache-Status says, RFC 9211, is the same words over and over. The slices are shared: with no room to append to.
type outcome int

const (
	hit outcome = iota
	miss
	missKept
	missJoined
	confirmed
	staleFailed
	staleKept
	byMethod
	byRequest
	absent
	off

	outcomes = 11 // how many there are
)

func (o outcome) status() string {
	return [outcomes]string{
		"berth; hit", "berth; fwd=uri-miss", "berth; fwd=uri-miss; stored", "berth; fwd=uri-miss; collapsed",
		"berth; fwd=stale; fwd-status=304", "berth; hit; detail=origin-failed", "berth; fwd=stale; stored",
		"berth; fwd=method", "berth; fwd=request", "berth; detail=only-if-cached", "berth; fwd=bypass",
	}[o]
}

// answerable reports whether a kept response can answer the request at all. What asks for an upgrade, has a body or makes
// conditions for the origin (RFC 9111 section 4.3.2) is the origin's.
func answerable(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.ContentLength == 0 &&
		len(r.Header["Upgrade"]) == 0 && len(r.Header["If-Match"]) == 0 && len(r.Header["If-Unmodified-Since"]) == 0
}

// often is how soon clients can have the origin asked again: reloading is theirs to do as fast as they like.
const often = time.Second

// good reports whether the response may be used without asking the origin. It is fresh, and the client does not insist.
func (st *stored) good(r *http.Request, now time.Time) bool {
	fresh := !st.always && now.Before(st.fresh)
	lines := r.Header["Cache-Control"]
	if len(lines) == 0 {
		if len(r.Header["Pragma"]) > 0 && r.Header["Pragma"][0] == "no-cache" {
			return fresh && now.Sub(st.checked) < often
		}
		return fresh
	}
	asks := parseControl(lines)
	if asks.onlyIfCached && fresh {
		return true
	}
	insists := asks.noCache || asks.maxAge != unset && now.Sub(st.born) > asks.maxAge ||
		asks.minFresh != unset && st.fresh.Sub(now) < asks.minFresh
	switch {
	case fresh && insists:
		return now.Sub(st.checked) < often
	case fresh:
		return true
	case st.stale && !insists && asks.maxStale != unset:
		return now.Before(st.fresh.Add(asks.maxStale))
	}
	return st.stale && !insists && asks.anyStale
}

// send answers with the response.
func (c *Cache) send(w http.ResponseWriter, r *http.Request, k key, st *stored, now time.Time, o outcome) {
	size := int64(len(st.plain.body))
	c.lent.take(&st.loan, size)
	defer c.lent.back(&st.loan, size)
	rd := st.plain
	if st.encodes {
		rd = c.rendition(r, k, st)
	}
	h := w.Header()
	h["Age"] = st.ageAt(now)
	if st.status == http.StatusOK {
		if unchanged(r.Header, rd.tag, st.since) {
			rd.brief.into(h)
			h["Cache-Status"] = c.said(st.header, o)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		if r.Method == http.MethodGet && strings.HasPrefix(r.Header.Get("Range"), "bytes=") {
			c.sendPart(w, r, st, o)
			return
		}
	}
	rd.fields.into(h)
	h["Cache-Status"] = c.said(st.header, o)
	w.WriteHeader(st.status)
	if r.Method != http.MethodHead && len(rd.body) > 0 {
		c.bytes.Add(uint64(len(rd.body)))
		_, _ = w.Write(rd.body) // a client that has gone needs no answer
	}
}

func (all fields) into(h http.Header) {
	for _, f := range all {
		h[f.name] = f.values
	}
}

// said is Cache-Status: after what caches before this one have said.
func (c *Cache) said(origin http.Header, o outcome) []string {
	if before := origin["Cache-Status"]; len(before) > 0 {
		return append(before[:len(before):len(before)], o.status())
	}
	return c.words[o]
}

// ageAt renders Age once a second at most.
func (st *stored) ageAt(now time.Time) []string {
	seconds := int64(max(0, now.Sub(st.born)) / time.Second)
	if a := st.age.Load(); a != nil && a.seconds == seconds {
		return a.values
	}
	a := &age{seconds, []string{strconv.FormatInt(seconds, 10)}}
	st.age.Store(a)
	return a.values
}

// unchanged evaluates If-None-Match and If-Modified-Since, RFC 9110 section 13.2.2. A date must be the very one that the
// response bears: when a site goes back to an older release, what is newer is not what is right.
func unchanged(h http.Header, tag, since string) bool {
	if lines := h["If-None-Match"]; len(lines) > 0 {
		return tagListed(lines, tag)
	}
	lines := h["If-Modified-Since"]
	return len(lines) == 1 && since != "" && lines[0] == since
}

// tagListed compares weakly, RFC 9110 section 8.8.3.2.
func tagListed(lines []string, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for _, line := range lines {
		for line = strings.TrimLeft(line, " \t,"); line != ""; line = strings.TrimLeft(line, " \t,") {
			if line[0] == '*' {
				return true
			}
			line = strings.TrimPrefix(line, "W/")
			if line == "" || line[0] != '"' {
				break
			}
			end := strings.IndexByte(line[1:], '"')
			if end < 0 {
				break
			}
			if line[:end+2] == tag {
				return true
			}
			line = line[end+2:]
		}
	}
	return false
}

// sendPart answers a request for ranges from the whole, RFC 9110 section 14.
func (c *Cache) sendPart(w http.ResponseWriter, r *http.Request, st *stored, o outcome) {
	h := w.Header()
	for _, f := range st.plain.fields {
		if f.name != "Content-Length" {
			h[f.name] = f.values
		}
	}
	h["Cache-Status"] = c.said(st.header, o)
	whole := *r
	whole.Header = http.Header{"Range": r.Header["Range"]}
	if condition := r.Header["If-Range"]; len(condition) > 0 {
		whole.Header["If-Range"] = condition
	}
	modified, _ := http.ParseTime(st.since) // else the zero time, which means none
	http.ServeContent(w, &whole, "", modified, bytes.NewReader(st.plain.body))
}

// rendition is the response in the coding that the client likes best. It is made by the first request that asks for it;
// others get the plain one meanwhile, and so does this one when the processors are busy with others.
func (c *Cache) rendition(r *http.Request, k key, st *stored) *rendition {
	coding := compress.Smallest(r.Header["Accept-Encoding"])
	if coding == compress.Identity {
		return st.plain
	}
	if rd := st.encoded[coding].Load(); rd != nil {
		return rd
	}
	if st.making[coding].Swap(true) {
		return st.plain
	}
	select {
	case c.encoders <- struct{}{}:
		defer func() { <-c.encoders }()
	default:
		st.making[coding].Store(false)
		return st.plain
	}
	rd := st.plain
	if body := c.compressor.Whole(coding, st.plain.body); body != nil {
		rd = st.in(coding, body)
	}
	st.encoded[coding].Store(rd)
	c.reweigh(k)
	return rd
}

// reweigh has the bound take into account what has become larger.
func (c *Cache) reweigh(k key) {
	c.store().ComputeIfPresent(k, func(res *resource) (*resource, otter.ComputeOp) {
		again := *res
		return &again, otter.WriteOp
	})
}
