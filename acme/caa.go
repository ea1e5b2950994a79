package acme

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
)

const restrictEvery = time.Hour // the longest pause between two attempts

// errNoAccount: the installation has not registered at the CA yet; the first order does.
var errNoAccount = errors.New("no account at the CA yet")

// restrict hands cfg.Restrict the CAA data as soon as the accounts and the CAs' identities are known, from an earlier run if need
// be, and whenever they are others: another account is registered when a CA has forgotten the old one. A CA that is not
// known yet is left out until it is, for what may issue must not wait for what may not.
func (m *Manager) restrict(ctx context.Context) {
	for _, a := range m.authorities {
		a.names.Store(a.keptIdentities(ctx))
	}
	said, _ := m.say(ctx, nil) // what fails is said again
	asked := make([]bool, len(m.authorities))
	var (
		err, unasked error
		next         time.Time // when CAs are asked; what certmagic does is no reason to ask one that is in trouble
	)
	for pause := time.Second; ; {
		if now := time.Now(); !now.Before(next) {
			unasked = m.askIdentities(ctx, asked)
			next, pause = now.Add(pause), min(2*pause, restrictEvery)
			if unasked != nil {
				next = later(next, m.awaited(asked))
			}
		}
		said, err = m.say(ctx, said)
		wait := restrictEvery
		if err = errors.Join(unasked, err); err != nil {
			m.log.Debug("CAA records cannot be said yet, or not of all CAs", "err", err)
			wait = time.Until(next)
		}
		if !m.await(ctx, wait) {
			return
		}
	}
}

// askIdentities asks the CAs that have not been asked yet. The second one is registered at before it is needed: its
// account has to be in the DNS by then.
func (m *Manager) askIdentities(ctx context.Context, asked []bool) error {
	var failed error
	for i, a := range m.authorities {
		if asked[i] {
			continue
		}
		if away := m.awayUntil(i); away.After(time.Now()) {
			failed = fmt.Errorf("%s is not to be asked before %v", a.name, away)
			continue
		}
		found, err := a.identities(ctx)
		if err == nil && i > 0 {
			err = a.client.settle(ctx)
		}
		if err != nil {
			failed = err
			continue
		}
		a.names.Store(&found)
		asked[i] = true
	}
	return failed
}

// awayUntil is when a CA may be asked again, whatever for.
func (m *Manager) awayUntil(ca int) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.queue.lines[ca].gate.until
}

// awaited is when one of the CAs that have not been asked yet may be.
func (m *Manager) awaited(asked []bool) time.Time {
	soonest := time.Now().Add(forever)
	for i, done := range asked {
		if away := m.awayUntil(i); !done && away.Before(soonest) {
			soonest = away
		}
	}
	return soonest
}

// await returns when certmagic has worked or the time has passed; false when ctx is done.
func (m *Manager) await(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-m.asked:
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// say calls cfg.Restrict unless that has been said, and returns what has been said now. It is an error if that lacks a CA.
func (m *Manager) say(ctx context.Context, said []string) ([]string, error) {
	var (
		caa     []string
		unknown error
	)
	for i, a := range m.authorities {
		more, err := a.restriction(ctx)
		switch {
		case err != nil && i == 0:
			return said, err
		case err != nil:
			unknown = err
		}
		caa = append(caa, more...)
	}
	if slices.Equal(caa, said) {
		return said, unknown
	}
	if err := m.cfg.Restrict(ctx, caa); err != nil {
		return said, err
	}
	return caa, unknown
}

// restriction is the CAA data (RFC 8659 section 4) by which the CA, under its names in CAA records, issues for this
// installation's accounts alone and by DNS-01 alone (RFC 8657); nothing for a CA that has no such names.
func (a *authority) restriction(ctx context.Context) ([]string, error) {
	accounts, err := a.accounts(ctx)
	if err != nil {
		return nil, err
	}
	names := a.identified()
	var caa []string
	for _, tag := range []string{"issue", "issuewild"} {
		for _, name := range names {
			for _, account := range accounts {
				caa = append(caa, fmt.Sprintf(`0 %s "%s; validationmethods=dns-01; accounturi=%s"`, tag, name, account))
			}
		}
	}
	return caa, nil
}

// accounts lists the URLs of the installation's accounts at the CA, of which certmagic uses one: there are several after
// the mail address has been changed.
func (a *authority) accounts(ctx context.Context) ([]string, error) {
	storage := a.magic.Storage
	keys, err := storage.List(ctx, accountsKey(a.issuer), true)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoAccount
	}
	if err != nil {
		return nil, fmt.Errorf("accounts at the CA: %w", err)
	}
	var accounts []string
	for _, key := range keys {
		if !strings.HasSuffix(key, ".json") {
			continue
		}
		content, err := storage.Load(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("account at the CA: %w", err)
		}
		var account struct{ Location string }
		if err := json.Unmarshal(content, &account); err != nil {
			return nil, fmt.Errorf("account at the CA: %w", err)
		}
		if isParameter(account.Location) {
			accounts = append(accounts, account.Location)
		}
	}
	if len(accounts) == 0 {
		return nil, errNoAccount
	}
	slices.Sort(accounts)
	return accounts, nil
}

// CAAIdentities are the names by which CAA records mean the CAs that certificates come from, those of the first choice first. There are
// none as long as those of one CA are not known: nobody can say what it is not allowed then.
func (m *Manager) CAAIdentities() []string {
	var all []string
	for _, a := range m.authorities {
		names := a.identified()
		if len(names) == 0 {
			return nil
		}
		for _, name := range names {
			all = append(all, strings.ToLower(name))
		}
	}
	return all
}

// identified are the names by which CAA records mean the CA, as far as that is known.
func (a *authority) identified() []string {
	if names := a.names.Load(); names != nil {
		return *names
	}
	return nil
}

// identitiesKey is where the CA's identities are kept, for starts at which the CA cannot be asked.
func (a *authority) identitiesKey() string {
	return path.Join("caa", certmagic.StorageKeys.Safe(a.issuer.IssuerKey())+".json")
}

// keptIdentities are those that the CA has told an earlier run, nil if none.
func (a *authority) keptIdentities(ctx context.Context) *[]string {
	var names []string
	content, err := a.magic.Storage.Load(ctx, a.identitiesKey())
	if err != nil || json.Unmarshal(content, &names) != nil {
		return nil
	}
	return &names
}

// identities asks the CA for the names by which CAA records mean it (RFC 8555 section 7.1.1), and keeps them.
func (a *authority) identities(ctx context.Context) ([]string, error) {
	names, err := a.askIdentities(ctx)
	if err != nil {
		return nil, fmt.Errorf("CAA identities of %s: %w", a.client.directory, err)
	}
	content, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	if err := a.magic.Storage.Store(ctx, a.identitiesKey(), content); err != nil {
		return nil, fmt.Errorf("keep CAA identities: %w", err)
	}
	return names, nil
}

func (a *authority) askIdentities(ctx context.Context) ([]string, error) {
	known, err := a.client.known(ctx)
	if err != nil {
		return nil, err
	}
	for _, identity := range known.Meta.CAAIdentities {
		if !certmagic.SubjectQualifiesForCert(identity) || !isParameter(identity) {
			return nil, fmt.Errorf("%q is not a domain name", identity)
		}
	}
	return known.Meta.CAAIdentities, nil
}

// isParameter holds for what can stand as a value in CAA data (RFC 8659 section 4.2), and needs no escape in a quoted string.
func isParameter(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`";\`, r) })
}
