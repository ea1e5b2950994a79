package acme

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"berth/sites"
)

// Config is what a Manager needs.
type Config struct {
	Zone      string
	PanelHost string // empty: the zone's apex

	Dir   string // certificates, accounts and the internal CA live below it; one process at a time
	CA    CA
	Email string // for the accounts at the CAs; may be empty

	Fallback CA // is asked where the first refuses or fails over and over; without a directory: none

	RenewInterval time.Duration // how often renewals are looked for, at least; more often for short-lived certificates
	PerSite       bool          // a certificate for each site; otherwise only for names that the zone's do not cover
	Challenges    Challenges    // not needed for the internal CA

	// Changed is called, without locks held, when what Certificate says of a host has changed through the work
	// of Run; for the zone's wildcard that includes the hosts it serves. It should return soon.
	Changed func(host string)
	// Restrict is called by Run, when it is known or has changed, with the data of the CAA records, in presentation format, that let this account alone
	// issue certificates for the zone; an empty list where the CA knows none any more. The internal CA has none and does not call it.
	// After an error it is tried again.
	Restrict func(ctx context.Context, caa []string) error
	Logger   *slog.Logger
}

// CA says where certificates come from.
type CA struct {
	Directory    string         // "letsencrypt", "letsencrypt-staging", "internal" or the URL of an ACME directory
	TrustedRoots *x509.CertPool // for the HTTPS of a private CA; nil: the system's

	EABKeyID string // of an account elsewhere that the ACME account is bound to (RFC 8555 section 7.3.4); empty: none
	EABKey   string // its HMAC key in base64url
	Profile  string // that orders ask for (draft-ietf-acme-profiles); empty: the CA's default

	WeeklyLimit int // first certificates for one registered domain in a week; 0: none is known
}

const (
	defaultRenewInterval = 10 * time.Minute
	ordersAtOnce         = 8
	signingsAtOnce       = 1 // of the internal CA: a thousand new sites must not take the processor
	stepTimeout          = 5 * time.Minute
)

// Manager keeps the certificates of a zone. It is a sites.Applier.
type Manager struct {
	cfg         Config
	log         *slog.Logger
	ledger      *ledger      // nil for the internal CA, which has no limits
	authorities []*authority // immutable; the first choice first
	former      []vault      // immutable: of CAs that are not configured any more
	answers     answers      // to CAs that come to our listeners
	index       sync.Map     // string to *host: those whose certificate may be served, and those that nothing else covers
	keyring     keyring
	stopgap     stopgap
	wildcard    *host // immutable
	orders      orders
	wake        chan struct{}
	asked       chan struct{} // certmagic has worked; there may be another account
	unstapled   chan struct{} // there is a certificate whose OCSP responder has not been asked
	storage     *storage

	mu       sync.Mutex
	table    map[string]*host // every host that is named or has something stored
	holders  holders          // whose hosts they are
	queue    queue
	full     int64         // full changes seen
	lookAt   time.Time     // when renewals are looked for next
	shortest time.Duration // lifetime of the shortest-lived certificate; 0: unknown

	questions questions // to OCSP responders
}

var _ sites.Applier = (*Manager)(nil)

// New makes a Manager with the certificates that storage holds. It does not use the network; a certificate of the
// internal CA for the zone is there when it returns. Run has to be called in the end, to let go of what New takes.
func New(cfg Config) (*Manager, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("acme: %w", err)
	}
	ctx := context.Background()
	m := &Manager{
		cfg:     cfg,
		log:     cfg.Logger,
		keyring: keyring{size: keyringSize},
		wake:    make(chan struct{}, 1),
		asked:   make(chan struct{}, 1),
		table:   make(map[string]*host),
		holders: make(holders),
		queue:   queue{limit: ordersAtOnce},

		unstapled: make(chan struct{}, 1),
		storage:   newStorage(cfg.Dir),
	}
	if err := m.connect(ctx); err != nil {
		m.close()
		return nil, err
	}
	if err := m.open(ctx); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// connect makes the ways to the CAs, as an earlier run has left them.
