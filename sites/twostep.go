package sites

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// TwoStep is what an account shows at a login beside its password: the code of an app, or a recovery code. Secret and
// hashes are opaque here; panel/auth makes and checks them.
type TwoStep struct {
	Account  AccountID
	Secret   []byte   // what the app has as well
	Used     int64    // the last time step whose code was taken: none is taken twice
	Recovery [][]byte // hashes of the recovery codes that are left
	Since    time.Time
}

// TwoStep is the actor's own; ErrNotFound says that the password is enough.
func (s *Service) TwoStep(ctx context.Context, actor Actor) (TwoStep, error) {
	return s.store.TwoStep(ctx, actor.ID)
}

// TurnOnTwoStep has logins to the actor's account ask for a code, and returns since when. The account's sessions end. before is the hash
// of the password that the actor has shown to know, as for ReplacePassword.
func (s *Service) TurnOnTwoStep(ctx context.Context, actor Actor, before string, t TwoStep) (since time.Time, err error) {
	t.Account, t.Since = actor.ID, time.Now()
	return t.Since, s.commit(ctx, eventBy(actor, "two-step.on", actor.Name, ""), func(e *edit) error {
		account, err := e.AccountByID(ctx, actor.ID)
		if err != nil {
			return err
		}
		if err := account.stillHas(before); err != nil {
			return err
		}
		if !account.TwoStepSince.IsZero() {
			return Refuse(ErrConflict, "Two-step login is on already.")
		}
		return e.PutTwoStep(ctx, t)
	})
}

// ReplaceRecoveryCodes has the actor's account take these and none of those before; before is as for TurnOnTwoStep.
func (s *Service) ReplaceRecoveryCodes(ctx context.Context, actor Actor, before string, hashes [][]byte) error {
	return s.commit(ctx, eventBy(actor, "two-step.codes", actor.Name, ""), func(e *edit) error {
		account, err := e.AccountByID(ctx, actor.ID)
		if err != nil {
			return err
		}
		if err := account.stillHas(before); err != nil {
			return err
		}
		t, err := findTwoStep(ctx, e, account)
		if err != nil {
			return err
		}
		t.Recovery = hashes
		return e.PutTwoStep(ctx, t)
	})
}

// TurnOffTwoStep has the password be enough, for one's own account or as an admin for any. The account's sessions end.
func (s *Service) TurnOffTwoStep(ctx context.Context, actor Actor, name string) error {
	return s.turnOffTwoStep(ctx, actor, name, nil)
}

// GiveUpTwoStep is TurnOffTwoStep for the actor's own account; before is as for TurnOnTwoStep.
func (s *Service) GiveUpTwoStep(ctx context.Context, actor Actor, before string) error {
	return s.turnOffTwoStep(ctx, actor, actor.Name, &before)
}

func (s *Service) turnOffTwoStep(ctx context.Context, actor Actor, name string, before *string) error {
	return s.commit(ctx, eventBy(actor, "two-step.off", strings.ToLower(name), ""), func(e *edit) error {
		account, err := s.accountFor(ctx, e, actor, name)
		if err == nil && before != nil {
			err = account.stillHas(*before)
		}
		if err != nil {
			return err
		}
		if _, err := findTwoStep(ctx, e, account); err != nil {
			return err
		}
		return e.DeleteTwoStep(ctx, account.ID)
	})
}

func findTwoStep(ctx context.Context, r AccountReader, account Account) (TwoStep, error) {
	t, err := r.TwoStep(ctx, account.ID)
	if errors.Is(err, ErrNotFound) {
		err = Refuse(ErrConflict, "Two-step login is not on for %s.", account.Name)
	}
	return t, err
}

// ErrWrongCode says that a code is not one of the account's, or was used before.
var ErrWrongCode = errors.New("wrong code")

// LogInWithCode records a login whose password was right. spend returns the TwoStep without the code that was shown, or
// false where that is none, which is ErrWrongCode. It runs in the transaction: of two logins with one code, one is refused.
func (s *Service) LogInWithCode(ctx context.Context, actor Actor, spend func(TwoStep) (TwoStep, bool)) error {
	event := eventBy(actor, "account.login", actor.Name, "with a code")
	return s.commit(ctx, event, func(e *edit) error {
		before, err := e.TwoStep(ctx, actor.ID)
		if err != nil {
			return err
		}
		after, ok := spend(before)
		if !ok {
			return ErrWrongCode
		}
		if left := len(after.Recovery); left < len(before.Recovery) {
			event.Detail = fmt.Sprintf("with a recovery code, %d left", left)
		}
		return e.PutTwoStep(ctx, after)
	})
}
