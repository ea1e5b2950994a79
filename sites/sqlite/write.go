package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"berth/sites"
)

// tx is a sites.Tx.
type tx struct {
	reader
	sql      *sql.Tx
	prepared map[string]*sql.Stmt // closed with the transaction
}

// prepare returns the statement of a query, which is compiled once: an import runs the same one many thousand times.
func (t tx) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt := t.prepared[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := t.sql.PrepareContext(ctx, query)
	if err == nil {
		t.prepared[query] = stmt
	}
	return stmt, err
}

// exec runs a statement that must touch a row: touching none is ErrNotFound.
func (t tx) exec(ctx context.Context, operation, query string, args ...any) (sql.Result, error) {
	stmt, err := t.prepare(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operation, classify(err))
	}
	res, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operation, classify(err))
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = sites.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operation, err)
	}
	return res, nil
}

func (t tx) insert(ctx context.Context, operation, query string, args ...any) (int64, error) {
	res, err := t.exec(ctx, operation, query, args...)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// orNow is t in milliseconds, or now where it is not set.
func orNow(t time.Time) int64 {
	if t.IsZero() {
		t = time.Now()
	}
	return millis(t)
}

func (t tx) PutSetting(ctx context.Context, key, value string) error {
	_, err := t.exec(ctx, "put setting", `INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`, key, value)
	return err
}

func (t tx) InsertSite(ctx context.Context, s sites.Site) (sites.SiteID, error) {
	id, err := t.insert(ctx, "insert site", `INSERT INTO sites (name, owner_id, template, desired, active, wanted, memory_mb, cpus, pids, instances, health_path, options, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.Name, s.Owner, s.Template, s.Desired, s.Active, s.Wanted, s.Limits.MemoryMB, s.Limits.CPUs, s.Limits.Pids, max(1, s.Instances), s.HealthPath, options{&s.Options}, orNow(s.CreatedAt))
	return sites.SiteID(id), err
}

func (t tx) UpdateSite(ctx context.Context, s sites.Site) error {
	_, err := t.exec(ctx, "update site", `UPDATE sites SET owner_id = ?, template = ?, desired = ?, active = ?, wanted = ?, memory_mb = ?, cpus = ?, pids = ?, instances = ?, health_path = ?, options = ? WHERE id = ?`,
		s.Owner, s.Template, s.Desired, s.Active, s.Wanted, s.Limits.MemoryMB, s.Limits.CPUs, s.Limits.Pids, max(1, s.Instances), s.HealthPath, options{&s.Options}, s.ID)
	return err
}

func (t tx) DeleteSite(ctx context.Context, id sites.SiteID) error {
	_, err := t.exec(ctx, "delete site", `DELETE FROM sites WHERE id = ?`, id)
	return err
}

func (t tx) InsertHost(ctx context.Context, h sites.Host) error {
	_, err := t.exec(ctx, "insert host", `INSERT INTO hosts (name, path, site_id, kind) VALUES (?, ?, ?, ?)`, h.Name, path(h.Name), h.Site, h.Kind)
	return err
}

func (t tx) DeleteHost(ctx context.Context, name string) error {
	_, err := t.exec(ctx, "delete host", `DELETE FROM hosts WHERE name = ?`, name)
	return err
}

func (t tx) InsertRelease(ctx context.Context, r sites.Release) error {
	_, err := t.exec(ctx, "insert release", `INSERT INTO releases (site_id, number, state, reason, warning, files, bytes, created_by, created_at, activated_at, remarks)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.Site, r.Number, r.State, r.Reason, r.Warning, r.Files, r.Bytes, r.CreatedBy, orNow(r.CreatedAt), millis(r.ActivatedAt), remarks{&r.Remarks})
	return err
}

func (t tx) UpdateRelease(ctx context.Context, r sites.Release) error {
	_, err := t.exec(ctx, "update release", `UPDATE releases SET state = ?, reason = ?, warning = ?, files = ?, bytes = ?, activated_at = ? WHERE site_id = ? AND number = ?`,
		r.State, r.Reason, r.Warning, r.Files, r.Bytes, millis(r.ActivatedAt), r.Site, r.Number)
	return err
}

func (t tx) DeleteRelease(ctx context.Context, site sites.SiteID, number int) error {
	_, err := t.exec(ctx, "delete release", `DELETE FROM releases WHERE site_id = ? AND number = ?`, site, number)
	return err
}

func (t tx) InsertArrival(ctx context.Context, a sites.KeptArrival) error {
	_, err := t.exec(ctx, "insert arrival", `INSERT INTO arrivals (id, site_id, account_id, origin, file, starts) VALUES (?, ?, ?, ?, ?, ?)`,
		a.ID, a.Site, a.Account, a.Origin, a.File, a.Starts)
	return err
}

func (t tx) UpdateArrival(ctx context.Context, a sites.KeptArrival) error {
	_, err := t.exec(ctx, "update arrival", `UPDATE arrivals SET starts = ? WHERE id = ?`, a.Starts, a.ID)
	return err
}

func (t tx) DeleteArrival(ctx context.Context, id int64) error {
	_, err := t.exec(ctx, "delete arrival", `DELETE FROM arrivals WHERE id = ?`, id)
	return err
}

func (t tx) InsertAccount(ctx context.Context, a sites.Account) (sites.AccountID, error) {
	id, err := t.insert(ctx, "insert account", `INSERT INTO accounts (name, role, password_hash, quota_sites, quota_bytes, created_at) VALUES (?, ?, ?, ?, ?, ?)`,
		a.Name, a.Role, a.PasswordHash, a.Quota.Sites, a.Quota.Bytes, orNow(a.CreatedAt))
	return sites.AccountID(id), err
}

func (t tx) UpdateAccount(ctx context.Context, a sites.Account) error {
	_, err := t.exec(ctx, "update account", `UPDATE accounts SET role = ?, password_hash = ?, quota_sites = ?, quota_bytes = ? WHERE id = ?`,
		a.Role, a.PasswordHash, a.Quota.Sites, a.Quota.Bytes, a.ID)
	return err
}

func (t tx) DeleteAccount(ctx context.Context, id sites.AccountID) error {
	_, err := t.exec(ctx, "delete account", `DELETE FROM accounts WHERE id = ?`, id)
	return err
}

func (t tx) InsertToken(ctx context.Context, token sites.Token, hash []byte) (int64, error) {
	return t.insert(ctx, "insert token", `INSERT INTO tokens (account_id, label, hash, created_at, used_at) VALUES (?, ?, ?, ?, ?)`,
		token.Account, token.Label, hash, orNow(token.CreatedAt), millis(token.UsedAt))
}

func (t tx) UpdateToken(ctx context.Context, token sites.Token) error {
	_, err := t.exec(ctx, "update token", `UPDATE tokens SET label = ?, used_at = ? WHERE id = ?`, token.Label, millis(token.UsedAt), token.ID)
	return err
}

func (t tx) DeleteToken(ctx context.Context, account sites.AccountID, id int64) error {
	_, err := t.exec(ctx, "delete token", `DELETE FROM tokens WHERE id = ? AND account_id = ?`, id, account)
	return err
}
