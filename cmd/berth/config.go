package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"berth/dnsserver/delegation"
	"berth/sites"

	"github.com/alecthomas/kong"
	kongtoml "github.com/alecthomas/kong-toml"
)

// config is everything that the service can be told. Each field is a flag, a BERTH_ variable and a key of the TOML file.
type config struct {
	Config kong.ConfigFlag `placeholder:"FILE" help:"TOML file whose keys are these flags. The environment and the command line win over it."`

	Zone       string   `required:"" placeholder:"DOMAIN" help:"The delegated domain; sites are names below it."`
	PanelHost  string   `placeholder:"HOST" help:"Host name of the panel; outside the zone, its DNS has to lead here. Default: the zone itself."`
	Nameserver []string `placeholder:"HOST" help:"Names of the nameservers, as entered at the registrar. Default: ns1 below the zone."`
	DataDir    string   `default:"/var/lib/berth" placeholder:"DIR" help:"Where everything is kept (${default})."`

	HTTPAddr  []string `name:"http-addr" default:":80" placeholder:"ADDR" help:"Addresses for HTTP (${default}); it redirects to HTTPS."`
	HTTPSAddr []string `name:"https-addr" default:":443" placeholder:"ADDR" help:"Addresses for HTTPS (${default})."`
	DNSAddr   []string `name:"dns-addr" default:":53" placeholder:"ADDR" help:"Addresses for DNS over UDP and TCP (${default})."`

	HTTP3         bool           `name:"http3" env:"BERTH_HTTP3" default:"true" negatable:"" help:"Serve HTTP/3 on UDP at the addresses for HTTPS (on)."`
	ProxyProtocol []netip.Prefix `placeholder:"PREFIX" help:"Networks of load balancers whose TCP connections to HTTP and HTTPS begin by the PROXY protocol, version 1 or 2; from them it is required. Default: none."`
	TrustedProxy  []netip.Prefix `placeholder:"PREFIX" help:"Networks of load balancers whose X-Forwarded-For and X-Forwarded-Proto are believed. Default: none."`

	Resolver string `placeholder:"ADDR" help:"Recursive resolver that delegations are checked through, such as 9.9.9.9 or [2620:fe::fe]:53. Default: the system's."`

	DomainInterval time.Duration `name:"domain-interval" default:"6h" placeholder:"TIME" help:"How often custom domains in use are looked at (${default}). One that leads elsewhere in four looks or more, over four times as long, has lapsed: no certificate is ordered for it."`

	DNSTLSAddr         []string       `name:"dns-tls-addr" placeholder:"ADDR" help:"Addresses for DNS over TLS, such as :853. Default: none."`
	DNSNSID            string         `name:"dns-nsid" placeholder:"TEXT" help:"What the DNS server calls itself to those who ask (RFC 5001). Default: nothing."`
	DNSRateLimit       int            `name:"dns-rate-limit" default:"20" placeholder:"N" help:"DNS answers of one kind per second to one network (IPv4 /24, IPv6 /56) over UDP, 0 for no limit (${default})."`
	DNSRateLimitExempt []netip.Prefix `name:"dns-rate-limit-exempt" default:"127.0.0.0/8,::1/128" placeholder:"PREFIX" help:"Networks that are not limited (${default})."`

	PublicIPv4 []netip.Addr `name:"public-ipv4" env:"BERTH_PUBLIC_IPV4" placeholder:"IP" help:"IPv4 addresses that the world reaches this server at. Default: the public ones of its interfaces."`
	PublicIPv6 []netip.Addr `name:"public-ipv6" env:"BERTH_PUBLIC_IPV6" placeholder:"IP" help:"IPv6 addresses likewise."`

	ACMECA            string        `name:"acme-ca" default:"letsencrypt" placeholder:"CA" help:"letsencrypt, letsencrypt-staging, internal, or the URL of an ACME directory (${default})."`
	ACMEEmail         string        `name:"acme-email" placeholder:"ADDRESS" help:"Where the CA writes to when something is wrong with certificates; also the contact in the zone's SOA record, which everybody can read."`
	ACMERoot          string        `name:"acme-root" placeholder:"FILE" help:"PEM of the root that a private CA's own HTTPS is signed by."`
	ACMERenewInterval time.Duration `name:"acme-renew-interval" default:"10m" placeholder:"TIME" help:"How often renewals are looked for (${default})."`
	ACMEEABKid        string        `name:"acme-eab-kid" placeholder:"ID" help:"Key identifier of an account at the CA that ours is bound to, where the CA asks for that."`
	ACMEEABHMAC       string        `name:"acme-eab-hmac" placeholder:"KEY" help:"Key of the same, in base64url; better given as BERTH_ACME_EAB_HMAC or in the file."`
	ACMEProfile       string        `name:"acme-profile" placeholder:"NAME" help:"Profile that certificates are ordered with, such as shortlived. Default: the CA's."`
	ACMEWeeklyLimit   *int          `name:"acme-weekly-limit" placeholder:"N" help:"First certificates that the CA gives for one registered domain in a week, 0 if none is known. Default: 50 for Let's Encrypt, 0 for others."`

	ACMEFallbackCA      string `name:"acme-fallback-ca" placeholder:"CA" help:"Second CA, for what the first refuses or fails over and over: letsencrypt or the URL of an ACME directory. Default: none."`
	ACMEFallbackRoot    string `name:"acme-fallback-root" placeholder:"FILE" help:"Its --acme-root."`
	ACMEFallbackEABKid  string `name:"acme-fallback-eab-kid" placeholder:"ID" help:"Its --acme-eab-kid."`
	ACMEFallbackEABHMAC string `name:"acme-fallback-eab-hmac" placeholder:"KEY" help:"Its --acme-eab-hmac."`
	ACMEFallbackProfile string `name:"acme-fallback-profile" placeholder:"NAME" help:"Its --acme-profile."`

	Certificates string `enum:"per-site,wildcard" default:"per-site" help:"per-site orders a certificate for each site, wildcard uses the zone's for all (${default})."`

	Runtime     string       `enum:"auto,docker,embedded" default:"auto" help:"What runs sites: docker, embedded (in this process), or auto (${default})."`
	NetworkPool netip.Prefix `default:"10.1.0.0/16" placeholder:"SUBNET" help:"Private subnet for the addresses of instances (${default})."`

	MaxUploadMB   int64 `name:"max-upload-mb" default:"250" placeholder:"MB" help:"Largest zip that can be uploaded (${default})."`
	MaxUnpackedMB int64 `name:"max-unpacked-mb" default:"500" placeholder:"MB" help:"Largest release, unpacked (${default})."`
	MaxFiles      int   `default:"20000" placeholder:"N" help:"Most files in a release (${default})."`

	CacheMB int64 `name:"cache-mb" default:"64" placeholder:"MB" help:"Memory for the responses of sites that may be kept, 0 to keep none (${default}). It is taken as there is something to keep."`

	MaxInstances int `default:"4" placeholder:"N" help:"Most instances that an owner may give a site, 1 to 8 (${default}); admins may give 8."`

	AccessLog       string   `enum:"combined,json,off" default:"combined" help:"Format of the sites' access logs below logs/ in the data directory: combined, json, or off for none (${default})."`
	AccessLogMB     int64    `name:"access-log-mb" default:"2000" placeholder:"MB" help:"Most that all access logs may take; the oldest go first (${default})."`
	AccessLogSiteMB int64    `name:"access-log-site-mb" default:"50" placeholder:"MB" help:"Most that the access log of one site may take (${default})."`
	AuditLogDays    int      `name:"audit-log-days" default:"400" placeholder:"DAYS" help:"How long the audit log, which the panel shows as activity, is kept (${default})."`
	AdminAddr       []string `name:"admin-addr" placeholder:"ADDR" help:"Addresses for metrics and profiles over plain HTTP, without a login, such as 127.0.0.1:9153. Default: none."`

	LogLevel  slog.Level `default:"info" help:"debug, info, warn or error (${default})."`
	LogFormat string     `enum:"text,json" default:"text" help:"text or json (${default})."`
}

