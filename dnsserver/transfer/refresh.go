package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"

	"berth/sites"

	"github.com/miekg/dns"
)

// guarded turns a panic into an error, and logs it: whatever another nameserver sends must not end the process.
func (s *Service) guarded(zone string, fn func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			s.log.Error("what another nameserver sent was not understood", "zone", zone, "panic", fault, "stack", string(debug.Stack()))
			err = fmt.Errorf("a fault of ours: %v", fault)
		}
	}()
	return fn()
}

// soa is the SOA record of the content; a zero one, if there is none.
func (f *follower) soa() (*dns.SOA, bool) {
	now := f.held.Current()
	if !now.Known() {
		return new(dns.SOA), false
	}
	rr, err := soaOf(now.SOA()).unpack()
	soa, ok := rr.(*dns.SOA)
	if err != nil || !ok {
		return new(dns.SOA), false
	}
	return soa, true
}

// refresh asks the primaries in their order until one has confirmed the content or given a later one.
func (f *follower) refresh(ctx context.Context) error {
	primaries := f.held.publishedNow().Primaries
	if len(primaries) == 0 {
		return tell("the zone has no primary")
	}
	var errs []error
	for _, p := range primaries {
		err := f.service().guarded(f.held.Name(), func() error { return f.refreshFrom(ctx, p) })
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		errs = append(errs, fmt.Errorf("refresh %s from %s: %w", f.held.Name(), p.Addr, err))
	}
	return tell("%s", sentences(primaries, errs))
}

// sentences says what each primary has said.
func sentences(primaries []sites.Primary, errs []error) (text string) {
	for i, err := range errs {
		if i > 0 {
			text += "; "
		}
		text += primaries[i].Addr.String() + ": " + sentence(err)
	}
	return text
}

func (f *follower) refreshFrom(ctx context.Context, p sites.Primary) error {
	s, name := f.service(), dns.CanonicalName(f.held.Name())
	k, err := s.keyNamed(p.Key)
	if err != nil {
		return err
	}
	soa, known := f.soa()
	serial, err := s.serialOf(ctx, name, p.Addr, k)
	switch {
	case err != nil:
		return err
	case known && serial == soa.Serial:
		f.file.confirm(s.cfg.Now())
		return nil
	case known && !newer(serial, soa.Serial):
		return tell("its serial %d is older than %d, which this server has", serial, soa.Serial)
	}
	if known {
		in, err := s.receive(ctx, name, p.Addr, k, soa)
		if err == nil {
			err = s.guarded(f.held.Name(), func() error { return f.adopt(in) })
		}
		if ctx.Err() != nil {
			return err
		}
		if s.counts.note(in.outcome(err)); err == nil {
			return nil
		}
		s.log.Info("an incremental transfer failed, the whole zone is transferred", "zone", f.held.Name(), "primary", p.Addr, "error", err)
	}
	err = f.fetch(ctx, name, p.Addr, k, soa, known)
	switch {
	case err == nil:
		s.counts.note(axfrTaken)
	case ctx.Err() == nil:
		s.counts.note(axfrFailed)
	}
	return err
}

// fetch transfers the whole zone, which must be no older than what is known of it.
func (f *follower) fetch(ctx context.Context, name string, addr netip.AddrPort, k *key, soa *dns.SOA, known bool) error {
	in, err := f.service().receive(ctx, name, addr, k, nil)
	if err != nil {
		return err
	}
	if known && newer(soa.Serial, in.soa.Serial) {
		return tell("its serial %d is older than %d, which this server has", in.soa.Serial, soa.Serial)
	}
	return f.adopt(in)
}

// outcome is what has become of an incremental transfer.
func (in *inbound) outcome(err error) outcome {
	switch {
	case err != nil:
		return ixfrFailed
	case in.current():
		return ixfrTakenSOA
	case in.changes != nil:
		return ixfrTaken
	}
	return ixfrTakenWhole
}

// adopt puts what has come in place. What cannot be served leaves the content as it was.
func (f *follower) adopt(in *inbound) error {
	if in.current() {
		return nil
	}
	var err error
	how := "whole"
	if in.changes != nil {
		how = "incremental"
		for _, c := range in.changes {
			if err = f.held.Patch(c.removed, c.added); err != nil {
				break
			}
		}
	} else {
		err = f.held.Load(in.whole)
	}
	if err != nil {
		return errors.Join(tell("what it sent cannot be served: %s", err), err)
	}
	f.service().log.Info("a secondary zone has been transferred", "zone", f.held.Name(), "serial", in.soa.Serial, "transfer", how, "records", in.count)
	f.dirty = true
	if in.changes == nil || f.untilSettled() <= 0 {
		f.save()
	}
	f.held.changed()
	return nil
}
