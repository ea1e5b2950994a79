package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// client gets certificates from one ACME authority (RFC 8555), for certmagic to keep. certmagic's own would solve challenges
// either by DNS or by listeners that it opens itself.
type client struct {
	directory string
	key       string // names its part of the storage
	email     string // in lower case; may be empty
	profile   string // draft-ietf-acme-profiles; empty: the CA's default
	binding   *acme.EAB
	http      *http.Client
	storage   certmagic.Storage
	solvers   func(host string, attempts int) map[string]acmez.Solver
	log       *slog.Logger

	told atomic.Pointer[directory] // nil: it has not been asked for yet

	mu          sync.Mutex
	registering *registration // nil: none is under way
}

var (
	_ issuer                      = (*client)(nil)
	_ certmagic.RenewalInfoGetter = (*client)(nil)
)

func newClient(cfg Config, at CA, directory string, storage certmagic.Storage,
	solvers func(string, int) map[string]acmez.Solver, refused func(refusal),
) *client {
	c := &client{
		directory: directory,
		key:       (&certmagic.ACMEIssuer{CA: directory}).IssuerKey(),
		email:     accountEmail(cfg.Email),
		profile:   at.Profile,
		http:      &http.Client{Transport: witness{newTransport(at.TrustedRoots), refused}, Timeout: time.Minute},
		storage:   storage,
		solvers:   solvers,
		log:       quiet(cfg.Logger),
	}
	if at.EABKeyID != "" {
		c.binding = &acme.EAB{KeyID: at.EABKeyID, MACKey: at.EABKey}
	}
	return c
}

func newTransport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: roots},
		TLSHandshakeTimeout:   30 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		IdleConnTimeout:       time.Minute,
		ForceAttemptHTTP2:     true,
	}
}

// IssuerKey names the part of the storage that holds what this CA issued.
func (c *client) IssuerKey() string { return c.key }

// connect is for one step, so that nonces are fresh.
func (c *client) connect(ctx context.Context) (*acme.Client, error) {
	known, err := c.known(ctx)
	if err != nil {
		return nil, err
	}
	by := &http.Client{Transport: withDirectory{c.http.Transport, c.directory, known}, Timeout: c.http.Timeout}
	return &acme.Client{Directory: c.directory, HTTPClient: by, UserAgent: "berth", Logger: c.log}, nil
}

// Issue orders a certificate. An account that the CA has forgotten is replaced by a new one.
func (c *client) Issue(ctx context.Context, request *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	issued, account, err := c.order(ctx, request)
	if problem := (acme.Problem{}); errors.As(err, &problem) && problem.Type == acme.ProblemTypeAccountDoesNotExist {
		if err := c.forget(ctx, account); err != nil {
			return nil, err
		}
		issued, _, err = c.order(ctx, request)
	}
	return issued, err
}

func (c *client) order(ctx context.Context, request *x509.CertificateRequest) (*certmagic.IssuedCertificate, acme.Account, error) {
	conn, err := c.connect(ctx)
	if err != nil {
		return nil, acme.Account{}, err
	}
	account, err := c.account(ctx, conn)
	if err != nil {
		return nil, account, err
	}
	order, err := acmez.OrderParametersFromCSR(account, request)
	if err != nil {
		return nil, account, fmt.Errorf("making an order: %w", err)
	}
	order.Profile = c.profile
	attempts := 0
	if s := stepOf(ctx); s != nil {
		order.Replaces, attempts = s.replaces, s.attempts
	}
	solving := acmez.Client{Client: conn, ChallengeSolvers: c.solvers(order.Identifiers[0].Value, attempts)}
	chains, err := solving.ObtainCertificate(ctx, order)
	if err != nil && strings.Contains(err.Error(), "no solvers available") { // acmez has no value for it
		err = fmt.Errorf("%w: %w", errNoWay, err)
	}
	if err != nil {
		return nil, account, err
	}
	if len(chains) == 0 {
		return nil, account, errors.New("the CA sent no certificate")
	}
	return &certmagic.IssuedCertificate{Certificate: chains[0].ChainPEM, Metadata: chains[0]}, account, nil
}

// Revoke ends a certificate.
func (c *client) Revoke(ctx context.Context, ended certmagic.CertificateResource, reason int) error {
	conn, err := c.connect(ctx)
	if err != nil {
		return err
	}
	account, err := c.account(ctx, conn)
	if err != nil {
		return err
	}
	leaf, err := parseLeaf(ended.CertificatePEM)
	if err != nil {
		return err
	}
	return conn.RevokeCertificate(ctx, account, leaf, account.PrivateKey, reason)
}

// GetRenewalInfo asks when to renew (RFC 9773).
func (c *client) GetRenewalInfo(ctx context.Context, of certmagic.Certificate) (acme.RenewalInfo, error) {
	conn, err := c.connect(ctx)
	if err != nil {
		return acme.RenewalInfo{}, err
	}
	return conn.GetRenewalInfo(ctx, of.Leaf)
}
