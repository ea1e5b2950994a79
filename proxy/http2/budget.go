package http2

import "time"

// What a client may do within a period that keeps the server busy and brings nobody anything.
const (
	budgetPeriod = 10 * time.Second
	chatterMost  = 10_000 // frames that carry no request and no data
	resetsMost   = 1_000  // streams that end early, beyond as many as are served to their end
)

// A window that is opened by less is chatter: a response that goes out in crumbs costs the server most of all.
const crumb = 1 << 10

// budget bounds how often something happens within a period.
type budget struct {
	most, spent int
	since       time.Time
}

// spend reports false when there is nothing left.
func (b *budget) spend() bool {
	b.spent++
	if b.spent <= b.most && b.spent > 1 {
		return true
	}
	now := time.Now()
	if now.Sub(b.since) < budgetPeriod && b.spent > b.most {
		return false
	}
	if now.Sub(b.since) >= budgetPeriod {
		b.since, b.spent = now, 1
	}
	return true
}

// earn makes up for n times.
func (b *budget) earn(n int) { b.spent = max(b.spent-n, 0) }
