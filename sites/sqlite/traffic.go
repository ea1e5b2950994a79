package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"berth/sites"
)

const (
	secondsPerHour = 3600
	hoursPerDay    = 24
)

// AddTraffic adds what was counted to what is kept, all of it or, with an error, nothing. Parts of sites that are gone
// are left out. Counting changes nothing that berth publishes, so it makes no revision and no event.
func (s *Store) AddTraffic(ctx context.Context, parts []sites.TrafficPart) error {
	return s.unaudited(ctx, func(t tx) error {
		for i := range parts {
			if err := t.addTraffic(ctx, &parts[i]); err != nil {
				return fmt.Errorf("add traffic: %w", err)
			}
		}
		return nil
	})
}

// PruneTraffic removes the hours, and what was asked for most, from before one time and the days from before another.
func (s *Store) PruneTraffic(ctx context.Context, hours, days time.Time) error {
	return s.unaudited(ctx, func(t tx) error {
		_, err := t.sql.ExecContext(ctx, `DELETE FROM traffic_hours WHERE hour < ?`, hours.Unix()/secondsPerHour)
		if err == nil {
			_, err = t.sql.ExecContext(ctx, `UPDATE traffic_days SET paths = '', referrers = '' WHERE day < ? AND (paths <> '' OR referrers <> '')`, dayOf(hours))
		}
		if err == nil {
			_, err = t.sql.ExecContext(ctx, `DELETE FROM traffic_days WHERE day < ?`, dayOf(days))
		}
		if err != nil {
			return fmt.Errorf("prune traffic: %w", classify(err))
		}
		return nil
	})
}

// unaudited runs fn in a write transaction that makes neither revision nor event.
func (s *Store) unaudited(ctx context.Context, fn func(tx) error) error {
	sqlTx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", classify(err))
	}
	defer sqlTx.Rollback() // after a commit it does nothing
	if err := fn(tx{reader{sqlTx}, sqlTx, make(map[string]*sql.Stmt)}); err != nil {
		return err
	}
	if err := sqlTx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", classify(err))
	}
	return nil
}

func dayOf(t time.Time) int64 { return t.Unix() / (secondsPerHour * hoursPerDay) }

// The WHERE clause leaves out sites that are gone; it also tells SQLite that ON CONFLICT is no part of a join.
const (
	addHour = `INSERT INTO traffic_hours (hour, site_id, requests, bytes, visitors, s1, s2, s3, s4, s5)
SELECT ?, id, ?, ?, ?, ?, ?, ?, ?, ? FROM sites WHERE id = ?
ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, bytes = bytes + excluded.bytes, visitors = visitors + excluded.visitors,
s1 = s1 + excluded.s1, s2 = s2 + excluded.s2, s3 = s3 + excluded.s3, s4 = s4 + excluded.s4, s5 = s5 + excluded.s5`
	addDay = `INSERT INTO traffic_days (day, site_id, requests, bytes, visitors, s1, s2, s3, s4, s5, paths, referrers)
SELECT ?, id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM sites WHERE id = ?
ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, bytes = bytes + excluded.bytes, visitors = visitors + excluded.visitors,
s1 = s1 + excluded.s1, s2 = s2 + excluded.s2, s3 = s3 + excluded.s3, s4 = s4 + excluded.s4, s5 = s5 + excluded.s5,
paths = excluded.paths, referrers = excluded.referrers`
)

