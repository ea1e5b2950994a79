package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"berth/acme"
	"berth/dnsserver"
	"berth/dnsserver/zonefile"
	"berth/panel"
	"berth/proxy"
	"berth/proxy/accesslog"
	"berth/proxy/analytics"
	"berth/sites"
	"berth/sites/bundle"
	"berth/sites/embedded"
	"berth/sites/sqlite"
)

// program is the service: everything built and wired, nothing running until run.
type program struct {
	cfg         *config
	log         *slog.Logger
	bound       *sockets
	store       *sqlite.Store
	service     *sites.Service
	dns         *dnsserver.Server
	certs       *acme.Manager
	edge        *proxy.Proxy
	visits      *accesslog.Log
	counts      *analytics.Counts
	panel       *panel.Panel
	inProcess   *embedded.Runtime
	runtimeNote string
	started     time.Time
	afterBoot   func(context.Context) error // runs once beside the servers, which go on where it fails; may be nil
}

func build(ctx context.Context, cfg *config, bound *sockets, log *slog.Logger) (_ *program, err error) {
	p := &program{cfg: cfg, log: log, bound: bound, started: time.Now()}
	if p.store, err = sqlite.Open(ctx, databasePath(cfg.DataDir), log); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.store.Close())
		}
	}()
	for _, step := range []func(context.Context) error{p.buildDNS, p.buildCertificates, p.buildEdge, p.buildService, p.buildPanel} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *program) buildDNS(context.Context) (err error) {
	p.dns, err = dnsserver.New(dnsserver.Config{
		Zone:        p.cfg.Zone,
		Nameservers: p.cfg.Nameserver,
		IPv4:        p.cfg.PublicIPv4,
		IPv6:        p.cfg.PublicIPv6,
		PanelHost:   p.cfg.PanelHost,
		Contact:     p.cfg.ACMEEmail,
		Sources:     p.bound.dnsSources(),
		HTTP3:       p.cfg.HTTP3,
		DataDir:     p.cfg.DataDir,
		Logger:      p.log,

		LookupHost: p.cfg.lookupHost,
		Revise:     func(ctx context.Context, fn func(int64)) error { return p.service.Revise(ctx, fn) },

		Certificate:     p.dnsCertificate,
		NSID:            p.cfg.DNSNSID,
		RateLimit:       p.cfg.DNSRateLimit,
		RateLimitExempt: p.cfg.DNSRateLimitExempt,
	})
	return err
}

// dnsCertificate is for DNS over TLS. A client that calls the server by an address, or by a name that has no certificate here,
// gets the panel's: it encrypts without knowing whom it speaks to (RFC 7858 section 4.1), or finds out by itself.
func (p *program) dnsCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if pair, err := p.certs.GetCertificate(hello); err == nil && hello.ServerName != "" {
		return pair, nil
	}
	panel := *hello
	panel.ServerName = p.cfg.PanelHost
	return p.certs.GetCertificate(&panel)
}

func (p *program) buildCertificates(context.Context) error {
	first, fallback, err := p.cfg.issuers()
	if err != nil {
		return err
	}
	p.certs, err = acme.New(acme.Config{
		Zone:          p.cfg.Zone,
		PanelHost:     p.cfg.PanelHost,
		Dir:           p.certificateDir(),
		CA:            first,
		Fallback:      fallback,
		Email:         p.cfg.ACMEEmail,
		RenewInterval: p.cfg.ACMERenewInterval,
		PerSite:       p.cfg.Certificates == "per-site",
		Challenges:    p.dns,
		Changed:       func(host string) { p.service.HostChanged(host) },
		Restrict:      p.dns.SetIssuers,
		Logger:        p.log,
	})
	return err
}

func (p *program) certificateDir() string { return filepath.Join(p.cfg.DataDir, "acme") }

func (p *program) buildEdge(context.Context) error {
	p.inProcess = embedded.New(p.log)
	p.buildTraffic()
	p.edge = proxy.New(proxy.Config{
		Zone:      p.cfg.Zone,
		PanelHost: p.cfg.PanelHost,
		// The panel is built last, as it needs all the others; nothing serves before that.
		Panel:          http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.panel.ServeHTTP(w, r) }),
		HTTPSPort:      p.bound.httpsPort(),
		HTTPPort:       p.bound.httpPort(),
		GetCertificate: p.certs.GetCertificate,
		HTTPChallenge:  p.certs.HTTPChallenge,
		Static:         p.inProcess.Handler,
		Pages:          visitorPages{},
		CacheBytes:     p.cfg.CacheMB << 20,
		Hits:           hitSinks{p.visits, p.counts},
		Logger:         p.log,

		TrustedProxies: p.cfg.TrustedProxy,
		Balancers:      p.cfg.ProxyProtocol,
		TicketFile:     filepath.Join(p.cfg.DataDir, "tls-sessions.json"),
	})
	return nil
}

