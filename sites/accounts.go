package sites

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var accountName = regexp.MustCompile(`^[a-z][a-z0-9._-]{1,31}$`)

// NewAccount is what an account is created from. PasswordHash is made by panel/auth.
type NewAccount struct {
	Name         string
	Role         Role
	PasswordHash string
	Quota        Quota
}

// AccountStatus is an account with what it owns.
type AccountStatus struct {
	Account
	Usage Usage
}

// CreateAccount adds a person.
func (s *Service) CreateAccount(ctx context.Context, actor Actor, in NewAccount) (Account, error) {
	if err := adminOnly(actor); err != nil {
		return Account{}, err
	}
	account := Account{Name: strings.ToLower(strings.TrimSpace(in.Name)), Role: in.Role, PasswordHash: in.PasswordHash, Quota: in.Quota}
	if err := account.validate(); err != nil {
		return Account{}, err
	}
	err := s.commit(ctx, eventBy(actor, "account.create", account.Name, string(account.Role)), func(e *edit) (err error) {
		account.ID, err = e.InsertAccount(ctx, account)
		return err
	})
	if errors.Is(err, ErrTaken) {
		err = RefuseField(ErrTaken, "name", "There is an account %q already.", account.Name)
	}
	if err != nil {
		return Account{}, err
	}
	return s.store.AccountByID(ctx, account.ID)
}

func (a Account) validate() error {
	if !accountName.MatchString(a.Name) {
		return RefuseField(ErrInvalid, "name", "An account name has 2 to 32 characters: a letter, then letters, digits, dots, hyphens or underscores.")
	}
	if a.Name == System.Name {
		return RefuseField(ErrReserved, "name", "The name %q is reserved. Choose another one.", a.Name)
	}
	if a.Role != RoleOwner && a.Role != RoleAdmin {
		return RefuseField(ErrInvalid, "role", "The role must be owner or admin.")
	}
	if a.Quota.Sites < 0 || a.Quota.Bytes < 0 {
		return RefuseField(ErrInvalid, "quota", "A quota cannot be negative; 0 means unlimited.")
	}
	return nil
}

// AccountUpdate holds what an admin can change of an account; nil fields stay as they are.
type AccountUpdate struct {
	Role  *Role
	Quota QuotaUpdate
}

// QuotaUpdate holds what is to change of a quota; nil fields stay as they are.
type QuotaUpdate struct {
	Sites *int
	Bytes *int64
}

// Applied is the quota with what the update has of it.
func (u QuotaUpdate) Applied(q Quota) Quota {
	setIf(&q.Sites, u.Sites)
	setIf(&q.Bytes, u.Bytes)
	return q
}

// UpdateAccount changes role or quota. The last admin stays one.
func (s *Service) UpdateAccount(ctx context.Context, actor Actor, name string, u AccountUpdate) (Account, error) {
	if err := adminOnly(actor); err != nil {
		return Account{}, err
	}
	var account Account
	event := eventBy(actor, "account.update", strings.ToLower(name), "")
	err := s.commit(ctx, event, func(e *edit) (err error) {
		if account, err = findAccount(ctx, e, name); err != nil {
			return err
		}
		if u.Role != nil {
			if account.Role == RoleAdmin && *u.Role != RoleAdmin {
				if err := anotherAdmin(ctx, e, account.ID); err != nil {
					return err
				}
			}
			account.Role = *u.Role
		}
		account.Quota = u.Quota.Applied(account.Quota)
		event.Detail = fmt.Sprintf("%s, %d sites, %d MB", account.Role, account.Quota.Sites, account.Quota.Bytes>>20)
		if err := account.validate(); err != nil {
			return err
		}
		return e.UpdateAccount(ctx, account)
	})
	return account, err
}

func orElse[T any](p, fallback *T) *T {
	if p != nil {
		return p
	}
	return fallback
}

