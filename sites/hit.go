package sites

import (
	"net/netip"
	"time"
)

// Hit is one request to a site that has ended, upgraded connections included. What the client sent is as it came, except that
// long text is cut; nothing in it may be trusted.
type Hit struct {
	Site      SiteID
	SiteName  string
	Host      string     // that was asked for, in lower case
	Time      time.Time  // when the request came
	Client    netip.Addr // the zero Addr where it is not known
	Method    string
	Target    string // path and query, as in the request line
	Proto     string // such as "HTTP/2.0"
	Status    int    // 499: the client left before there was an answer
	Bytes     int64  // of the response's body, or sent over an upgraded connection
	FirstByte time.Duration
	Duration  time.Duration
	Referrer  string
	UserAgent string
	Cache     string // Cache-Status (RFC 9211) as the cache set it; empty: it had no part
}

// End is when the request had been answered.
func (h *Hit) End() time.Time { return h.Time.Add(h.Duration) }
