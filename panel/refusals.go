package panel

import (
	"fmt"
	"sync"
	"time"
)

const (
	refusalsEvery = time.Minute // between two lines of the audit log about the same
	maxRefusals   = 100         // lines a minute; what is beyond shares one
)

// refusals keeps a flood of refused logins from flooding the audit log: the first one is told at once, those that
// follow within a minute are counted and told by the next line about the same account and address.
type refusals struct {
	mu   sync.Mutex
	told map[refusal]*tally
}

// refusal is what a line of the audit log is about.
type refusal struct{ account, origin string }

type tally struct {
	at     time.Time // of the last line
	untold int       // refused since
}

// refusalLine is what to write.
type refusalLine struct {
	refusal
	detail string
}

func newRefusals() *refusals { return &refusals{told: make(map[refusal]*tally)} }

// note counts a refused login, and reports whether it is time for a line about it.
func (r *refusals) note(what refusal) (line refusalLine, write bool) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	if r.told[what] == nil && len(r.told) >= maxRefusals {
		what = refusal{account: "several accounts", origin: "several addresses"}
	}
	line.refusal = what
	before := r.told[what]
	if before != nil && now.Sub(before.at) < refusalsEvery {
		before.untold++
		return line, false
	}
	if before != nil && before.untold > 0 {
		line.detail = fmt.Sprintf("and %d times more since the line before", before.untold)
	}
	r.told[what] = &tally{at: now}
	return line, true
}

// forget drops what no line would tell more of, and after an hour also counts that no line has told: nobody has tried
// again.
func (r *refusals) forget(now time.Time) {
	for what, t := range r.told {
		if age := now.Sub(t.at); age >= time.Hour || age >= refusalsEvery && t.untold == 0 {
			delete(r.told, what)
		}
	}
}