// SetPassword replaces the password hash of one's own account, or as an admin of any.
func (s *Service) SetPassword(ctx context.Context, actor Actor, name, hash string) error {
	return s.setPassword(ctx, actor, name, nil, hash)
}

func (s *Service) setPassword(ctx context.Context, actor Actor, name string, before *string, hash string) error {
	return s.commit(ctx, eventBy(actor, "account.password", strings.ToLower(name), ""), func(e *edit) error {
		account, err := s.accountFor(ctx, e, actor, name)
		if err == nil && before != nil {
			err = account.stillHas(*before)
		}
		if err != nil {
			return err
		}
		account.PasswordHash = hash
		return e.UpdateAccount(ctx, account)
	})
}

// stillHas refuses what somebody asks for who has shown to know another password than the account has by now.
func (a Account) stillHas(hash string) error {
	if a.PasswordHash != hash {
		return Refuse(ErrConflict, "The password was changed meanwhile. Log in again with the new one.")
	}
	return nil
}

// ReplacePassword is SetPassword for who has shown to know the password that has the hash before: it is refused as ErrConflict when
// that is the account's no more. Who is shut out by a new password could otherwise undo it by a change that was under way.
func (s *Service) ReplacePassword(ctx context.Context, actor Actor, name, before, hash string) error {
	return s.setPassword(ctx, actor, name, &before, hash)
}

// DeleteAccount removes an account that owns no sites and is not the last admin.
func (s *Service) DeleteAccount(ctx context.Context, actor Actor, name string) error {
	if err := adminOnly(actor); err != nil {
		return err
	}
	return s.commit(ctx, eventBy(actor, "account.delete", strings.ToLower(name), ""), func(e *edit) error {
		account, err := findAccount(ctx, e, name)
		if err != nil {
			return err
		}
		usage, err := e.Usage(ctx, account.ID)
		if err != nil {
			return err
		}
		if usage.Sites > 0 {
			return Refuse(ErrConflict, "%s owns %d sites. Delete them or give them to another account first.", account.Name, usage.Sites)
		}
		if account.Role == RoleAdmin {
			if err := anotherAdmin(ctx, e, account.ID); err != nil {
				return err
			}
		}
		return e.DeleteAccount(ctx, account.ID)
	})
}

func findAccount(ctx context.Context, r AccountReader, name string) (Account, error) {
	account, err := r.Account(ctx, strings.ToLower(name))
	if errors.Is(err, ErrNotFound) {
		return Account{}, Refuse(ErrNotFound, "There is no account %q.", name)
	}
	return account, err
}

func anotherAdmin(ctx context.Context, r AccountReader, except AccountID) error {
	accounts, err := r.Accounts(ctx)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if a.Role == RoleAdmin && a.ID != except {
			return nil
		}
	}
	return Refuse(ErrConflict, "This is the last admin. Make another account an admin first.")
}

func adminOnly(actor Actor) error {
	if actor.Admin() {
		return nil
	}
	return Refuse(ErrForbidden, "Only an admin can do that.")
}

// Accounts lists all accounts by name, for admins.
func (s *Service) Accounts(ctx context.Context, actor Actor) ([]AccountStatus, error) {
	if err := adminOnly(actor); err != nil {
		return nil, err
	}
	accounts, err := s.store.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]AccountStatus, len(accounts))
	for i, a := range accounts {
		usage, err := s.store.Usage(ctx, a.ID)
		if err != nil {
			return nil, err
		}
		out[i] = AccountStatus{Account: a, Usage: usage}
	}
	return out, nil
}

// Account finds an account by name, for a login.
func (s *Service) Account(ctx context.Context, name string) (Account, error) {
	return findAccount(ctx, s.store, name)
}

// AccountByID finds the account of a session.
func (s *Service) AccountByID(ctx context.Context, id AccountID) (Account, error) {
	return s.store.AccountByID(ctx, id)
}

// Usage is what an account owns now.
func (s *Service) Usage(ctx context.Context, id AccountID) (Usage, error) {
	return s.store.Usage(ctx, id)
}
