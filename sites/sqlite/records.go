package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"berth/sites"
)

// path is a name with its labels from the root on, so that the names below it are a range: from path+"." to path+"/", the
// character after the dot.
func path(name string) string {
	labels := strings.Split(name, ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".")
}

const (
	selectRecord = `SELECT r.id, r.zone_id, r.site_id, coalesce(s.name, ''), r.name, r.type, r.ttl, r.data, r.target
	FROM records r LEFT JOIN sites s ON s.id = r.site_id`
	recordOrder = ` ORDER BY r.path, r.type, r.data`
)

func scanRecord(s scanner) (rec sites.Record, err error) {
	var site sql.NullInt64
	err = s.Scan(&rec.ID, &rec.Zone, &site, &rec.SiteName, &rec.Name, &rec.Type, &rec.TTL, &rec.Data, &rec.Target)
	rec.Site = sites.SiteID(site.Int64)
	return rec, err
}

func (r reader) Record(ctx context.Context, id int64) (sites.Record, error) {
	return one(ctx, r, scanRecord, selectRecord+` WHERE r.id = ?`, id)
}

func (r reader) Records(ctx context.Context, q sites.RecordQuery) ([]sites.Record, error) {
	var where []string
	var args []any
	only := func(condition string, arg any) {
		where, args = append(where, condition), append(args, arg)
	}
	if q.Zone != 0 {
		only(`r.zone_id = ?`, q.Zone)
	}
	if q.Site != 0 {
		only(`r.site_id = ?`, q.Site)
	}
	if q.Owner != 0 {
		only(`s.owner_id = ?`, q.Owner)
	}
	if q.Name != "" {
		only(`r.name = ?`, q.Name)
	}
	if q.Type != "" {
		only(`r.type = ?`, q.Type)
	}
	query := selectRecord
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, ` AND `)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = -1 // SQLite's "no limit"
	}
	return many(ctx, r, scanRecord, query+recordOrder+` LIMIT ? OFFSET ?`, append(args, limit, q.Offset)...)
}

func (r reader) RecordsWithin(ctx context.Context, name string, limit int) ([]sites.Record, error) {
	return many(ctx, r, scanRecord, selectRecord+` WHERE r.path = ?1 OR (r.path > ?1 || '.' AND r.path < ?1 || '/')`+recordOrder+` LIMIT ?2`, path(name), limit)
}

func (r reader) RecordsTo(ctx context.Context, target string) ([]sites.Record, error) {
	return many(ctx, r, scanRecord, selectRecord+` WHERE r.target = ? AND r.target <> ''`+recordOrder, target)
}

func (r reader) CountRecords(ctx context.Context, zone sites.ZoneID, site sites.SiteID) (int, error) {
	if site != 0 {
		return one(ctx, r, scanValue[int], `SELECT count(*) FROM records WHERE site_id = ?`, site)
	}
	return one(ctx, r, scanValue[int], `SELECT count(*) FROM records WHERE zone_id = ?`, zone)
}

func (t tx) InsertRecord(ctx context.Context, r sites.Record) (int64, error) {
	return t.insert(ctx, "insert record", `INSERT INTO records (id, zone_id, site_id, name, path, type, ttl, data, target) VALUES (nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, r.Zone, nullable(r.Site), r.Name, path(r.Name), r.Type, r.TTL, r.Data, r.Target)
}

func (t tx) UpdateRecord(ctx context.Context, r sites.Record) error {
	_, err := t.exec(ctx, "update record", `UPDATE records SET name = ?, path = ?, ttl = ?, data = ?, target = ? WHERE id = ?`,
		r.Name, path(r.Name), r.TTL, r.Data, r.Target, r.ID)
	return err
}

func (t tx) DeleteRecord(ctx context.Context, id int64) error {
	_, err := t.exec(ctx, "delete record", `DELETE FROM records WHERE id = ?`, id)
	return err
}

func nullable(site sites.SiteID) sql.NullInt64 {
	return sql.NullInt64{Int64: int64(site), Valid: site != 0}
}
