package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"berth/sites"
)

// querier is what *sql.DB and *sql.Tx share.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// reader is a sites.Reader over a pool or a transaction.
type reader struct{ q querier }

// scanner is what *sql.Row and *sql.Rows share.
type scanner interface{ Scan(dest ...any) error }

// one reads the single row of a query.
func one[T any](ctx context.Context, r reader, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	v, err := scan(r.q.QueryRowContext(ctx, query, args...))
	if err != nil {
		var zero T
		return zero, classify(err)
	}
	return v, nil
}

// many reads all rows of a query.
func many[T any](ctx context.Context, r reader, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := r.q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, classify(err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("scan: %w", err)
		}
		all = append(all, v)
	}
	return all, classify(rows.Err())
}

func scanValue[T any](s scanner) (v T, err error) {
	err = s.Scan(&v)
	return v, err
}

func (r reader) Revision(ctx context.Context) (int64, error) {
	return one(ctx, r, scanValue[int64], `SELECT revision FROM revision`)
}

func (r reader) Setting(ctx context.Context, key string) (string, error) {
	return one(ctx, r, scanValue[string], `SELECT value FROM settings WHERE key = ?`, key)
}

const selectSite = `SELECT s.id, s.name, s.owner_id, a.name, s.template, s.desired, s.active, s.wanted, s.memory_mb, s.cpus, s.pids, s.instances, s.health_path, s.options, s.created_at
	FROM sites s JOIN accounts a ON a.id = s.owner_id`

func scanSite(s scanner) (site sites.Site, err error) {
	var created int64
	err = s.Scan(&site.ID, &site.Name, &site.Owner, &site.OwnerName, &site.Template, &site.Desired, &site.Active, &site.Wanted,
		&site.Limits.MemoryMB, &site.Limits.CPUs, &site.Limits.Pids, &site.Instances, &site.HealthPath, options{&site.Options}, &created)
	site.CreatedAt = fromMillis(created)
	return site, err
}

func (r reader) Site(ctx context.Context, name string) (sites.Site, error) {
	return one(ctx, r, scanSite, selectSite+` WHERE s.name = ?`, name)
}

func (r reader) SiteByID(ctx context.Context, id sites.SiteID) (sites.Site, error) {
	return one(ctx, r, scanSite, selectSite+` WHERE s.id = ?`, id)
}

func (r reader) Sites(ctx context.Context, owner sites.AccountID) ([]sites.Site, error) {
	if owner == 0 {
		return many(ctx, r, scanSite, selectSite+` ORDER BY s.name`)
	}
	return many(ctx, r, scanSite, selectSite+` WHERE s.owner_id = ? ORDER BY s.name`, owner)
}

func scanHost(s scanner) (h sites.Host, err error) {
	err = s.Scan(&h.Name, &h.Site, &h.Kind, &h.Lapsed)
	return h, err
}

const (
	selectHost = `SELECT h.name, h.site_id, h.kind, coalesce(d.state = 'lapsed', 0)
	FROM hosts h LEFT JOIN domains d ON h.kind = 'custom' AND d.site_id = h.site_id AND d.name = h.name`
	hostOrder = ` ORDER BY h.site_id, h.kind = 'custom', h.name`
)

func (r reader) Hosts(ctx context.Context, site sites.SiteID) ([]sites.Host, error) {
	return many(ctx, r, scanHost, selectHost+` WHERE h.site_id = ?`+hostOrder, site)
}

func (r reader) HostsOf(ctx context.Context, owner sites.AccountID) ([]sites.Host, error) {
	if owner == 0 {
		return many(ctx, r, scanHost, selectHost+hostOrder)
	}
	return many(ctx, r, scanHost, selectHost+` JOIN sites s ON s.id = h.site_id WHERE s.owner_id = ?`+hostOrder, owner)
}

func (r reader) Host(ctx context.Context, name string) (sites.Host, error) {
	return one(ctx, r, scanHost, selectHost+` WHERE h.name = ?`, name)
}

