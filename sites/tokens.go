package sites

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// CreateToken adds an API token for one's own account, or as an admin for any; hash is that of its secret.
func (s *Service) CreateToken(ctx context.Context, actor Actor, account AccountID, label string, hash []byte) (Token, error) {
	label = strings.TrimSpace(label)
	if n := utf8.RuneCountInString(label); n == 0 || n > 64 || strings.ContainsFunc(label, unicode.IsControl) {
		return Token{}, RefuseField(ErrInvalid, "label", "Give the token a label of 1 to 64 characters, such as what will use it.")
	}
	if account != actor.ID {
		if err := adminOnly(actor); err != nil {
			return Token{}, err
		}
	}
	token := Token{Account: account, Label: label, CreatedAt: time.Now()}
	err := s.commit(ctx, eventBy(actor, "token.create", label, ""), func(e *edit) (err error) {
		token.ID, err = e.InsertToken(ctx, token, hash)
		return err
	})
	return token, err
}

// Tokens lists the actor's tokens.
func (s *Service) Tokens(ctx context.Context, actor Actor) ([]Token, error) {
	return s.store.Tokens(ctx, actor.ID)
}

// TokensOf lists the tokens of an account, one's own or as an admin any.
func (s *Service) TokensOf(ctx context.Context, actor Actor, account string) ([]Token, error) {
	found, err := s.accountFor(ctx, s.store, actor, account)
	if err != nil {
		return nil, err
	}
	return s.store.Tokens(ctx, found.ID)
}

// EndTokens ends all tokens of an account, one's own or as an admin any.
func (s *Service) EndTokens(ctx context.Context, actor Actor, account string) error {
	event := eventBy(actor, "token.end-all", strings.ToLower(account), "")
	return s.commit(ctx, event, func(e *edit) error {
		found, err := s.accountFor(ctx, e, actor, account)
		if err != nil {
			return err
		}
		tokens, err := e.Tokens(ctx, found.ID)
		for _, token := range tokens {
			err = errors.Join(err, e.DeleteToken(ctx, found.ID, token.ID))
		}
		event.Detail = fmt.Sprintf("%d tokens", len(tokens))
		return err
	})
}

// accountFor finds an account that the actor may act for.
func (s *Service) accountFor(ctx context.Context, r AccountReader, actor Actor, name string) (Account, error) {
	account, err := findAccount(ctx, r, name)
	if err == nil && account.ID != actor.ID {
		err = adminOnly(actor)
	}
	return account, err
}

// DeleteToken ends a token of the actor's.
func (s *Service) DeleteToken(ctx context.Context, actor Actor, id int64) error {
	err := s.commit(ctx, eventBy(actor, "token.delete", fmt.Sprint(id), ""), func(e *edit) error {
		return e.DeleteToken(ctx, actor.ID, id)
	})
	if errors.Is(err, ErrNotFound) {
		return Refuse(ErrNotFound, "There is no such token.")
	}
	return err
}

// AccountByToken finds whose token has the hash, and notes once an hour that it was used, and from where.
func (s *Service) AccountByToken(ctx context.Context, hash []byte, origin string) (Account, error) {
	account, token, err := s.store.AccountByToken(ctx, hash)
	if err != nil {
		return Account{}, err
	}
	if token.usedLately() {
		return account, nil
	}
	event := &Event{Actor: account.Name, Origin: origin, Action: "token.use", Subject: token.Label}
	err = s.commit(ctx, event, func(e *edit) error {
		_, token, err := e.AccountByToken(ctx, hash)
		if err == nil && token.usedLately() {
			err = errUnchanged // by a request beside this one
		}
		if err != nil {
			return err
		}
		token.UsedAt = time.Now()
		return e.UpdateToken(ctx, token)
	})
	if errors.Is(err, ErrNotFound) {
		return Account{}, err
	}
	if err != nil && !errors.Is(err, errUnchanged) {
		s.log.Warn("noting a token's use failed", "error", err)
	}
	return account, nil
}

// usedLately takes a time to come, which a clock that was set back leaves, for long ago.
func (t Token) usedLately() bool {
	since := time.Since(t.UsedAt)
	return 0 <= since && since < time.Hour
}
