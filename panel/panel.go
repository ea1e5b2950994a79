package panel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"berth/panel/auth"
	"berth/sites"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"
)

// Certificates tells what is known of the installation's certificates, and renews them.
type Certificates interface {
	Certificate(host string) sites.Certificate
	Certificates() []sites.Certificate
	// Renew has a certificate renewed now; a sites.Refusal says why that cannot be.
	Renew(host string) error
	Budget() []sites.CertificateBudget
	Waits() []sites.CertificateWait
	RootPEM() []byte // the internal authority's root; nil when certificates come from elsewhere
}

// Edge is what the HTTPS server knows and the store does not.
type Edge interface {
	// Trouble is why requests to an instance are not answered, as far as has been seen.
	Trouble(netip.AddrPort) sites.InstanceTrouble
	Route(host string) sites.Route
	// Reach asks who answers by HTTP, port 80, at an address of this server.
	Reach(ctx context.Context, host string, addr netip.Addr) sites.Reach
}

// ServerInfo describes one of the servers that run beside the panel.
type ServerInfo struct {
	Name     string
	Addrs    []string
	Err      string // why it does not work, a sentence; empty: it does
	Counters []Counter
	Groups   []CounterGroup
}

// CounterGroup is one number told apart by something, such as queries by type.
type CounterGroup struct {
	Label    string
	Counters []Counter
}

// Counter is a labelled number.
type Counter struct {
	Label string
	Value int64
}

// Config is what a Panel is made of. All fields are required unless said otherwise.
type Config struct {
	Service      *sites.Service
	Certificates Certificates
	Edge         Edge
	DNS          DNS
	Sessions     scs.Store
	Servers      func() []ServerInfo
	Visits       Visits
	Zone         string // without trailing dot
	PanelHost    string
	Addresses    []netip.Addr // of this server, to tell people; may be empty
	HTTPSPort    int          // that visitors use; 0 means 443
	Version      string
	DataDir      string
	MaxUpload    int64 // bytes of an uploaded zip
	MaxUnpacked  int64 // bytes it may hold, to tell people; 0: not told
	MaxFiles     int   // files it may hold, to tell people; 0: not told
	Started      time.Time
	RuntimeNote  string // why this runtime was taken; may be empty
	Logger       *slog.Logger
}

// Panel answers the requests for the panel's host.
type Panel struct {
	cfg      Config
	service  *sites.Service
	log      *slog.Logger
	echo     *echo.Echo
	operator *echo.Echo
	origin   *http.CrossOriginProtection
	sessions *auth.Sessions
	hasher   *auth.Hasher
	throttle *auth.Throttle
	refusals *refusals
	secrets  *secrets
	making   sync.Mutex // held while a token is made
	streams  *streams
	pace     pace
	meters   *meters

	unpackPatience time.Duration

	delegations *delegations
	peering     sync.Mutex // held while a zone's peers are read and written
}

// concurrentHashes bounds the memory that logins take: 19 MiB each.
const concurrentHashes = 2

// New returns a Panel. Close it to end its streams.
func New(cfg Config) (*Panel, error) {
	switch {
	case cfg.Service == nil, cfg.Certificates == nil, cfg.Edge == nil, cfg.DNS == nil, cfg.Sessions == nil, cfg.Servers == nil, cfg.Visits == nil, cfg.Logger == nil:
		return nil, errors.New("panel: a part of the configuration is missing")
	case cfg.MaxUpload <= 0:
		return nil, fmt.Errorf("panel: the largest upload is %d bytes", cfg.MaxUpload)
	}
	p := &Panel{
		cfg:      cfg,
		service:  cfg.Service,
		log:      cfg.Logger,
		origin:   http.NewCrossOriginProtection(),
		hasher:   auth.NewHasher(concurrentHashes),
		throttle: auth.NewThrottle(),
		refusals: newRefusals(),
		secrets:  newSecrets(),
		streams:  newStreams(),
		pace:     defaultPace(),
		meters:   newMeters(cfg.DataDir),

		unpackPatience: unpackPatience,

		delegations: newDelegations(),
	}
	p.sessions = auth.NewSessions(cfg.Sessions, p.sessionFailed)
	p.echo = p.router(p.cookies, p.browser)
	p.routes(p.echo)
	p.operator = p.router(asOperator)
	p.apiRoutes(p.operator.Group(pathAPI))
	return p, nil
}

// router is an echo without routes.
func (p *Panel) router(more ...echo.MiddlewareFunc) *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = p.fail
	e.Logger.SetOutput(io.Discard) // it reports nothing that fail does not
	e.Use(p.identify, p.harden, p.recoverPanic)
	e.Use(more...)
	return e
}

// ServeHTTP answers one request.
func (p *Panel) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.echo.ServeHTTP(w, r) }

// Close ends event streams, followed logs and requests that wait for a site. Other requests go on.
func (p *Panel) Close() { p.streams.close() }

func (p *Panel) usualPort() bool { return p.cfg.HTTPSPort == 0 || p.cfg.HTTPSPort == 443 }

// siteURL is where visitors find a host.
func (p *Panel) siteURL(host string) string { return "https://" + host + p.port() }

// port is what follows a host in addresses.
func (p *Panel) port() string {
	if p.usualPort() {
		return ""
	}
	return ":" + strconv.Itoa(p.cfg.HTTPSPort)
}
