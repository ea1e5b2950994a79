package acme

import (
	"context"
	"fmt"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// Challenges publishes the TXT records that prove control of a zone. A name can have several values at once, as the
// apex and the wildcard share one. SetChallenge and RemoveChallenge take effect before they return and all are safe for concurrent use.
type Challenges interface {
	SetChallenge(ctx context.Context, name, value string) error
	RemoveChallenge(ctx context.Context, name, value string) error
	// Keeps reports whether the name is in a zone that they work for.
	Keeps(name string) bool
}

// solver answers DNS-01 challenges from our own zone. The answer is there, at all nameservers, when SetChallenge has returned,
// so unlike certmagic's solver it waits for no propagation and looks nothing up.
type solver struct {
	challenges Challenges
}

var _ acmez.Solver = solver{}

func (s solver) Present(ctx context.Context, c acme.Challenge) error {
	if err := s.challenges.SetChallenge(ctx, c.DNS01TXTRecordName(), c.DNS01KeyAuthorization()); err != nil {
		return fmt.Errorf("%w: %w", errUnanswered, err)
	}
	return nil
}

// CleanUp goes on when the order has been given up: nothing else would ever remove the record.
func (s solver) CleanUp(ctx context.Context, c acme.Challenge) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return s.challenges.RemoveChallenge(ctx, c.DNS01TXTRecordName(), c.DNS01KeyAuthorization())
}
