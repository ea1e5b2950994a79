package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Snapshot writes a consistent copy of the database file at path to a new file, beside whoever reads and writes it.
func Snapshot(ctx context.Context, path, to string) (err error) {
	if _, err := os.Stat(path); err != nil {
		return err // connecting would make one
	}
	db, err := connect(path, "deferred", 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, to); err != nil {
		return fmt.Errorf("copy database: %w", classify(err))
	}
	return os.Chmod(to, 0o600)
}

// Check reads the whole database file and reports damage.
func Check(ctx context.Context, path string) (err error) {
	db, err := connect(path, "deferred", 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var found string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&found); err != nil {
		return fmt.Errorf("check database: %w", classify(err))
	}
	if found != "ok" {
		return fmt.Errorf("the database is damaged: %s", found)
	}
	return nil
}
