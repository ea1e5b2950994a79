package acme

import (
	"time"

	"golang.org/x/net/publicsuffix"
)

// week is the window of a CA's limit on first certificates for a registered domain.
const week = 7 * 24 * time.Hour

// tally counts first certificates by registered domain.
type tally struct {
	limit    int // in a week; 0: none known
	issued   map[string][]time.Time
	underWay map[string]int
}

// underWayLooks is how often it is looked whether an order that would be the last one of a week has failed.
const underWayLooks = 5 * time.Second

// begin notes that a first certificate is being ordered, until end is called.
func (t *tally) begin(domain string) {
	if t.underWay == nil {
		t.underWay = make(map[string]int)
	}
	t.underWay[domain]++
}

func (t *tally) end(domain string) {
	if t.underWay[domain]--; t.underWay[domain] == 0 {
		delete(t.underWay, domain)
	}
}

func (t *tally) add(domain string, at time.Time) {
	if t.issued == nil {
		t.issued = make(map[string][]time.Time)
	}
	t.issued[domain] = append(t.issued[domain], at)
}

// used is how many have been issued in the last week.
func (t *tally) used(domain string, now time.Time) int {
	used := 0
	for _, at := range t.issued[domain] {
		if now.Sub(at) < week {
			used++
		}
	}
	return used
}

// at is when there is room for another one. Those under way take theirs, unless they fail.
func (t *tally) at(domain string, now time.Time) time.Time {
	used := t.used(domain, now)
	switch {
	case t.limit == 0 || used+t.underWay[domain] < t.limit:
		return time.Time{}
	case used < t.limit:
		return now.Add(underWayLooks)
	}
	issued := t.issued[domain] // in order of time
	return issued[len(issued)-t.limit].Add(week)
}

// forget drops what has left the window.
func (t *tally) forget(now time.Time) {
	for domain, issued := range t.issued {
		used := t.used(domain, now)
		if used == 0 {
			delete(t.issued, domain)
			continue
		}
		t.issued[domain] = issued[len(issued)-used:]
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
