package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"berth/sites"
)

func scanTwoStep(s scanner) (t sites.TwoStep, err error) {
	var recovery string
	var since int64
	if err := s.Scan(&t.Account, &t.Secret, &t.Used, &recovery, &since); err != nil {
		return t, err
	}
	t.Since = fromMillis(since)
	if err := json.Unmarshal([]byte(recovery), &t.Recovery); err != nil {
		return t, fmt.Errorf("recovery codes: %w", err)
	}
	return t, nil
}

func (r reader) TwoStep(ctx context.Context, account sites.AccountID) (sites.TwoStep, error) {
	return one(ctx, r, scanTwoStep, `SELECT account_id, secret, used, recovery, since FROM two_step WHERE account_id = ?`, account)
}

func (t tx) PutTwoStep(ctx context.Context, s sites.TwoStep) error {
	recovery, err := json.Marshal(s.Recovery)
	if err != nil {
		return fmt.Errorf("recovery codes: %w", err)
	}
	_, err = t.exec(ctx, "put two-step login", `INSERT OR REPLACE INTO two_step (account_id, secret, used, recovery, since) VALUES (?, ?, ?, ?, ?)`,
		s.Account, s.Secret, s.Used, string(recovery), orNow(s.Since))
	return err
}

func (t tx) DeleteTwoStep(ctx context.Context, account sites.AccountID) error {
	_, err := t.exec(ctx, "delete two-step login", `DELETE FROM two_step WHERE account_id = ?`, account)
	return err
}
