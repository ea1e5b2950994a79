package acme

import (
	"slices"
	"time"

	"berth/sites"

	"golang.org/x/net/publicsuffix"
)

// week is the window of a CA's limit on first certificates for a registered domain.
const week = 7 * 24 * time.Hour

// tally counts first certificates by registered domain, and sees to it that no account takes them all.
type tally struct {
	limit    int // in a week; 0: none known
	issued   map[string][]first
	underWay map[string][]sites.AccountID // for whom
	holders  holders
}

// first is a host's first certificate from a CA.
type first struct {
	at time.Time
	by sites.AccountID
}

// holders counts the hosts of each account by registered domain. It is the same for all CAs.
type holders map[string]map[sites.AccountID]int

func (o holders) add(domain string, by sites.AccountID, hosts int) {
	if o[domain] == nil {
		o[domain] = make(map[sites.AccountID]int)
	}
	o[domain][by] += hosts
	if o[domain][by] == 0 {
		delete(o[domain], by)
	}
	if len(o[domain]) == 0 {
		delete(o, domain)
	}
}

// underWayLooks is how often it is looked whether an order that would be the last one of a week has failed.
const underWayLooks = 5 * time.Second

// begin notes that a first certificate is being ordered for an account, until end is called.
func (t *tally) begin(domain string, by sites.AccountID) {
	if t.underWay == nil {
		t.underWay = make(map[string][]sites.AccountID)
	}
	t.underWay[domain] = append(t.underWay[domain], by)
}

func (t *tally) end(domain string, by sites.AccountID) {
	orders := t.underWay[domain]
	i := slices.Index(orders, by)
	if t.underWay[domain] = slices.Delete(orders, i, i+1); len(orders) == 1 {
		delete(t.underWay, domain)
	}
}

func (t *tally) add(domain string, by sites.AccountID, at time.Time) {
	if t.issued == nil {
		t.issued = make(map[string][]first)
	}
	t.issued[domain] = append(t.issued[domain], first{at, by})
}

// recent are those that have been issued in the last week, in order of time.
func (t *tally) recent(domain string, now time.Time) []first {
	issued := t.issued[domain]
	for len(issued) > 0 && now.Sub(issued[0].at) >= week {
		issued = issued[1:]
	}
	return issued
}

// used is how many have been issued in the last week.
func (t *tally) used(domain string, now time.Time) int { return len(t.recent(domain, now)) }

// fits reports whether an account that has had some of those that are used may have another one. Where it shares the domain it may
// not have had more than are left for the others.
func (t *tally) fits(domain string, used, had int) bool {
	left := t.limit - used
	return left > 0 && (had < left || len(t.holders[domain]) < 2)
}

// at is when there is room for another one of an account. Those under way take theirs, unless they fail.
func (t *tally) at(domain string, by sites.AccountID, now time.Time) time.Time {
	if t.limit == 0 {
		return time.Time{}
	}
	issued, underWay := t.recent(domain, now), t.underWay[domain]
	used, had, soon := len(issued), 0, 0
	for _, f := range issued {
		if f.by == by {
			had++
		}
	}
	for _, other := range underWay {
		if other == by {
			soon++
		}
	}
	switch {
	case t.fits(domain, used+len(underWay), had+soon):
		return time.Time{}
	case t.fits(domain, used, had):
		return now.Add(underWayLooks)
	}
	for _, f := range issued {
		used--
		if f.by == by {
			had--
		}
		if t.fits(domain, used, had) {
			return f.at.Add(week)
		}
	}
	return now.Add(week)
}

// forget drops what has left the window.
func (t *tally) forget(now time.Time) {
	for domain := range t.issued {
		recent := t.recent(domain, now)
		if len(recent) == 0 {
			delete(t.issued, domain)
			continue
		}
		t.issued[domain] = recent
	}
}

// registered is the domain that somebody has registered and a host belongs to, by the public suffix list: what CAs count by.
func registered(host string) string {
	if len(host) > 2 && host[:2] == "*." {
		host = host[2:]
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return host // it is a public suffix itself
	}
	return domain
}