// loadTOML reads the file of --config. A variable in the environment wins over it, which kong alone does not see to.
func loadTOML(r io.Reader) (kong.Resolver, error) {
	file, err := kongtoml.Loader(r)
	if err != nil {
		return nil, fmt.Errorf("the configuration file is not valid TOML: %w", err)
	}
	return environmentFirst{file}, nil
}

type environmentFirst struct{ kong.Resolver }

func (e environmentFirst) Resolve(ctx *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	return e.Resolver.Resolve(ctx, parent, flag)
}

// complete checks what flags alone cannot express and fills in the defaults that depend on others.
func (c *config) complete() error {
	c.Zone = hostName(c.Zone)
	if c.PanelHost = hostName(c.PanelHost); c.PanelHost == "" {
		c.PanelHost = c.Zone
	}
	for i, ns := range c.Nameserver {
		c.Nameserver[i] = hostName(ns)
	}
	if len(c.Nameserver) == 0 {
		c.Nameserver = []string{"ns1." + c.Zone}
	}
	if strings.Count(c.Zone, ".") == 0 || strings.ContainsAny(c.Zone, "/: _*") {
		return fmt.Errorf("--zone %q is not a domain name; give the delegated domain, such as sites.example.org", c.Zone)
	}
	if err := c.completeDNS(); err != nil {
		return err
	}
	masked(c.TrustedProxy)
	masked(c.ProxyProtocol)
	if c.DomainInterval < time.Second {
		return errors.New("--domain-interval must be at least 1s; 6h is usual")
	}
	if err := c.completeACME(); err != nil {
		return err
	}
	if c.MaxUploadMB <= 0 || c.MaxUnpackedMB <= 0 || c.MaxFiles <= 0 {
		return errors.New("--max-upload-mb, --max-unpacked-mb and --max-files must be at least 1")
	}
	if c.CacheMB < 0 || c.CacheMB > 1<<20 {
		return errors.New("--cache-mb must be between 0, which keeps nothing, and 1048576")
	}
	if c.MaxInstances < 1 || c.MaxInstances > sites.MaxInstances {
		return fmt.Errorf("--max-instances must be between 1 and %d", sites.MaxInstances)
	}
	if c.AccessLogMB <= 0 || c.AccessLogSiteMB <= 0 {
		return errors.New("--access-log-mb and --access-log-site-mb must be at least 1; --access-log off writes none")
	}
	if c.AuditLogDays < 1 || c.AuditLogDays > maxAuditLogDays {
		return fmt.Errorf("--audit-log-days must be between 1 and %d", maxAuditLogDays)
	}
	return c.completeAddresses()
}

