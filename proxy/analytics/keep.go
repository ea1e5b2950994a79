package analytics

import (
	"context"
	"errors"
	"time"

	"berth/sites"
)

// Store keeps what was counted.
type Store interface {
	// AddTraffic adds all of the parts or, with an error, none.
	AddTraffic(ctx context.Context, parts []sites.TrafficPart) error
	// PruneTraffic removes the hours from before one time, and the days from before another.
	PruneTraffic(ctx context.Context, hours, days time.Time) error
}

const (
	pruneEvery = 6 * time.Hour
	// lastWrite is how long keeping the last counts may hold up the end.
	lastWrite = 10 * time.Second
)

// Run keeps what was counted from time to time until ctx is done, and then once more: hits should end before. What comes
// between that and a crash is lost.
func (c *Counts) Run(ctx context.Context) {
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	k := keeper{counts: c, inFile: c.taken}
	k.prune(ctx)
	for {
		select {
		case <-tick.C:
		case <-c.full:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
			defer cancel()
			k.keep(last)
			k.save(time.Now())
			k.expire(time.Now())
			return
		}
		k.keep(ctx)
		if now := time.Now(); !now.Before(k.nextSave) {
			k.save(now)
		}
		k.expire(time.Now())
		if time.Since(k.pruned) > pruneEvery {
			k.prune(ctx)
		}
	}
}

// keeper is the conversation with the store.
type keeper struct {
	counts *Counts
	pruned time.Time
	failed bool // the last time; it is said once

	news     bool // more is kept than the file knows
	nextSave time.Time
	inFile   int64 // the day that the file is of, if there is one
	unsaved  bool  // the file could not be written the last time
}

func (k *keeper) keep(ctx context.Context) {
	parts := k.counts.withdraw(time.Now())
	if len(parts) == 0 {
		return
	}
	err := k.counts.store.AddTraffic(ctx, parts)
	if err != nil {
		if lost := k.counts.giveBack(parts); lost > 0 {
			k.counts.log.Warn("traffic that cannot be kept is forgotten", "hours", lost)
		}
	}
	if err != nil && !k.failed {
		k.counts.log.Warn("traffic cannot be kept for now", "error", err)
	}
	if err == nil && k.failed {
		k.counts.log.Info("traffic is kept again")
	}
	k.failed, k.news = err != nil, err == nil
}

// save comes after keep, and not where that failed: after a crash in between, some visitors count twice rather than never.
func (k *keeper) save(now time.Time) {
	c := k.counts
	if c.file == "" || !k.news || !c.met(dayOf(now)) {
		return
	}
	size, err := c.save()
	k.nextSave = now.Add(time.Duration(size) * time.Second / savedPerSecond)
	switch {
	case err == nil:
		k.inFile, k.news, k.unsaved = dayOf(now), false, false
	case !errors.Is(err, errTurned) && !k.unsaved:
		k.unsaved = true
		c.log.Warn("today's visitors cannot be saved, so a restart would count them anew", "error", err)
	}
}

// expire removes the file when its day is over.
func (k *keeper) expire(now time.Time) {
	if k.counts.file == "" || k.inFile == dayOf(now) {
		return
	}
	if err := remove(k.counts.file); err != nil {
		k.counts.log.Warn("yesterday's visitors cannot be removed", "error", err)
		return
	}
	k.inFile, k.nextSave = dayOf(now), time.Time{}
}

func (k *keeper) prune(ctx context.Context) {
	now := time.Now()
	if err := k.counts.store.PruneTraffic(ctx, now.Add(-sites.KeepHours), now.Add(-sites.KeepDays)); err != nil {
		if ctx.Err() == nil {
			k.counts.log.Warn("old traffic cannot be removed", "error", err)
		}
		return
	}
	k.pruned = now
}

// withdraw returns what waits to be kept, and forgets sites that nobody has visited today.
func (c *Counts) withdraw(now time.Time) []sites.TrafficPart {
	c.mu.Lock()
	defer c.mu.Unlock()
	today := dayOf(now)
	for site, v := range c.sites {
		c.tell(site, v)
		if v.day < today {
			delete(c.sites, site)
		}
	}
	parts := make([]sites.TrafficPart, 0, len(c.waiting))
	for _, part := range c.waiting {
		parts = append(parts, *part)
	}
	c.waiting, c.ranked = make(map[span]*sites.TrafficPart), 0
	return parts
}

// met reports whether anybody has come on the day, which is the last one then.
func (c *Counts) met(day int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.day == day
}

// giveBack has parts wait again. It returns how many are too many and so are lost.
func (c *Counts) giveBack(parts []sites.TrafficPart) (lost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range parts {
		given := &parts[i]
		at := span{given.Site, given.At.Unix() / 3600}
		if c.waiting[at] == nil && len(c.waiting) >= maxWaiting {
			lost++
			continue
		}
		part := c.part(at)
		part.Add(given.Traffic)
		part.DayVisitors += given.DayVisitors
		if c.ranked < maxRanked {
			before := part.Paths.Len() + part.Referrers.Len()
			part.Paths.Merge(given.Paths)
			part.Referrers.Merge(given.Referrers)
			c.ranked += part.Paths.Len() + part.Referrers.Len() - before
		}
	}
	return lost
}
