package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"berth/panel/auth"
	"berth/sites"
	"berth/sites/sqlite"
	"berth/templates"
)

// devCommand is serve with everything filled in for a try-out.
type devCommand struct {
	DataDir   string     `default:"${devDataDir}" placeholder:"DIR" help:"Where everything is kept (${default})."`
	HTTPPort  int        `name:"http-port" default:"${devHTTPPort}" help:"Loopback port for HTTP (${default})."`
	HTTPSPort int        `name:"https-port" default:"${devHTTPSPort}" help:"Loopback port for HTTPS (${default})."`
	DNSPort   int        `name:"dns-port" default:"${devDNSPort}" help:"Loopback port for DNS (${default})."`
	Runtime   string     `enum:"auto,docker,embedded" default:"auto" help:"What runs sites: docker, embedded (in this process), or auto (${default})."`
	LogLevel  slog.Level `default:"warn" help:"debug, info, warn or error (${default})."`

	NetworkPool netip.Prefix `default:"10.1.0.0/16" placeholder:"SUBNET" help:"Private subnet for the addresses of instances (${default})."`
	Reset       bool         `env:"-" help:"Begin anew: first delete what an earlier try-out has left, its containers too."`
	Remove      bool         `env:"-" help:"Delete what an earlier try-out has left, its containers too, and end."`
}

const (
	devZone   = "berth.localhost"
	devAdmin  = "admin"
	devSample = "welcome"

	devDataDir = ".berth"

	devHTTPPort, devHTTPSPort, devDNSPort = 8080, 8443, 5354
)

func (d devCommand) config() *config {
	loopback := []string{"127.0.0.1"}
	if hasIPv6Loopback() {
		loopback = append(loopback, "::1") // browsers take berth.localhost to either
	}
	at := func(port int) (addrs []string) {
		for _, ip := range loopback {
			addrs = append(addrs, net.JoinHostPort(ip, fmt.Sprint(port)))
		}
		return addrs
	}
	cfg := &config{
		Zone: devZone, DataDir: d.DataDir,
		HTTPAddr: at(d.HTTPPort), HTTPSAddr: at(d.HTTPSPort), DNSAddr: at(d.DNSPort), HTTP3: true,
		PublicIPv4: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		ACMECA:     "internal", ACMERenewInterval: time.Minute, Certificates: "per-site",
		Runtime: d.Runtime, NetworkPool: d.NetworkPool,
		MaxUploadMB: 250, MaxUnpackedMB: 500, MaxFiles: 20000, MaxInstances: 4, AuditLogDays: 400, CacheMB: 64, DomainInterval: time.Hour,
		AccessLog: "combined", AccessLogMB: 200, AccessLogSiteMB: 10,
		LogLevel: d.LogLevel, LogFormat: "text",
	}
	if len(loopback) > 1 {
		cfg.PublicIPv6 = []netip.Addr{netip.IPv6Loopback()}
	}
	return cfg
}