// maxAuditLogDays is a century.
const maxAuditLogDays = 36_525

func (c *config) completeACME() error {
	if c.ACMERenewInterval <= 0 {
		return errors.New("--acme-renew-interval must be longer than 0, such as 10m")
	}
	if (c.ACMEEABKid == "") != (c.ACMEEABHMAC == "") {
		return errors.New("--acme-eab-kid and --acme-eab-hmac belong together: the CA gives both")
	}
	if (c.ACMEFallbackEABKid == "") != (c.ACMEFallbackEABHMAC == "") {
		return errors.New("--acme-fallback-eab-kid and --acme-fallback-eab-hmac belong together: the CA gives both")
	}
	if c.ACMEWeeklyLimit != nil && *c.ACMEWeeklyLimit < 0 {
		return errors.New("--acme-weekly-limit must be at least 0, which means that none is known")
	}
	return c.completeFallback()
}

func (c *config) completeFallback() error {
	switch {
	case c.ACMEFallbackCA == "" && c.ACMEFallbackRoot+c.ACMEFallbackEABKid+c.ACMEFallbackProfile != "":
		return errors.New("--acme-fallback-root, --acme-fallback-eab-kid and --acme-fallback-profile need --acme-fallback-ca")
	case c.ACMEFallbackCA == "":
		return nil
	case c.ACMEFallbackCA == "internal" || c.ACMECA == "internal":
		return errors.New("--acme-fallback-ca and --acme-ca cannot be internal together with another CA: give two that clients trust, or leave the second out")
	case c.ACMEFallbackCA == c.ACMECA:
		return errors.New("--acme-fallback-ca must be another CA than --acme-ca")
	}
	return nil
}

