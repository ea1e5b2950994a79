package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// pruneEvents leaves of each site that is there its newest "site.create".
const pruneEvents = `DELETE FROM events WHERE id > ?1 AND id <= ?2 AND at < ?3 AND NOT (action = 'site.create'
	AND EXISTS (SELECT 1 FROM sites s WHERE s.name = events.subject)
	AND NOT EXISTS (SELECT 1 FROM events n WHERE n.subject = events.subject AND n.action = 'site.create' AND n.id > events.id))`

const pruneClock = `INSERT INTO settings (key, value) VALUES ('prune-clock', ?1)
	ON CONFLICT DO UPDATE SET value = CAST(min(?1, CAST(value AS INTEGER) + ?2) AS TEXT) RETURNING CAST(value AS INTEGER)`

// PruneClock is sites.Store's.
func (s *Store) PruneClock(ctx context.Context, now time.Time, step time.Duration) (time.Time, error) {
	at, err := one(ctx, reader{s.writer}, scanValue[int64], pruneClock, millis(now), step.Milliseconds())
	if err != nil {
		return time.Time{}, fmt.Errorf("prune clock: %w", err)
	}
	return fromMillis(at), nil
}

// PruneEvents is sites.Store's.
func (s *Store) PruneEvents(ctx context.Context, before time.Time, after int64, limit int) (last int64, err error) {
	err = s.unaudited(ctx, func(t tx) error {
		// The log is in the order of time, but for turns of the clock.
		const newest = `SELECT id, at < ? FROM (SELECT id, at FROM events WHERE id > ? ORDER BY id LIMIT ?) ORDER BY id DESC LIMIT 1`
		var old bool
		err := t.sql.QueryRowContext(ctx, newest, millis(before), after, limit).Scan(&last, &old)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err == nil {
			_, err = t.sql.ExecContext(ctx, pruneEvents, after, last, millis(before))
		}
		if !old {
			last = 0
		}
		return classify(err)
	})
	if err != nil {
		return 0, fmt.Errorf("prune events: %w", err)
	}
	return last, nil
}
