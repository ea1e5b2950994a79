package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"berth/sites"
)

const selectZone = `SELECT id, name, kind, signed, peers, primaries, created_at FROM zones`

func scanZone(s scanner) (z sites.Zone, err error) {
	var peers, primaries string
	var created int64
	if err = s.Scan(&z.ID, &z.Name, &z.Kind, &z.Signed, &peers, &primaries, &created); err != nil {
		return z, err
	}
	if err = json.Unmarshal([]byte(peers), &z.Peers); err != nil {
		return z, fmt.Errorf("peers of zone %s: %w", z.Name, err)
	}
	if err = json.Unmarshal([]byte(primaries), &z.Primaries); err != nil {
		return z, fmt.Errorf("primaries of zone %s: %w", z.Name, err)
	}
	z.CreatedAt = fromMillis(created)
	return z, nil
}

func (r reader) Zones(ctx context.Context) ([]sites.Zone, error) {
	return many(ctx, r, scanZone, selectZone+` ORDER BY kind <> 'main', name`)
}

func (r reader) Zone(ctx context.Context, name string) (sites.Zone, error) {
	return one(ctx, r, scanZone, selectZone+` WHERE name = ?`, name)
}

func (r reader) ZoneByID(ctx context.Context, id sites.ZoneID) (sites.Zone, error) {
	return one(ctx, r, scanZone, selectZone+` WHERE id = ?`, id)
}

func (t tx) InsertZone(ctx context.Context, z sites.Zone) (sites.ZoneID, error) {
	peers, primaries, err := contacts(z)
	if err != nil {
		return 0, err
	}
	id, err := t.insert(ctx, "insert zone", `INSERT INTO zones (name, kind, signed, peers, primaries, created_at) VALUES (?, ?, ?, ?, ?, ?)`,
		z.Name, z.Kind, z.Signed, peers, primaries, orNow(z.CreatedAt))
	return sites.ZoneID(id), err
}

func (t tx) UpdateZone(ctx context.Context, z sites.Zone) error {
	peers, primaries, err := contacts(z)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, "update zone", `UPDATE zones SET name = ?, signed = ?, peers = ?, primaries = ? WHERE id = ?`, z.Name, z.Signed, peers, primaries, z.ID)
	return err
}

func (t tx) DeleteZone(ctx context.Context, id sites.ZoneID) error {
	_, err := t.exec(ctx, "delete zone", `DELETE FROM zones WHERE id = ?`, id)
	return err
}

// contacts are a zone's peers and primaries as JSON.
func contacts(z sites.Zone) (peers, primaries string, err error) {
	p, err := json.Marshal(z.Peers)
	if err != nil {
		return "", "", fmt.Errorf("peers of zone %s: %w", z.Name, err)
	}
	q, err := json.Marshal(z.Primaries)
	if err != nil {
		return "", "", fmt.Errorf("primaries of zone %s: %w", z.Name, err)
	}
	return string(p), string(q), nil
}

func scanZoneKey(s scanner) (k sites.ZoneKey, err error) {
	var published, active, retired, removed int64
	err = s.Scan(&k.ID, &k.Zone, &k.Role, &k.Private, &published, &active, &retired, &removed)
	k.PublishedAt, k.ActiveAt, k.RetiredAt, k.RemovedAt = fromMillis(published), fromMillis(active), fromMillis(retired), fromMillis(removed)
	return k, err
}

func (r reader) ZoneKeys(ctx context.Context, zone sites.ZoneID) ([]sites.ZoneKey, error) {
	return many(ctx, r, scanZoneKey, `SELECT id, zone_id, role, private, published_at, active_at, retired_at, removed_at FROM zone_keys
		WHERE ?1 = 0 OR zone_id = ?1 ORDER BY zone_id, role, id`, zone)
}

func (t tx) InsertZoneKey(ctx context.Context, k sites.ZoneKey) (int64, error) {
	return t.insert(ctx, "insert zone key", `INSERT INTO zone_keys (zone_id, role, private, published_at, active_at, retired_at, removed_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		k.Zone, k.Role, k.Private, millis(k.PublishedAt), millis(k.ActiveAt), millis(k.RetiredAt), millis(k.RemovedAt))
}

func (t tx) UpdateZoneKey(ctx context.Context, k sites.ZoneKey) error {
	_, err := t.exec(ctx, "update zone key", `UPDATE zone_keys SET published_at = ?, active_at = ?, retired_at = ?, removed_at = ? WHERE id = ?`,
		millis(k.PublishedAt), millis(k.ActiveAt), millis(k.RetiredAt), millis(k.RemovedAt), k.ID)
	return err
}

func (t tx) DeleteZoneKey(ctx context.Context, id int64) error {
	_, err := t.exec(ctx, "delete zone key", `DELETE FROM zone_keys WHERE id = ?`, id)
	return err
}

func scanTSIGKey(s scanner) (k sites.TSIGKey, err error) {
	var created int64
	err = s.Scan(&k.Name, &k.Algorithm, &k.Secret, &created)
	k.CreatedAt = fromMillis(created)
	return k, err
}

func (r reader) TSIGKeys(ctx context.Context) ([]sites.TSIGKey, error) {
	return many(ctx, r, scanTSIGKey, `SELECT name, algorithm, secret, created_at FROM tsig_keys ORDER BY name`)
}

func (t tx) InsertTSIGKey(ctx context.Context, k sites.TSIGKey) error {
	_, err := t.exec(ctx, "insert TSIG key", `INSERT INTO tsig_keys (name, algorithm, secret, created_at) VALUES (?, ?, ?, ?)`, k.Name, k.Algorithm, k.Secret, orNow(k.CreatedAt))
	return err
}

func (t tx) DeleteTSIGKey(ctx context.Context, name string) error {
	_, err := t.exec(ctx, "delete TSIG key", `DELETE FROM tsig_keys WHERE name = ?`, name)
	return err
}
