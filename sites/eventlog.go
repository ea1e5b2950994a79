package sites

import (
	"context"
	"time"
)

const (
	pruneEvery  = 24 * time.Hour
	pruneAtOnce = 500 // lines that are looked at in one transaction

	// pruneStep is how far a clock is believed that has moved on since the last time. One that is wrong for a day then costs the log
	// two days and not years; who was away for long prunes later.
	pruneStep = 2 * pruneEvery
)

// tendEvents removes from the audit log what is too old, until ctx is done.
func (s *Service) tendEvents(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		if err := s.pruneEvents(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("pruning the audit log failed; it is tried again", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// pruneEvents takes many small transactions, since changes wait for each of them.
func (s *Service) pruneEvents(ctx context.Context) error {
	now, err := s.store.PruneClock(ctx, time.Now(), pruneStep)
	if err != nil {
		return err
	}
	before := now.Add(-s.keepEvents)
	for after := int64(0); ; {
		last, err := s.store.PruneEvents(ctx, before, after, pruneAtOnce)
		if err != nil || last == 0 {
			return err
		}
		after = last
	}
}
