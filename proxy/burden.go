package proxy

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"berth/sites"
)

// burden is what a site has to bear. It outlives the site's routes, and takes no lock.
type burden struct {
	began   time.Time
	due     atomic.Int64 // when all requests until now would be done at the rate that is allowed, in nanoseconds since began
	present atomic.Int64 // requests now
}

func newBurden() *burden { return &burden{began: time.Now()} }

// enter counts a request in, and reports false where it is one too many. A nil burden bears everything.
func (b *burden) enter(bounds sites.Bounds) bool {
	if b == nil {
		return true
	}
	if n := b.present.Add(1); bounds.Connections > 0 && n > int64(bounds.Connections) || !b.take(time.Since(b.began), bounds.RequestsPerSecond) {
		b.leave()
		return false
	}
	return true
}

func (b *burden) leave() {
	if b != nil {
		b.present.Add(-1)
	}
}

// take spends one of the requests that are allowed a second, of which a whole second's worth may come at once.
func (b *burden) take(now time.Duration, perSecond int) bool {
	if perSecond <= 0 {
		return true
	}
	each := int64(time.Second) / int64(perSecond)
	for {
		due := b.due.Load()
		next := max(due, int64(now)) + each
		if next-int64(now) > int64(time.Second) {
			return false
		}
		if b.due.CompareAndSwap(due, next) {
			return true
		}
	}
}

// oversized refuses a request whose body is larger than so many MiB, 0 for any, and has one that does not say how large it is
// end there.
func (p *Proxy) oversized(w http.ResponseWriter, r *http.Request, host string, most int) bool {
	body, ok := r.Body.(*pacedBody)
	if most == 0 || !ok {
		return false
	}
	body.bound = int64(most) << 20
	if r.ContentLength > body.bound {
		p.tooLarge(w, r, host, body.bound)
		return true
	}
	return false
}

func (p *Proxy) tooLarge(w http.ResponseWriter, r *http.Request, host string, bound int64) {
	const status = http.StatusRequestEntityTooLarge
	most := int(bound >> 20)
	w.Header().Set("Vary", "Accept")
	w.Header().Set("X-Robots-Tag", "noindex")
	if wantsHTML(r.Header) {
		p.document(w, status, p.pages.TooLarge(host, most))
		return
	}
	p.line(w, status, "What was sent is too large: this site takes up to "+strconv.Itoa(most)+" MB at a time.")
}