func (c *config) completeDNS() error {
	if c.Resolver != "" {
		if _, err := c.resolver(); err != nil {
			return err
		}
	}
	if len(c.DNSNSID) > 128 {
		return errors.New("--dns-nsid must be at most 128 bytes long")
	}
	if c.DNSRateLimit < 0 {
		return errors.New("--dns-rate-limit must be at least 0, which means no limit")
	}
	masked(c.DNSRateLimitExempt)
	return nil
}

// masked takes a network written as one of its addresses for what it means.
func masked(prefixes []netip.Prefix) {
	for i, prefix := range prefixes {
		prefixes[i] = prefix.Masked()
	}
}

// resolver is where questions about the rest of the world's DNS go.
func (c *config) resolver() (netip.AddrPort, error) {
	if c.Resolver == "" {
		return delegation.SystemResolver()
	}
	if addr, err := netip.ParseAddr(c.Resolver); err == nil {
		return netip.AddrPortFrom(addr, 53), nil
	}
	addr, err := netip.ParseAddrPort(c.Resolver)
	if err != nil {
		return addr, fmt.Errorf("--resolver %q: give an IP address, with a port if it is not 53, such as 9.9.9.9 or [2620:fe::fe]:53", c.Resolver)
	}
	return addr, nil
}

// lookupHost asks the resolver for a host's addresses.
func (c *config) lookupHost(ctx context.Context, host string) ([]netip.Addr, error) {
	asking := &net.Resolver{}
	if c.Resolver != "" {
		addr, err := c.resolver()
		if err != nil {
			return nil, err
		}
		asking.PreferGo = true
		asking.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, addr.String())
		}
	}
	return asking.LookupNetIP(ctx, "ip", host+".")
}

func (c *config) completeAddresses() error {
	for _, ip := range c.PublicIPv4 {
		if !ip.Is4() {
			return fmt.Errorf("--public-ipv4 %s is not an IPv4 address", ip)
		}
	}
	for _, ip := range c.PublicIPv6 {
		if !ip.Is6() || ip.Is4In6() {
			return fmt.Errorf("--public-ipv6 %s is not an IPv6 address", ip)
		}
	}
	if len(c.PublicIPv4)+len(c.PublicIPv6) > 0 {
		return nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return fmt.Errorf("look for public addresses: %w", err)
	}
	c.PublicIPv4, c.PublicIPv6 = publicAddresses(addrs)
	if len(c.PublicIPv4)+len(c.PublicIPv6) == 0 {
		return errors.New("no interface of this server has a public address; say which address the world reaches it at with --public-ipv4 or --public-ipv6")
	}
	return nil
}

// publicAddresses picks the addresses that the internet can route to.
func publicAddresses(addrs []net.Addr) (v4, v6 []netip.Addr) {
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		ip := prefix.Addr().Unmap()
		switch {
		case !ip.IsGlobalUnicast() || ip.IsPrivate() || sharedSpace.Contains(ip):
		case ip.Is4():
			v4 = append(v4, ip)
		default:
			v6 = append(v6, ip)
		}
	}
	return v4, v6
}

// sharedSpace is what carriers put between themselves and their customers (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func hostName(s string) string { return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(s), ".")) }

func (c *config) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
