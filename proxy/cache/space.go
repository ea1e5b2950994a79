package cache

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

// Space is what belongs together in a Cache and ends together, such as one release of one site. It is made by new(Space).
type Space struct {
	used atomic.Bool // something was stored
	over atomic.Bool
}

// key is what a response answers: a target below a Host field, both as the client wrote them, which is no coarser than what
// the origin sees.
type key struct {
	space    *Space
	host     string
	path     string
	raw      string // of the path, where it is not written as usual
	query    string
	hasQuery bool
}

func keyOf(r *http.Request, s *Space) key { return keyAt(s, r.Host, r.URL) }

func keyAt(s *Space, host string, u *url.URL) key {
	return key{space: s, host: host, path: u.Path, raw: u.RawPath, query: u.RawQuery, hasQuery: u.RawQuery != "" || u.ForceQuery}
}

// owned is the key without hold on the header of the request that it was made of.
func (k key) owned() key {
	k.host, k.path, k.raw, k.query = strings.Clone(k.host), strings.Clone(k.path), strings.Clone(k.raw), strings.Clone(k.query)
	return k
}

func (k key) size() int { return len(k.host) + len(k.path) + len(k.raw) + len(k.query) }

// End has everything in the space gone at once, whatever is still being fetched for it included. The memory is given back
// behind the caller.
func (c *Cache) End(s *Space) {
	if s == nil || s.over.Swap(true) || !s.used.Load() {
		return
	}
	c.sweeps.Add(1)
	if c.sweeping.CompareAndSwap(false, true) && !c.background(c.sweep) {
		c.sweeping.Store(false)
	}
}

// sweep drops the entries of spaces that are over, until none has ended meanwhile.
func (c *Cache) sweep() {
	for {
		seen := c.sweeps.Load()
		for k := range c.store().Keys() {
			if k.space.over.Load() {
				c.store().Invalidate(k)
			}
		}
		c.sweeping.Store(false)
		if c.sweeps.Load() == seen || !c.sweeping.CompareAndSwap(false, true) {
			return
		}
	}
}
