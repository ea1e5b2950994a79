package sqlite

import (
	"context"
	"fmt"
	"time"

	"berth/sites"
)

const selectDomain = `SELECT site_id, name, state, token, created_at, proven_at, strayed_at FROM domains`

func scanDomain(s scanner) (d sites.Domain, err error) {
	var created, proven, strayed int64
	err = s.Scan(&d.Site, &d.Name, &d.State, &d.Token, &created, &proven, &strayed)
	d.CreatedAt, d.ProvenAt, d.StrayedAt = fromMillis(created), fromMillis(proven), fromMillis(strayed)
	return d, err
}

func (r reader) Domain(ctx context.Context, site sites.SiteID, name string) (sites.Domain, error) {
	return one(ctx, r, scanDomain, selectDomain+` WHERE site_id = ? AND name = ?`, site, name)
}

func (r reader) Domains(ctx context.Context, site sites.SiteID) ([]sites.Domain, error) {
	if site == 0 {
		return many(ctx, r, scanDomain, selectDomain+` ORDER BY site_id, name`)
	}
	return many(ctx, r, scanDomain, selectDomain+` WHERE site_id = ? ORDER BY name`, site)
}

func (t tx) InsertDomain(ctx context.Context, d sites.Domain) error {
	_, err := t.exec(ctx, "insert domain", `INSERT INTO domains (site_id, name, state, token, created_at, proven_at, strayed_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		d.Site, d.Name, d.State, d.Token, orNow(d.CreatedAt), millis(d.ProvenAt), millis(d.StrayedAt))
	return err
}

func (t tx) UpdateDomain(ctx context.Context, d sites.Domain) error {
	_, err := t.exec(ctx, "update domain", `UPDATE domains SET state = ?, proven_at = ?, strayed_at = ? WHERE site_id = ? AND name = ?`,
		d.State, millis(d.ProvenAt), millis(d.StrayedAt), d.Site, d.Name)
	return err
}

func (t tx) DeleteDomain(ctx context.Context, site sites.SiteID, name string) error {
	_, err := t.exec(ctx, "delete domain", `DELETE FROM domains WHERE site_id = ? AND name = ?`, site, name)
	return err
}

const selectHeld = `SELECT h.name, h.account_id, coalesce(a.name, ''), h.until FROM held_names h LEFT JOIN accounts a ON a.id = h.account_id`

func scanHeld(s scanner) (h sites.HeldName, err error) {
	var until int64
	err = s.Scan(&h.Name, &h.Account, &h.AccountName, &until)
	h.Until = fromMillis(until)
	return h, err
}

func (r reader) HeldName(ctx context.Context, name string) (sites.HeldName, error) {
	return one(ctx, r, scanHeld, selectHeld+` WHERE h.name = ?`, name)
}

func (r reader) HeldNames(ctx context.Context) ([]sites.HeldName, error) {
	return many(ctx, r, scanHeld, selectHeld+` ORDER BY h.name`)
}

func (t tx) PutHeldName(ctx context.Context, h sites.HeldName, now time.Time) error {
	if _, err := t.sql.ExecContext(ctx, `DELETE FROM held_names WHERE until < ?`, millis(now)); err != nil {
		return fmt.Errorf("forget held names: %w", classify(err))
	}
	_, err := t.exec(ctx, "hold name", `INSERT INTO held_names (name, account_id, until) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET account_id = excluded.account_id, until = excluded.until`, h.Name, h.Account, millis(h.Until))
	return err
}

func (t tx) DeleteHeldName(ctx context.Context, name string) error {
	_, err := t.exec(ctx, "delete held name", `DELETE FROM held_names WHERE name = ?`, name)
	return err
}

func (r reader) FormerOwner(ctx context.Context, site string) (sites.AccountID, error) {
	return one(ctx, r, scanValue[sites.AccountID], `SELECT account_id FROM former_owners WHERE site = ?`, site)
}

func (t tx) PutFormerOwner(ctx context.Context, site string, owner sites.AccountID) error {
	_, err := t.exec(ctx, "note former owner", `INSERT INTO former_owners (site, account_id) VALUES (?, ?)
		ON CONFLICT DO UPDATE SET account_id = iif(account_id = excluded.account_id, account_id, 0)`, site, owner)
	return err
}