func (r reader) HostWithin(ctx context.Context, name string) (sites.Host, error) {
	return one(ctx, r, scanHost, selectHost+` WHERE h.path = ?1 OR (h.path > ?1 || '.' AND h.path < ?1 || '/') ORDER BY h.path LIMIT 1`, path(name))
}

const selectTemplate = `SELECT name, title, image, port, content_path, command, memory_mb, cpus, pids FROM templates`

func scanTemplate(s scanner) (t sites.Template, err error) {
	var command string
	if err = s.Scan(&t.Name, &t.Title, &t.Image, &t.Port, &t.ContentPath, &command, &t.Limits.MemoryMB, &t.Limits.CPUs, &t.Limits.Pids); err != nil {
		return t, err
	}
	if err = json.Unmarshal([]byte(command), &t.Command); err != nil {
		return t, fmt.Errorf("command of template %s: %w", t.Name, err)
	}
	return t, nil
}

func (r reader) Template(ctx context.Context, name string) (sites.Template, error) {
	return one(ctx, r, scanTemplate, selectTemplate+` WHERE name = ?`, name)
}

func (r reader) Templates(ctx context.Context) ([]sites.Template, error) {
	return many(ctx, r, scanTemplate, selectTemplate+` ORDER BY title`)
}

const selectRelease = `SELECT r.site_id, r.number, r.state, r.reason, r.warning, r.files, r.bytes, r.created_by, r.created_at, r.activated_at, r.remarks FROM releases r`

func scanRelease(s scanner) (r sites.Release, err error) {
	var created, activated int64
	err = s.Scan(&r.Site, &r.Number, &r.State, &r.Reason, &r.Warning, &r.Files, &r.Bytes, &r.CreatedBy, &created, &activated, remarks{&r.Remarks})
	r.CreatedAt, r.ActivatedAt = fromMillis(created), fromMillis(activated)
	return r, err
}

func (r reader) Release(ctx context.Context, site sites.SiteID, number int) (sites.Release, error) {
	return one(ctx, r, scanRelease, selectRelease+` WHERE r.site_id = ? AND r.number = ?`, site, number)
}

func (r reader) Releases(ctx context.Context, site sites.SiteID) ([]sites.Release, error) {
	const order = ` ORDER BY r.site_id, r.number DESC`
	if site == 0 {
		return many(ctx, r, scanRelease, selectRelease+order)
	}
	return many(ctx, r, scanRelease, selectRelease+` WHERE r.site_id = ?`+order, site)
}

func (r reader) HeadReleases(ctx context.Context, owner sites.AccountID) ([]sites.Release, error) {
	return many(ctx, r, scanRelease, selectRelease+` JOIN sites s ON s.id = r.site_id
		WHERE (?1 = 0 OR s.owner_id = ?1)
		AND (r.number = s.active OR r.number = (SELECT max(n.number) FROM releases n WHERE n.site_id = s.id))
		ORDER BY r.site_id, r.number DESC`, owner)
}

func scanArrival(s scanner) (a sites.KeptArrival, err error) {
	err = s.Scan(&a.ID, &a.Site, &a.Account, &a.Origin, &a.File, &a.Starts)
	return a, err
}

func (r reader) Arrivals(ctx context.Context) ([]sites.KeptArrival, error) {
	return many(ctx, r, scanArrival, `SELECT id, site_id, account_id, origin, file, starts FROM arrivals ORDER BY id`)
}

const accountColumns = `a.id, a.name, a.role, a.password_hash, a.quota_sites, a.quota_bytes, a.created_at,
	coalesce((SELECT since FROM two_step WHERE account_id = a.id), 0)`

// accountTimes are the columns of an account that are times.
type accountTimes struct{ created, twoStep int64 }

func (t *accountTimes) fill(a *sites.Account) {
	a.CreatedAt, a.TwoStepSince = fromMillis(t.created), fromMillis(t.twoStep)
}

