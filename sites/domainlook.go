package sites

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// lookPatience bounds one look at a domain.
const lookPatience = 30 * time.Second

// CheckDomain looks at a domain now and carries out what follows from it.
func (s *Service) CheckDomain(ctx context.Context, actor Actor, site, name string) (DomainStatus, error) {
	owner, d, err := s.ownedDomain(ctx, actor, site, name)
	if err != nil {
		return DomainStatus{}, err
	}
	if err := s.lookNow(ctx, d.key()); err != nil {
		return DomainStatus{}, err
	}
	return s.Domain(ctx, actor, owner.Name, d.Name)
}

// lookNow looks at a domain in its turn. Who waits for that takes no room, or many who ask for one domain would hold up all others.
func (s *Service) lookNow(ctx context.Context, key domainKey) error {
	return inTurn(ctx, s.domains.turns(key), func() error {
		return inTurn(ctx, s.domains.room, func() error { return s.lookAt(ctx, key) })
	})
}

// inTurn calls fn once there is room in the channel, and makes room again.
func inTurn(ctx context.Context, turns chan struct{}, fn func() error) error {
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
		return fn()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tendDomains looks at the domains as they become due, until ctx is done.
func (s *Service) tendDomains(ctx context.Context) {
	if s.domains.look == nil {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for enrolled := false; ctx.Err() == nil; {
		if !enrolled {
			enrolled = s.enrolDomains(ctx)
		}
		key, wait, ok := s.domains.take(time.Now())
		if ok {
			s.lookBehind(ctx, key)
			continue
		}
		if !enrolled {
			wait = min(wait, time.Minute)
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-s.domains.wake:
		case <-ctx.Done():
		}
	}
}

// enrolDomains plans the first looks after a start; false: the store does not answer.
func (s *Service) enrolDomains(ctx context.Context) bool {
	all, err := s.store.Domains(ctx, 0)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Error("reading the domains to look at them failed; it is tried again", "error", err)
		}
		return false
	}
	for _, d := range all {
		s.domains.enrol(d, s.domains.first(d))
	}
	return true
}

// lookBehind looks at a domain in a goroutine of its own, once there is room. One that somebody is looking at, or waits to look at, is
// left to that one, who may be waiting for room.
func (s *Service) lookBehind(ctx context.Context, key domainKey) {
	select {
	case s.domains.room <- struct{}{}:
	case <-ctx.Done():
		return
	}
	s.work.start(func(ctx context.Context) {
		defer func() { <-s.domains.room }()
		turns := s.domains.turns(key)
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
		default:
			s.domains.enrol(Domain{Site: key.site, Name: key.name}, lookPatience)
			return
		}
		if err := s.lookAt(ctx, key); err != nil && ctx.Err() == nil {
			s.log.Error("looking at a domain failed; it is tried again", "domain", key.name, "error", err)
		}
	})
}

// lookAt looks at a domain, keeps what is seen, and carries out what follows from it. The caller has the domain's turn.
func (s *Service) lookAt(ctx context.Context, key domainKey) error {
	d, err := s.store.Domain(ctx, key.site, key.name)
	if errors.Is(err, ErrNotFound) {
		s.domains.forget(Domain{Site: key.site, Name: key.name})
		return nil
	}
	var site Site
	if err == nil {
		site, err = s.store.SiteByID(ctx, key.site)
	}
	if err != nil {
		s.domains.enrol(Domain{Site: key.site, Name: key.name}, time.Minute)
		return err
	}
	v, known, err := s.see(ctx, site, d)
	if err != nil {
		s.domains.enrol(d, time.Minute)
		return err
	}
	misses := s.keepSighting(d, v, known)
	// What was seen is written down even if the page that asked is gone.
	err = s.follow(context.WithoutCancel(ctx), site, d, v, known, misses)
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) {
		err = nil // another look was faster, or somebody has removed it
	}
	s.watchers.notify(site.Name)
	return err
}

// see returns what a domain leads to; known is false if nobody answered.
func (s *Service) see(ctx context.Context, site Site, d Domain) (v verdict, known bool, err error) {
	hosted, err := hostedIn(ctx, s.store, d.Name)
	if err != nil {
		return v, false, err
	}
	switch {
	case hosted.ID == 0:
	case d.State != DomainWaiting:
		return verdict{leads: true, proves: true}, true, nil
	default: // whatever records lead here are the admins', who would not mean them for the site to have
		return verdict{sentence: fmt.Sprintf("%s lies in %s, which is kept here now. Remove it, and ask an admin to add it.", d.Name, hosted.Name)}, true, nil
	}
	j := judgement{domain: d, host: s.names.Host(site.Name), zone: s.zone}
	if j.aliasProves, err = s.aliasProves(ctx, s.store, site); err != nil {
		return v, false, err
	}
	if s.domains.look == nil {
		return verdict{sentence: "This server does not look at domains."}, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	view, err := s.domains.look.Look(ctx, d.Name)
	if err != nil {
		s.log.Debug("a domain could not be looked at", "domain", d.Name, "error", err)
		return verdict{sentence: fmt.Sprintf("The nameservers of %s gave no answer. berth asks again.", d.Name)}, false, nil
	}
	v = s.domains.judge(j, view)
	if v.leads && v.warning == "" {
		v.warning = s.domains.reach(ctx, d.Name, view)
	}
	return v, true, nil
}

// reach asks the domain's addresses whether they lead to this process. What goes wrong is only told: behind a router, a server
// often cannot reach its own public address, or meets the router there.
func (w *domainWatch) reach(ctx context.Context, name string, view DomainView) string {
	for _, addr := range w.own {
		if len(view.Addresses) > 0 && !slices.Contains(view.Addresses, addr) {
			continue
		}
		switch w.look.Reach(ctx, name, addr) {
		case ReachNothing:
			return fmt.Sprintf("berth could not reach itself at %s, port 80. Behind a router that can be so, and harmless. If visitors cannot reach the site either, tell an admin.", addr)
		case ReachOther:
			return fmt.Sprintf("Something else than berth answered at %s, port 80: a router, perhaps, or another web server. If visitors meet it, too, tell an admin.", addr)
		}
	}
	return ""
}

// keepSighting keeps what is seen of a domain for those who ask, and plans the next look.
func (s *Service) keepSighting(d Domain, v verdict, known bool) (misses int) {
	count := func(before int) int {
		switch {
		case !known:
			return before
		case v.leads:
			return 0
		}
		return before + 1
	}
	seen := Sighting{At: s.now(), Sentence: v.sentence, Warning: v.warning}
	if d.State == DomainActive && v.leads {
		seen.Sentence = "" // the proof has been given once; it need not stay
	}
	return s.domains.note(d, seen, count, s.domains.pause(d, s.since(d.CreatedAt)))
}
