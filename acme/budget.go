package acme

import (
	"slices"
	"time"

	"berth/sites"
)

// rate is a token bucket: so many at once, then one per interval. Its whole state is the time when it is full again. The zero
// rate bounds nothing.
type rate struct {
	burst int
	every time.Duration
}

var (
	// Let's Encrypt gives 5 certificates for the same name in a week; renewals need room as well.
	ratePerName = rate{burst: 3, every: 36 * time.Hour}
	// So that nobody uses up what the CA gives to the zone's domain by creating and deleting sites.
	rateOfSites = rate{burst: 30, every: 3 * time.Minute}
)

// next is when there is something in the bucket that is full again at that time.
func (r rate) next(full time.Time) time.Time { return full.Add(-time.Duration(r.burst-1) * r.every) }

// take returns when the bucket is full again if something is taken from it now.
func (r rate) take(full, now time.Time) time.Time { return later(full, now).Add(r.every) }

// budget bounds the orders of new sites, by name and altogether, and holds back the names whose last order or renewal
// failed. What it knows of a name outlives the site, so deleting and creating it again gains nothing. Renewals and the
// zone's own certificates cost nothing.
type budget struct {
	perName, ofSites rate

	full  time.Time // when ofSites is full again
	names map[string]nameBudget
	taken map[sites.AccountID][]time.Time // orders of each account, in order of time
}

type nameBudget struct {
	full     time.Time // when perName is full again
	held     time.Time // nothing is asked for it before, as that failed the last time
	failures int       // in a row
	limited  bool      // the last one was a limit of the CA
	demanded time.Time // when somebody last wanted it at once
}

func newBudget() budget { return budget{perName: ratePerName, ofSites: rateOfSites} }

// at is when any name may be ordered.
func (b *budget) at() time.Time { return b.ofSites.next(b.full) }

// nameAt is when that name may be ordered, as far as it alone is concerned.
func (b *budget) nameAt(name string) time.Time {
	n := b.names[name]
	return later(n.held, b.perName.next(n.full))
}

// take notes that a name is being ordered for an account.
func (b *budget) take(name string, by sites.AccountID, now time.Time) {
	b.spend(by, now)
	n := b.names[name]
	n.full = b.perName.take(n.full, now)
	b.set(name, n)
}

// spend notes that an order of some name has been made for an account, whatever came of it.
func (b *budget) spend(by sites.AccountID, now time.Time) {
	b.full = b.ofSites.take(b.full, now)
	if b.taken == nil {
		b.taken = make(map[sites.AccountID][]time.Time)
	}
	b.taken[by] = append(b.taken[by], now)
}

// had is how many orders an account has had in the last week, those under way among them.
func (b *budget) had(by sites.AccountID, now time.Time) int {
	taken := b.taken[by]
	outdated, _ := slices.BinarySearchFunc(taken, now.Add(-week), time.Time.Compare)
	return len(taken) - outdated
}

// giveBack notes that an order of a name that was taken has failed. If the CA has counted it, it has cost something.
func (b *budget) giveBack(name string, by sites.AccountID, counted bool) {
	if !counted {
		b.full = b.full.Add(-b.ofSites.every)
		if taken := b.taken[by]; len(taken) > 0 {
			b.taken[by] = taken[:len(taken)-1]
		}
	}
	n := b.names[name]
	n.full = n.full.Add(-b.perName.every)
	b.set(name, n)
}

// hold notes that what was asked for a name failed and is not to be asked again before that time.
func (b *budget) hold(name string, until time.Time, failures int, limited bool) {
	n := b.names[name]
	n.held, n.failures, n.limited = until, failures, limited
	b.set(name, n)
}

// release notes that a name is held back no more.
func (b *budget) release(name string) {
	if n, ok := b.names[name]; ok {
		b.set(name, nameBudget{full: n.full, demanded: n.demanded})
	}
}

// demand notes that somebody wants a name to be asked for at once, and releases it.
func (b *budget) demand(name string, now time.Time) {
	b.set(name, nameBudget{full: b.names[name].full, demanded: now})
}

// demandPause is how long after a demand that failed there can be another one.
const demandPause = 10 * time.Minute

// demandAt is when a name can be demanded again.
func (b *budget) demandAt(name string) time.Time {
	n := b.names[name]
	if n.failures == 0 || n.demanded.IsZero() {
		return time.Time{}
	}
	return n.demanded.Add(demandPause)
}

func (b *budget) set(name string, n nameBudget) {
	if b.names == nil {
		b.names = make(map[string]nameBudget)
	}
	b.names[name] = n
}

// rememberFailures is how long after its time failures in a row still count as such.
const rememberFailures = 2 * time.Hour

// forget drops the names that nothing holds back any more, and orders that are too old to count.
func (b *budget) forget(now time.Time) {
	for by, taken := range b.taken {
		had := b.had(by, now)
		if had == 0 {
			delete(b.taken, by)
			continue
		}
		b.taken[by] = taken[len(taken)-had:]
	}
	for name, n := range b.names {
		if now.After(n.full) && (n.failures == 0 || now.After(n.held.Add(rememberFailures))) {
			delete(b.names, name)
		}
	}
}