func accountFields(a *sites.Account, t *accountTimes) []any {
	return []any{&a.ID, &a.Name, &a.Role, &a.PasswordHash, &a.Quota.Sites, &a.Quota.Bytes, &t.created, &t.twoStep}
}

func scanAccount(s scanner) (a sites.Account, err error) {
	var times accountTimes
	err = s.Scan(accountFields(&a, &times)...)
	times.fill(&a)
	return a, err
}

func (r reader) Account(ctx context.Context, name string) (sites.Account, error) {
	return one(ctx, r, scanAccount, `SELECT `+accountColumns+` FROM accounts a WHERE a.name = ?`, name)
}

func (r reader) AccountByID(ctx context.Context, id sites.AccountID) (sites.Account, error) {
	return one(ctx, r, scanAccount, `SELECT `+accountColumns+` FROM accounts a WHERE a.id = ?`, id)
}

func (r reader) Accounts(ctx context.Context) ([]sites.Account, error) {
	return many(ctx, r, scanAccount, `SELECT `+accountColumns+` FROM accounts a ORDER BY a.name`)
}

func scanUsage(s scanner) (u sites.Usage, err error) {
	err = s.Scan(&u.Sites, &u.Bytes)
	return u, err
}

func (r reader) Usage(ctx context.Context, id sites.AccountID) (sites.Usage, error) {
	return one(ctx, r, scanUsage, `SELECT (SELECT count(*) FROM sites WHERE owner_id = ?1),
		(SELECT coalesce(sum(r.bytes), 0) FROM releases r JOIN sites s ON s.id = r.site_id WHERE s.owner_id = ?1 AND r.state <> 'failed')`, id)
}

const tokenColumns = `t.id, t.account_id, t.label, t.created_at, t.used_at`

func tokenFields(t *sites.Token, created, used *int64) []any {
	return []any{&t.ID, &t.Account, &t.Label, created, used}
}

func scanToken(s scanner) (t sites.Token, err error) {
	var created, used int64
	err = s.Scan(tokenFields(&t, &created, &used)...)
	t.CreatedAt, t.UsedAt = fromMillis(created), fromMillis(used)
	return t, err
}

func (r reader) Tokens(ctx context.Context, account sites.AccountID) ([]sites.Token, error) {
	return many(ctx, r, scanToken, `SELECT `+tokenColumns+` FROM tokens t WHERE t.account_id = ? ORDER BY t.label, t.id`, account)
}

type bearer struct {
	account sites.Account
	token   sites.Token
}

func scanBearer(s scanner) (b bearer, err error) {
	var times accountTimes
	var created, used int64
	err = s.Scan(append(accountFields(&b.account, &times), tokenFields(&b.token, &created, &used)...)...)
	times.fill(&b.account)
	b.token.CreatedAt, b.token.UsedAt = fromMillis(created), fromMillis(used)
	return b, err
}

func (r reader) AccountByToken(ctx context.Context, hash []byte) (sites.Account, sites.Token, error) {
	b, err := one(ctx, r, scanBearer,
		`SELECT `+accountColumns+`, `+tokenColumns+` FROM tokens t JOIN accounts a ON a.id = t.account_id WHERE t.hash = ?`, hash)
	return b.account, b.token, err
}

func scanEvent(s scanner) (e sites.Event, err error) {
	var at int64
	err = s.Scan(&e.ID, &e.Revision, &at, &e.Actor, &e.Origin, &e.Action, &e.Subject, &e.Detail)
	e.At = fromMillis(at)
	return e, err
}

func (r reader) Events(ctx context.Context, f sites.EventFilter) ([]sites.Event, error) {
	const columns = `SELECT id, revision, at, actor, origin, action, subject, detail FROM events`
	limit := f.Limit
	if limit <= 0 {
		limit = -1 // SQLite's "no limit"
	}
	if f.Subject == "" {
		return many(ctx, r, scanEvent, columns+` ORDER BY id DESC LIMIT ?`, limit)
	}
	return many(ctx, r, scanEvent, columns+` WHERE subject = ? ORDER BY id DESC LIMIT ?`, f.Subject, limit)
}
