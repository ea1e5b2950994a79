// Package sqlite owns all SQL: the schema and its migrations, transactions, and the mapping of rows to the nouns of
// package sites. It must not know anything of berth but sites.
//
// *Store and *Sessions are safe for concurrent use: writes go through one connection, reads through a pool.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"berth/sites"
)

//go:embed migrations/*.sql
var migrations embed.FS

// readers bounds the reader pool; each connection has a page cache of its own.
const readers = 4

// Store is a sites.Store in one SQLite file.
type Store struct {
	reader
	writer *sql.DB
	pool   *sql.DB
}

// Open opens or makes the database file and brings its schema up to date. A database made by a newer berth is an error.
func Open(ctx context.Context, path string, log *slog.Logger) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	writer, err := connect(path, "immediate", 1)
	if err != nil {
		return nil, err
	}
	pool, err := connect(path, "deferred", readers)
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	s := &Store{reader: reader{pool}, writer: writer, pool: pool}
	if err := s.migrate(ctx, log); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.Close())
	}
	return s, nil
}

// makePrivate makes the file, which holds password hashes and private keys, readable for its owner alone; SQLite gives the files beside it the same mode.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

func connect(path, txlock string, conns int) (*sql.DB, error) {
	query := url.Values{
		"_txlock": {txlock},
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "foreign_keys(1)", "synchronous(FULL)", "cache_size(-1024)", "temp_store(memory)"},
	}
	db, err := sql.Open("sqlite", "file:"+url.PathEscape(path)+"?"+query.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

func (s *Store) migrate(ctx context.Context, log *slog.Logger) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.writer, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	have, want, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", classify(err))
	}
	if have > want {
		return fmt.Errorf("the database has schema %d and this berth knows %d: use the berth that wrote it, or a newer one", have, want)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", classify(err))
	}
	for _, r := range results {
		log.Debug("database migrated", "migration", r.Source.Path)
	}
	return nil
}

// Close closes all connections; it waits for queries under way.
func (s *Store) Close() error {
	return errors.Join(s.pool.Close(), s.writer.Close())
}

// Write is sites.Store's.
func (s *Store) Write(ctx context.Context, event *sites.Event, fn func(sites.Tx) error) (int64, error) {
	sqlTx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("begin: %w", classify(err))
	}
	defer sqlTx.Rollback() // after a commit it does nothing; after an error or a panic it frees the writer
	if err := fn(tx{reader{sqlTx}, sqlTx, make(map[string]*sql.Stmt)}); err != nil {
		return 0, err
	}
	revision, err := nextRevision(ctx, reader{sqlTx})
	if err != nil {
		return 0, err
	}
	const insert = `INSERT INTO events (revision, at, actor, origin, action, subject, detail) VALUES (?, ?, ?, ?, ?, ?, ?)`
	if _, err := sqlTx.ExecContext(ctx, insert, revision, millis(time.Now()), event.Actor, event.Origin, event.Action, event.Subject, event.Detail); err != nil {
		return 0, fmt.Errorf("insert event: %w", classify(err))
	}
	if err := sqlTx.Commit(); err != nil {
		return 0, fmt.Errorf("commit: %w", classify(err))
	}
	return revision, nil
}

// NextRevision is sites.Store's.
func (s *Store) NextRevision(ctx context.Context) (int64, error) {
	return nextRevision(ctx, reader{s.writer})
}

// SkipRevisions leaves out the next n revisions: after a restore, those that the lost changes had.
func (s *Store) SkipRevisions(ctx context.Context, n int64) error {
	if _, err := s.writer.ExecContext(ctx, `UPDATE revision SET revision = revision + ?`, n); err != nil {
		return fmt.Errorf("skip revisions: %w", classify(err))
	}
	return nil
}

func nextRevision(ctx context.Context, r reader) (int64, error) {
	revision, err := one(ctx, r, scanValue[int64], `UPDATE revision SET revision = revision + 1 RETURNING revision`)
	if err != nil {
		return 0, fmt.Errorf("next revision: %w", err)
	}
	return revision, nil
}

// classify adds the meaning that callers look for to an error of the driver.
func classify(err error) error {
	var e *sqlite.Error
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return sites.ErrNotFound
	case !errors.As(err, &e):
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return fmt.Errorf("%w: %w", sites.ErrTaken, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", syscall.ENOSPC, err)
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("%w: %w", sites.ErrUnavailable, err)
	}
	return err
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
