package acme

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
)

// obtain has certmagic do what a certificate needs: order it from a CA, renew it, or ask when to renew. It reports whether there
// is another one now.
func (m *Manager) obtain(ctx context.Context, h *host, ca *authority) (bool, error) {
	before := h.facts.Load()
	if err := m.prepare(ctx, h, ca); err != nil {
		return false, err
	}
	subject := []certmagic.SubjectIssuer{{Subject: h.name}}
	defer ca.cache.RemoveManaged(subject) // certmagic leaves alone what is in its cache
	err := ca.manage(ctx, h.name)
	select {
	case m.asked <- struct{}{}:
	default: // it is going to be seen
	}
	if err != nil {
		return false, err
	}
	pair, facts, err := ca.vault.load(ctx, h.name)
	if err != nil {
		return false, err
	}
	renewed := before == nil || before.serial != facts.serial
	if !renewed && before.stale(time.Now()) && facts.stale(time.Now()) {
		return false, errAdvice
	}
	m.mu.Lock()
	if !h.named || h.retired {
		m.mu.Unlock()
		return renewed, nil // gone meanwhile: never served, and revoked next
	}
	m.serve(h, pair, facts)
	m.mu.Unlock()
	if renewed {
		m.log.Info("certificate issued", "host", h.name, "ca", ca.name, "issuer", facts.issuer, "serial", facts.serial,
			"not_after", facts.notAfter, "renewal", before != nil && before.from.ca == facts.from.ca)
		m.supersede(ctx, h, facts.from)
	}
	return renewed, nil
}

// manage makes the certificate of a host what it should be; one that somebody wants renewed now is, whatever its age.
func (a *authority) manage(ctx context.Context, host string) error {
	if s := stepOf(ctx); s != nil && s.forced {
		return a.magic.RenewCertSync(ctx, host, true)
	}
	return a.magic.ManageSync(ctx, []string{host})
}

// prepare sees to it that an order can be kept, and that what is stored of an earlier one is not in its way.
func (m *Manager) prepare(ctx context.Context, h *host, ca *authority) error {
	if err := ca.vault.mend(ctx, h.name); err != nil {
		return err
	}
	if ca.internal != nil {
		return nil
	}
	if err := ca.vault.probe(ctx, h.name); err != nil {
		return err
	}
	f := h.facts.Load()
	if f != nil && f.from.ca != ca.vault.ca {
		return ca.vault.remove(ctx, h.name) // older than what another CA has issued since
	}
	// An order that says what it replaces is exempt from limits (RFC 9773 section 5). After a first failure it does not,
	// as that may have been the cause.
	if s := stepOf(ctx); s != nil && s.attempts != 1 {
		if leaf, _, err := ca.vault.leaf(ctx, h.name); err == nil {
			s.replaces = leaf
		}
	}
	return nil
}

// supersede removes what other CAs have issued for a host before. What is left by a fault is removed by the next order or
// with the host, and never served, as it is older.
func (m *Manager) supersede(ctx context.Context, h *host, by vault) {
	for _, v := range m.vaults() {
		if v.issuer == by.issuer {
			continue
		}
		if err := v.remove(ctx, h.name); err != nil {
			m.log.Debug("an outdated certificate was not removed", "host", h.name, "err", err)
		}
	}
}

// discard removes what CAs that are not configured any more have issued for a host. Nobody could revoke it.
func (m *Manager) discard(ctx context.Context, h *host) {
	for _, v := range m.former {
		if err := v.remove(ctx, h.name); err != nil {
			m.log.Debug("a certificate of a former CA was not removed", "host", h.name, "err", err)
		}
	}
}

// retire revokes and removes what is stored for a host that is gone. It reports whether a CA was asked.
func (m *Manager) retire(ctx context.Context, h *host) (bool, error) {
	m.discard(ctx, h)
	asked := false
	for _, a := range m.authorities {
		done, err := m.retireAt(ctx, h, a)
		asked = asked || done
		if err != nil {
			return asked, err
		}
	}
	m.mu.Lock()
	h.retired, h.last = false, 0
	m.mu.Unlock()
	return asked, nil
}

func (m *Manager) retireAt(ctx context.Context, h *host, ca *authority) (asked bool, err error) {
	leaf, chain, err := ca.vault.leaf(ctx, h.name)
	switch {
	case err == nil && time.Now().Before(leaf.NotAfter):
		err := ca.revoke(ctx, chain)
		if err != nil && !alreadyRevoked(err) {
			return false, fmt.Errorf("revoking: %w", err)
		}
		asked = true
		m.log.Info("certificate revoked", "host", h.name, "ca", ca.name, "serial", serial(leaf))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	return asked, ca.vault.remove(ctx, h.name)
}

// alreadyRevoked reports whether the CA refused to revoke because there is nothing left to revoke, as after a crash
// between the revocation and the removal.
func alreadyRevoked(err error) bool {
	var problem acme.Problem
	return errors.As(err, &problem) && problem.Type == acme.ProblemTypeAlreadyRevoked
}
