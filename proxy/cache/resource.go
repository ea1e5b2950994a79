package cache

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// resource is what is known under one key. It is immutable.
type resource struct {
	responses []*stored // that differ in what selects them, the newest first
	alone     time.Time // until when requests do not wait for each other: what came of it was for one of them only
}

// aloneFor is how long requests are not made to wait for what may be for one of them only.
const aloneFor = time.Minute

// mostVariants is how many responses a key may have. What selects them is the visitors' to write.
const mostVariants = 8

// match returns the response to r's request, or nil. A nil resource has none.
func (res *resource) match(r *http.Request) *stored {
	if res == nil {
		return nil
	}
	for _, st := range res.responses {
		if st.matches(r) {
			return st
		}
	}
	return nil
}

// with returns the resource with the response, which stands instead of one that the same requests select.
func (res *resource) with(st *stored) *resource {
	next := &resource{responses: []*stored{st}}
	if !st.common {
		next.alone = st.checked.Add(aloneFor)
	}
	if res == nil {
		return next
	}
	for _, old := range res.responses {
		same := slices.Equal(old.varies, st.varies) && slices.Equal(old.values, st.values)
		if !same && len(next.responses) < mostVariants {
			next.responses = append(next.responses, old)
		}
	}
	return next
}

// variant tells apart the requests of one key that are known to be answered differently.
func (res *resource) variant(r *http.Request) string {
	if res == nil || len(res.responses) == 0 || len(res.responses[0].varies) == 0 {
		return ""
	}
	var b strings.Builder
	for _, name := range res.responses[0].varies {
		b.WriteString(selecting(r.Header, name))
		b.WriteByte('\n')
	}
	return b.String()
}

func weigh(k key, res *resource) uint32 {
	n := 512 + k.size()
	for _, st := range res.responses {
		n += st.weight()
	}
	return uint32(min(n, 1<<31))
}