func hasIPv6Loopback() bool {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func (d devCommand) Run(ctx context.Context, c console) error {
	cfg := d.config()
	if err := cfg.complete(); err != nil {
		return err
	}
	log := cfg.logger(c.err)
	if d.Reset || d.Remove {
		if err := reset(ctx, cfg, log); err != nil {
			return err
		}
	}
	if d.Remove {
		return nil
	}
	return explainPort(serve(ctx, cfg, log, func(p *program) error {
		password, err := p.devAccount(ctx)
		if err != nil {
			return err
		}
		p.afterBoot = p.addSample
		_, err = fmt.Fprint(c.out, p.banner(password))
		return err
	}))
}

// explainPort names the flag of a try-out in place of that of a service: --http-port 8080 for --http-addr 127.0.0.1:8080.
func explainPort(err error) error {
	var f *bindFault
	if !errors.As(err, &f) {
		return err
	}
	_, port, splitErr := net.SplitHostPort(f.addr)
	if splitErr != nil {
		return err
	}
	return fmt.Errorf("%s-port %s: %s; give another one", strings.TrimSuffix(f.flag, "-addr"), port, f.why)
}

// reset removes a try-out: what it has on the engine, then its data directory. Without the directory nobody would know
// which containers are its own, so it stays where they cannot be removed.
func reset(ctx context.Context, cfg *config, log *slog.Logger) error {
	if _, err := os.Stat(databasePath(cfg.DataDir)); errors.Is(err, fs.ErrNotExist) {
		return nil // nothing of ours is there, so nothing is deleted
	}
	if _, err := os.Stat(passwordPath(cfg.DataDir)); err != nil {
		return fmt.Errorf("%s holds no try-out, so it is not deleted", cfg.DataDir)
	}
	unlock, err := lockDataDir(cfg.DataDir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := emptyEngine(ctx, cfg, log); err != nil {
		return fmt.Errorf("the try-out's containers cannot be removed, so %s is kept (where the engine is away, start it and try again; else delete it by hand): %w", cfg.DataDir, err)
	}
	return os.RemoveAll(cfg.DataDir)
}

// emptyEngine removes what a data directory's installation has on the engine, if it has ever used one.
func emptyEngine(ctx context.Context, cfg *config, log *slog.Logger) (err error) {
	p := &program{cfg: cfg, log: log}
	if p.store, err = sqlite.Open(ctx, databasePath(cfg.DataDir), log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.store.Close()) }()
	before, err := p.store.Setting(ctx, "runtime")
	if errors.Is(err, sites.ErrNotFound) || err == nil && before != "docker" {
		return nil
	}
	if err != nil {
		return err
	}
	return p.uninstall(ctx)
}

// passwordPath is where a try-out keeps the password that it made; no other installation has the file.
func passwordPath(dataDir string) string { return filepath.Join(dataDir, "admin-password") }

// devAccount sees to the admin account and returns its password, which a try-out keeps beside its data; empty when its
// owner has set another.
func (p *program) devAccount(ctx context.Context) (password string, err error) {
	path := passwordPath(p.cfg.DataDir)
	hasher := auth.NewHasher(1)
	if kept, err := os.ReadFile(path); err == nil {
		return p.keptPassword(ctx, hasher, strings.TrimSpace(string(kept)))
	}
	password = auth.NewPassword()
	hash, err := hasher.Hash(ctx, password)
	if err != nil {
		return "", err
	}
	_, err = p.service.CreateAccount(ctx, sites.Operator, sites.NewAccount{Name: devAdmin, Role: sites.RoleAdmin, PasswordHash: hash})
	if errors.Is(err, sites.ErrTaken) {
		err = p.service.SetPassword(ctx, sites.Operator, devAdmin, hash)
	}
	if err != nil {
		return "", err
	}
	// The account comes first: without the file the next start sets a new password.
	half := path + ".new"
	if err := errors.Join(os.WriteFile(half, []byte(password+"\n"), 0o600), os.Rename(half, path)); err != nil {
		return "", fmt.Errorf("keep the password: %w", err)
	}
	return password, nil
}

// keptPassword is the password, if it is still the account's.
func (p *program) keptPassword(ctx context.Context, hasher *auth.Hasher, kept string) (string, error) {
	account, err := p.service.Account(ctx, devAdmin)
	if errors.Is(err, sites.ErrNotFound) {
		return "", nil // its owner has deleted it
	}
	if err != nil {
		return "", err
	}
	if ok, _, err := hasher.Verify(ctx, netip.IPv6Loopback(), account.PasswordHash, kept); err != nil || !ok {
		return "", err
	}
	return kept, nil
}

// addSample gives a first-time user a site to look at. It is done when the site has been live once.
func (p *program) addSample(ctx context.Context) error {
	if before, err := p.service.Setting(ctx, "sample"); err == nil && before != "" {
		return nil
	}
	account, err := p.service.Account(ctx, devAdmin)
	if errors.Is(err, sites.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	actor := sites.Actor{ID: account.ID, Name: account.Name, Role: account.Role, Origin: sites.System.Origin}
	if _, err := p.service.CreateSite(ctx, actor, sites.NewSite{Name: devSample}); err != nil && !errors.Is(err, sites.ErrTaken) {
		return err
	}
	archive, err := zipOf(templates.Sample, "sample")
	if err != nil {
		return err
	}
	if _, err := p.service.Upload(ctx, actor, devSample, archive); err != nil {
		return err
	}
	status, err := p.service.Await(ctx, actor, devSample)
	if err != nil || status.Active == 0 {
		return nil // the panel tells why; the next start tries again
	}
	return p.service.SetSetting(ctx, sites.System, "sample", devSample)
}

func zipOf(files fs.FS, dir string) (*bytes.Buffer, error) {
	var out bytes.Buffer
	below, err := fs.Sub(files, dir)
	if err != nil {
		return nil, err
	}
	w := zip.NewWriter(&out)
	return &out, errors.Join(w.AddFS(below), w.Close())
}

// banner is the first thing a new user sees.
func (p *program) banner(password string) string {
	port := p.bound.httpsPort()
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("")
	line("  berth %s is running, as a try-out: zone %s, data in %s", version, p.cfg.Zone, p.cfg.DataDir)
	line("")
	line("  Panel        %s", p.panelURL())
	line("  Log in as    %s", devAdmin)
	if password == "" {
		password = "the one that you have set"
	}
	line("  Password     %s", password)
	line("  Sample site  https://%s.%s:%d", devSample, p.cfg.Zone, port)
	line("")
	line("  Runtime      %s", p.runtimeNote)
	line("  DNS          dig @127.0.0.1 -p %d %s.%s", p.dnsPort(), devSample, p.cfg.Zone)
	line("  HTTPS        the certificates are of a CA that this try-out made, so a browser warns once;")
	line("               %s/root.crt is its root, if you would rather import it", p.panelURL())
	line("")
	line("  Ctrl-C stops it; %s begins anew,", resetLine(p.cfg.DataDir))
	line("  and with --remove in place of --reset it is deleted, its containers too")
	line("")
	return b.String()
}

// resetLine is the command that begins anew, to be pasted.
func resetLine(dataDir string) string {
	line := os.Args[0] + " dev --reset"
	if dataDir != devDataDir {
		line += " --data-dir " + dataDir
	}
	return line
}

func (p *program) panelURL() string {
	url := "https://" + p.cfg.PanelHost
	if port := p.bound.httpsPort(); port != 443 {
		url = fmt.Sprintf("%s:%d", url, port)
	}
	return url
}

func (p *program) dnsPort() int {
	return p.bound.dnsUDP[0].LocalAddr().(*net.UDPAddr).Port
}
