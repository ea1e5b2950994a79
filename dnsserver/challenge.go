package dnsserver

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// withdrawal is how long taking back a challenge may take when nobody waits for it any more.
const withdrawal = 10 * time.Second

// SetChallenge adds a TXT value at a name of a zone, beside those that are there. When the call returns it is visible here, and
// at the zone's other nameservers as far as they answer for the zone. It fails for a name that is in none of the zones that are
// kept here, when no revision can be had, and with a sites.Refusal that names a nameserver that stays behind; there is nothing of the
// value then.
func (s *Server) SetChallenge(ctx context.Context, name, value string) error {
	if err := s.challenge(ctx, name, value, true); err != nil {
		return err
	}
	err := s.settle(ctx, name, value)
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawal)
	defer cancel()
	return errors.Join(fmt.Errorf("challenge at %q: %w", name, err), s.RemoveChallenge(ctx, name, value))
}

// RemoveChallenge removes the value again. It fails as SetChallenge does.
func (s *Server) RemoveChallenge(ctx context.Context, name, value string) error {
	return s.challenge(ctx, name, value, false)
}

func (s *Server) challenge(ctx context.Context, name, value string, present bool) error {
	if !s.Keeps(name) {
		return fmt.Errorf("challenge at %q: the name is in no zone that is kept here", name)
	}
	var failed error
	err := s.revise(ctx, func(revision int64) {
		if h := s.zones.Load().named(name); h != nil && !h.secondary() {
			failed = h.SetChallenge(name, value, present, revision)
			s.transfers.Changed(h.published.Name)
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("challenge at %q: %w", name, err)
	}
	s.noteChange()
	return nil
}

// Keeps reports whether SetChallenge works for a name.
func (s *Server) Keeps(name string) bool {
	h := s.zones.Load().named(name)
	return h != nil && !h.secondary()
}
