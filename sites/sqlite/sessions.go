package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Sessions keeps the panel's login sessions; it has the methods of alexedwards/scs's Store and CtxStore. Sessions are
// no part of what berth publishes, so they make no revision and no event.
type Sessions struct{ store *Store }

// Sessions returns the session store in this database.
func (s *Store) Sessions() *Sessions { return &Sessions{s} }

// FindCtx returns the session's data; found is false for an unknown or expired token.
func (s *Sessions) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	row := s.store.pool.QueryRowContext(ctx, `SELECT data FROM sessions WHERE token = ? AND expiry > ?`, token, millis(time.Now()))
	err = row.Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// CommitCtx stores the session's data until expiry, and removes sessions that have expired.
func (s *Sessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	const put = `INSERT INTO sessions (token, data, expiry) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET data = excluded.data, expiry = excluded.expiry`
	if _, err := s.store.writer.ExecContext(ctx, put, token, data, millis(expiry)); err != nil {
		return fmt.Errorf("put session: %w", classify(err))
	}
	if _, err := s.store.writer.ExecContext(ctx, `DELETE FROM sessions WHERE expiry <= ?`, millis(time.Now())); err != nil {
		return fmt.Errorf("remove expired sessions: %w", classify(err))
	}
	return nil
}

// DeleteCtx ends the session; an unknown token is no error.
func (s *Sessions) DeleteCtx(ctx context.Context, token string) error {
	_, err := s.store.writer.ExecContext(ctx, `DELETE FROM sessions WHERE token = ?`, token)
	return classify(err)
}

// Find is FindCtx without a deadline.
func (s *Sessions) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a deadline.
func (s *Sessions) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx without a deadline.
func (s *Sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }
