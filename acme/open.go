package acme

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
)

// open fills the table with the zone's own hosts and with those that something is stored for.
func (m *Manager) open(ctx context.Context) error {
	own := []string{m.cfg.Zone, "*." + m.cfg.Zone}
	if m.cfg.PanelHost != m.cfg.Zone && !m.covered(m.cfg.PanelHost) {
		own = append(own, m.cfg.PanelHost)
	}
	for _, name := range own {
		h := m.newHost(name)
		h.zone, h.named = true, true
		m.table[name] = h
	}
	m.wildcard = m.table["*."+m.cfg.Zone]
	stored, err := m.stored(ctx)
	if err != nil {
		return fmt.Errorf("acme: %w", err)
	}
	reads, readCtx := errgroup.WithContext(ctx)
	reads.SetLimit(2 * runtime.GOMAXPROCS(0)) // a tenth of a millisecond each, half of it waiting for the disk
	for name, vaults := range stored {
		reads.Go(func() error { return m.take(readCtx, name, vaults) })
	}
	if err := reads.Wait(); err != nil {
		return fmt.Errorf("acme: %w", err)
	}
	if m.internal() != nil {
		return m.signOwn(ctx, own)
	}
	return nil
}

// stored finds the hosts that something is stored for, and where.
func (m *Manager) stored(ctx context.Context) (map[string][]vault, error) {
	var err error
	if m.former, err = m.storage.formerVaults(ctx, m.vaults()); err != nil {
		return nil, err
	}
	stored := make(map[string][]vault)
	for _, v := range m.vaults() {
		hosts, err := v.hosts(ctx)
		if err != nil {
			return nil, err
		}
		for _, name := range hosts {
			stored[name] = append(stored[name], v)
		}
	}
	return stored, nil
}

// vaults are the parts of the storage, those of the CAs that are configured first.
func (m *Manager) vaults() []vault {
	vaults := make([]vault, 0, len(m.authorities)+len(m.former))
	for _, a := range m.authorities {
		vaults = append(vaults, a.vault)
	}
	return append(vaults, m.former...)
}

// take serves what is stored for a host, of several certificates the best. Whether the host still exists, the first full
// change tells.
func (m *Manager) take(ctx context.Context, name string, vaults []vault) error {
	m.mu.Lock()
	h := m.table[name]
	if h == nil {
		h = m.newHost(name)
		m.table[name] = h
	}
	h.last = vaults[0].ca
	m.mu.Unlock()
	if m.covered(name) && !m.wants(h) {
		return nil
	}
	now := time.Now()
	for _, v := range vaults {
		pair, facts, err := v.load(ctx, name)
		switch {
		case errors.Is(err, errBroken):
			m.log.Warn("stored certificate cannot be used, another is ordered", "host", name, "err", err)
		case err != nil:
			return err
		case facts.preferred(h.facts.Load(), now):
			kept := m.storage.staple(ctx, pair, now)
			m.mu.Lock()
			h.staple.Store(kept)
			m.serve(h, pair, facts)
			m.mu.Unlock()
		}
	}
	if f := h.facts.Load(); f.current(now) && !f.from.former() {
		m.discard(ctx, h)
	}
	return nil
}

// signOwn gives the zone its certificates from the internal CA, so that the first visitor finds them.
func (m *Manager) signOwn(ctx context.Context, names []string) error {
	for _, name := range names {
		h := m.table[name]
		if f := h.facts.Load(); h.settled() && !f.ripe(time.Now(), m.cfg.RenewInterval) {
			continue
		}
		if _, err := m.obtain(ctx, h, m.authorities[0]); err != nil {
			return fmt.Errorf("acme: certificate of %s from the internal CA: %w", name, err)
		}
	}
	return nil
}