func (p *program) buildService(ctx context.Context) error {
	runtime, err := p.chooseRuntime(ctx)
	if err != nil {
		return err
	}
	limits := bundle.DefaultLimits()
	limits.Bytes, limits.Files = p.cfg.MaxUnpackedMB<<20, p.cfg.MaxFiles
	p.service, err = sites.New(sites.Config{
		Store:         p.store,
		Runtime:       runtime,
		InProcess:     runtime == sites.Runtime(p.inProcess),
		Drainer:       p.edge,
		Appliers:      []sites.Applier{p.dns, p.visits, p.edge, p.certs},
		Unpack:        unpacker(limits),
		Zone:          p.cfg.Zone,
		Syntax:        zonefile.Syntax{},
		Parent:        parentage{p.dns, p.cfg},
		ReservedHosts: append([]string{p.cfg.PanelHost}, p.cfg.Nameserver...),
		DataDir:       p.cfg.DataDir,
		MaxUpload:     p.cfg.MaxUploadMB << 20,
		MostInstances: p.cfg.MaxInstances,
		KeepEvents:    time.Duration(p.cfg.AuditLogDays) * 24 * time.Hour,
		Logger:        p.log,

		Domains:        outlook{p.cfg, p.edge},
		Addresses:      slices.Concat(p.cfg.PublicIPv4, p.cfg.PublicIPv6),
		Authorities:    p.certs.CAAIdentities,
		DomainInterval: p.cfg.DomainInterval,
	})
	return err
}

func (p *program) buildPanel(context.Context) (err error) {
	p.panel, err = panel.New(panel.Config{
		Service:      p.service,
		Certificates: p.certs,
		Edge:         p.edge,
		DNS:          parentage{p.dns, p.cfg},
		Sessions:     p.store.Sessions(),
		Servers:      p.servers,
		Visits:       p.visits,
		Zone:         p.cfg.Zone,
		PanelHost:    p.cfg.PanelHost,
		Addresses:    slices.Concat(p.cfg.PublicIPv4, p.cfg.PublicIPv6),
		Version:      version,
		DataDir:      p.cfg.DataDir,
		HTTPSPort:    p.bound.httpsPort(),
		MaxUpload:    p.cfg.MaxUploadMB << 20,
		MaxUnpacked:  p.cfg.MaxUnpackedMB << 20,
		MaxFiles:     p.cfg.MaxFiles,
		Started:      p.started,
		RuntimeNote:  p.runtimeNote,
		Logger:       p.log,
	})
	return err
}

// run serves until ctx is done. What faces the network begins when there is something to answer from, and drains first,
// while the use cases still work for the requests in flight; the store is closed by close, when nothing can need it any more.
func (p *program) run(ctx context.Context) error {
	detached, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	workers, working := errgroup.WithContext(detached)
	workers.Go(func() error { return p.service.Run(working) })
	workers.Go(func() error { return p.certs.Run(working) })
	workers.Go(func() error { p.visits.Run(working); return nil })
	workers.Go(func() error { p.counts.Run(working); return nil })

	// A worker that fails ends the serving.
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	context.AfterFunc(working, stopServing)
	select {
	case <-p.service.Booted():
	case <-serving.Done():
	}
	if p.afterBoot != nil {
		workers.Go(func() error {
			if err := p.afterBoot(working); err != nil && working.Err() == nil {
				p.log.Warn("what comes after the boot failed", "error", err)
			}
			return nil
		})
	}
	workers.Go(func() error {
		select {
		case <-p.service.Settled():
			debug.FreeOSMemory() // the boot's garbage: reading all sites and signing their names leaves a lot of it
		case <-working.Done():
		}
		return nil
	})
	err := p.serve(serving)
	stopWorking()
	return errors.Join(err, workers.Wait())
}

// serve answers until ctx is done and everything in flight has drained.
func (p *program) serve(ctx context.Context) error {
	facing, ctx := errgroup.WithContext(ctx)
	facing.Go(func() error {
		return p.dns.Serve(ctx, dnsserver.Sockets{UDP: p.bound.dnsUDP, TCP: p.bound.dnsTCP, TLS: p.bound.dnsTLS})
	})
	facing.Go(func() error { return p.serveAdmin(ctx) })
	facing.Go(func() error { return p.serveOperator(ctx) })
	facing.Go(func() error {
		return p.edge.Serve(ctx, proxy.Sockets{Plain: p.bound.http, Secure: p.bound.https, QUIC: p.bound.http3})
	})
	facing.Go(func() error {
		<-ctx.Done()
		p.panel.Close() // streams to browsers would hold up the drain
		return nil
	})
	return facing.Wait()
}

// close releases what build opened, after run.
func (p *program) close() error {
	return errors.Join(p.inProcess.Close(), p.store.Close())
}

// installation is the id of this data directory, made at first start; objects on the engine bear it.
func (p *program) installation(ctx context.Context) (string, error) {
	id, err := p.store.Setting(ctx, "installation")
	if err == nil || !errors.Is(err, sites.ErrNotFound) {
		return id, err
	}
	random := make([]byte, 6)
	_, _ = rand.Read(random) // never fails
	id = hex.EncodeToString(random)
	return id, p.put(ctx, "installation", id)
}

// put keeps a setting before there is a Service, whose SetSetting is for all that comes later; one that is so already makes no event.
func (p *program) put(ctx context.Context, key, value string) error {
	if before, err := p.store.Setting(ctx, key); err == nil && before == value {
		return nil
	}
	event := &sites.Event{Actor: sites.System.Name, Origin: sites.System.Origin, Action: "setting.set", Subject: key, Detail: value}
	_, err := p.store.Write(ctx, event, func(tx sites.Tx) error { return tx.PutSetting(ctx, key, value) })
	return err
}