func (t tx) addTraffic(ctx context.Context, p *sites.TrafficPart) error {
	c := p.Classes
	_, err := t.exec(ctx, "add hour", addHour, p.At.Unix()/secondsPerHour, p.Requests, p.Bytes, p.Visitors, c[0], c[1], c[2], c[3], c[4], int64(p.Site))
	if errors.Is(err, sites.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	day := dayOf(p.At)
	paths, referrers, err := t.ranks(ctx, p.Site, day)
	if err != nil {
		return err
	}
	paths.Merge(p.Paths)
	referrers.Merge(p.Referrers)
	_, err = t.exec(ctx, "add day", addDay, day, p.Requests, p.Bytes, p.DayVisitors, c[0], c[1], c[2], c[3], c[4], packed(paths), packed(referrers), int64(p.Site))
	return err
}

// ranks reads what was asked for most on a day so far.
func (t tx) ranks(ctx context.Context, site sites.SiteID, day int64) (paths, referrers sites.Ranking, err error) {
	stmt, err := t.prepare(ctx, `SELECT paths, referrers FROM traffic_days WHERE day = ? AND site_id = ?`)
	if err != nil {
		return paths, referrers, classify(err)
	}
	err = addRanks(stmt.QueryRowContext(ctx, day, int64(site)), &paths, &referrers)
	if errors.Is(err, sql.ErrNoRows) {
		return paths, referrers, nil
	}
	return paths, referrers, err
}

func addRanks(row scanner, paths, referrers *sites.Ranking) error {
	var packedPaths, packedReferrers string
	if err := row.Scan(&packedPaths, &packedReferrers); err != nil {
		return err
	}
	return errors.Join(unpack(packedPaths, paths), unpack(packedReferrers, referrers))
}

func packed(r sites.Ranking) string {
	if r.Len() == 0 {
		return ""
	}
	text, _ := json.Marshal(r.Top(sites.MaxRanking)) // strings and numbers always can be
	return string(text)
}

func unpack(text string, into *sites.Ranking) error {
	if text == "" {
		return nil
	}
	var ranks []sites.Rank
	if err := json.Unmarshal([]byte(text), &ranks); err != nil {
		return fmt.Errorf("read ranks: %w", err)
	}
	for _, rank := range ranks {
		into.Add(rank.Key, rank.Count, rank.Over)
	}
	return nil
}

// Traffic is sites.TrafficReader's.
func (r reader) Traffic(ctx context.Context, q sites.TrafficQuery) ([]sites.Traffic, error) {
	table, unit := "traffic_days", "day"
	if q.Step == sites.StepHour {
		table, unit = "traffic_hours", "hour"
	}
	seconds := int64(q.Step.Length() / time.Second)
	where, args := unit+` >= ? AND `+unit+` < ?`, []any{q.From.Unix() / seconds, (q.To.Unix() + seconds - 1) / seconds}
	if q.Site != 0 {
		where, args = where+` AND site_id = ?`, append(args, int64(q.Site))
	}
	query := `SELECT ` + unit + `, SUM(requests), SUM(bytes), SUM(visitors), SUM(s1), SUM(s2), SUM(s3), SUM(s4), SUM(s5) FROM ` + table +
		` WHERE ` + where + ` GROUP BY ` + unit + ` ORDER BY ` + unit
	return many(ctx, r, func(row scanner) (t sites.Traffic, err error) {
		var at int64
		err = row.Scan(&at, &t.Requests, &t.Bytes, &t.Visitors, &t.Classes[0], &t.Classes[1], &t.Classes[2], &t.Classes[3], &t.Classes[4])
		t.At = time.Unix(at*seconds, 0).UTC()
		return t, err
	}, query, args...)
}

// TrafficRanks is sites.TrafficReader's.
func (r reader) TrafficRanks(ctx context.Context, q sites.TrafficQuery) (paths, referrers sites.Ranking, err error) {
	rows, err := r.q.QueryContext(ctx, `SELECT paths, referrers FROM traffic_days WHERE site_id = ? AND day >= ? AND day < ? ORDER BY day`,
		int64(q.Site), dayOf(q.From), lastDay(q.To))
	if err != nil {
		return paths, referrers, classify(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := addRanks(rows, &paths, &referrers); err != nil {
			return paths, referrers, err
		}
	}
	return paths, referrers, classify(rows.Err())
}

// lastDay is the day after the last one that a time lies in, the beginning of a day being no part of it.
func lastDay(to time.Time) int64 { return dayOf(to.Add(sites.StepDay.Length() - time.Second)) }

// BusiestSites is sites.TrafficReader's.
func (r reader) BusiestSites(ctx context.Context, q sites.TrafficQuery, limit int) ([]sites.SiteTraffic, error) {
	const query = `SELECT sites.name, accounts.name, SUM(requests), SUM(bytes), SUM(visitors), SUM(s1), SUM(s2), SUM(s3), SUM(s4), SUM(s5)
FROM traffic_days JOIN sites ON sites.id = site_id JOIN accounts ON accounts.id = owner_id
WHERE day >= ? AND day < ? GROUP BY site_id ORDER BY SUM(requests) DESC, sites.name LIMIT ?`
	return many(ctx, r, func(row scanner) (t sites.SiteTraffic, err error) {
		c := &t.Classes
		err = row.Scan(&t.Name, &t.Owner, &t.Requests, &t.Bytes, &t.Visitors, &c[0], &c[1], &c[2], &c[3], &c[4])
		return t, err
	}, query, dayOf(q.From), lastDay(q.To), limit)
}