func (m *Manager) connect(ctx context.Context) error {
	for i, settings := range m.cfg.authorities() {
		a, err := newAuthority(ctx, m.cfg, settings, m.storage, func(directory string) *client {
			return newClient(m.cfg, settings, directory, m.storage, m.solvers, func(r refusal) { m.refused(i, r) })
		})
		if err != nil {
			return err
		}
		a.vault.ca, a.vault.name = i, a.name
		m.authorities = append(m.authorities, a)
		m.queue.lines = append(m.queue.lines, &line{budget: newBudget(), weekly: tally{limit: settings.WeeklyLimit, holders: m.holders}})
	}
	if m.internal() != nil {
		m.queue.limit, m.queue.lines[0].budget = signingsAtOnce, budget{}
		return nil
	}
	var (
		past entries
		err  error
	)
	if m.ledger, past, err = openLedger(m.cfg.Dir, time.Now(), m.log); err != nil {
		return err
	}
	m.remember(past)
	return nil
}

// check completes the configuration, or says what is wrong with it.
func (cfg *Config) check() error {
	cfg.Zone, cfg.PanelHost = sites.CanonicalHost(cfg.Zone), sites.CanonicalHost(cfg.PanelHost)
	if cfg.Zone == "" || cfg.Dir == "" {
		return errors.New("acme: a zone and a directory are needed")
	}
	if cfg.PanelHost == "" {
		cfg.PanelHost = cfg.Zone
	}
	internal := cfg.CA.Directory == "internal"
	if internal && cfg.PanelHost != cfg.Zone && !strings.HasSuffix(cfg.PanelHost, "."+cfg.Zone) {
		return fmt.Errorf("acme: the panel's host %s is not in the zone %s, and the internal CA issues for nothing else", cfg.PanelHost, cfg.Zone)
	}
	if err := cfg.checkAuthorities(); err != nil {
		return err
	}
	if cfg.Challenges == nil && !internal {
		return errors.New("acme: orders need a DNS server that publishes their challenges")
	}
	if cfg.RenewInterval <= 0 {
		cfg.RenewInterval = defaultRenewInterval
	}
	if cfg.Changed == nil {
		cfg.Changed = func(string) {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// authorities are the CAs in the order in which they are asked.
func (cfg *Config) authorities() []CA {
	if cfg.Fallback.Directory == "" {
		return []CA{cfg.CA}
	}
	return []CA{cfg.CA, cfg.Fallback}
}

func (cfg *Config) checkAuthorities() error {
	for _, at := range cfg.authorities() {
		if (at.EABKeyID == "") != (at.EABKey == "") {
			return fmt.Errorf("acme: an external account at %s needs both its key identifier and its key", at.Directory)
		}
		if _, err := base64.RawURLEncoding.DecodeString(at.EABKey); err != nil {
			return fmt.Errorf("acme: the key of the external account at %s is not in base64url without padding", at.Directory)
		}
	}
	fallback := cfg.Fallback.Directory
	switch {
	case fallback == "":
		return nil
	case cfg.CA.Directory == "internal" || fallback == "internal":
		return errors.New("acme: the internal CA neither needs a second one nor can be it: whoever trusts the one need not trust the other")
	case fallback == cfg.CA.Directory:
		return errors.New("acme: the second CA is the same as the first")
	}
	return nil
}

func (m *Manager) newHost(name string) *host { return &host{name: name, outside: !m.inZone(name)} }

// wants reports whether the host is to have a certificate of its own, as long as it exists.
func (m *Manager) wants(h *host) bool {
	switch {
	case h.zone:
		return true
	case m.covered(h.name):
		return m.cfg.PerSite
	default: // the internal CA may sign for the zone only
		return m.internal() == nil || !h.outside
	}
}

// covered reports whether the zone's wildcard is for that name.
func (m *Manager) covered(name string) bool { return parent(name) == m.cfg.Zone }

// RootPEM is the root certificate of the internal CA, or nil for other CAs.
func (m *Manager) RootPEM() []byte {
	if internal := m.internal(); internal != nil {
		return internal.pem()
	}
	return nil
}

// internal is the internal CA, or nil where certificates come from others.
func (m *Manager) internal() *internalCA { return m.authorities[0].internal }

// parent is what remains of a name without its first label.
func parent(host string) string {
	_, rest, _ := strings.Cut(host, ".")
	return rest
}
