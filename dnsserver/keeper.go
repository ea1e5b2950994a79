package dnsserver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"berth/sites"
)

const (
	keepOften  = time.Minute // how late the keeper may see that the clock has been set, or try again after a failure
	keepSeldom = time.Second // between two renewals at least: what falls due in it is renewed together

	keepPatience = 24 * time.Hour // for a revision, beyond the time of renewal; signatures hold for several days more
)

// keep renews signatures, and follows the plans of keys, as they fall due, until ctx is done.
func (s *Server) keep(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.renewDue(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("signatures are not renewed", "error", err)
			pause(ctx, keepOften)
		}
		pause(ctx, keepSeldom)
		timer := time.NewTimer(s.untilDue())
		select {
		case <-s.changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// untilDue is how long the keeper has nothing to do, as far as it knows.
func (s *Server) untilDue() time.Duration {
	wait, now := keepOften, s.cfg.Now()
	for h := range s.zones.Load().all() {
		if at := h.RenewAt(); !at.IsZero() {
			wait = min(wait, at.Sub(now))
		}
	}
	return max(0, wait)
}

// renewDue renews the zones whose time has come, each as a change of its own. Where no revision can be had for long, a zone is
// renewed without one: its serial counts on by itself then, and signatures that expire would take the zone off the net.
func (s *Server) renewDue(ctx context.Context) error {
	var errs []error
	for h := range s.zones.Load().all() {
		at := h.RenewAt()
		if at.IsZero() || at.After(s.cfg.Now()) {
			continue
		}
		renew := func(revision int64) {
			h.Renew(revision)
			s.transfers.Changed(h.published.Name)
		}
		err := s.revise(ctx, renew)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if s.stats.unrevised.Store(err != nil); err == nil {
			continue
		}
		errs = append(errs, fmt.Errorf("renew zone %s: %w", h.published.Name, err))
		if s.cfg.Now().Sub(at) >= keepPatience {
			renew(0)
		}
	}
	return errors.Join(errs...)
}

// SetIssuers says which authorities may issue certificates for the main zone: the data of the CAA records at its apex, in
// presentation format, unless people have entered such records there. It fails when no revision can be had.
func (s *Server) SetIssuers(ctx context.Context, caa []string) error {
	err := s.revise(ctx, func(revision int64) {
		main := s.zones.Load().main
		main.SetIssuers(caa, revision)
		s.transfers.Changed(main.published.Name)
	})
	if err != nil {
		return fmt.Errorf("say who issues certificates: %w", err)
	}
	s.noteChange()
	return nil
}

// Nameservers are the hosts that a zone names as its nameservers, and the addresses of those inside it; none of one that is
// not answered for.
func (s *Server) Nameservers(zone string) (hosts []string, glue map[string][]netip.Addr) {
	h := s.zones.Load().at(zone)
	if h == nil {
		return nil, nil
	}
	return h.Current().Nameservers()
}

// NameAnswer is what this server tells the world of a name now.
func (s *Server) NameAnswer(name string) sites.NameAnswer {
	h := s.zones.Load().named(name)
	if h == nil {
		return sites.NameAnswer{}
	}
	return h.Current().Answer(sites.CanonicalHost(name))
}

// ZoneStatus is what is known of a zone now; nothing of one that is not answered for.
func (s *Server) ZoneStatus(name string) sites.ZoneStatus {
	h := s.zones.Load().at(name)
	if h == nil {
		return sites.ZoneStatus{}
	}
	now := h.Current()
	status := sites.ZoneStatus{
		Serial: now.Serial(), Names: now.Names(), Signed: h.published.Signed || len(now.DS()) > 0,
		DS: now.DS(), RenewalAt: h.RenewAt(),
	}
	status.Peers, status.Secondary = s.peerStatus(h.published.Name)
	return status
}
