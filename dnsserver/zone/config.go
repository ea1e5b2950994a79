package zone

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// Config is what a Zone is made of.
type Config struct {
	Name        string       // without trailing dot
	Nameservers []string     // host names; those at or below the zone get address records; default ns1.<zone>
	IPv4, IPv6  []netip.Addr // this server's public addresses: of the apex, panel, www, nameservers and every site
	PanelHost   string       // at or below the zone; default the zone's apex
	Contact     string       // mailbox of the SOA record, as user@host; default hostmaster@<zone>
	Logger      *slog.Logger // default: nothing is logged

	Main bool             // sites are names of this zone: it has the www and panel hosts, and a posture for mail
	ALPN []string         // protocols that HTTPS records name beside HTTP/1.1 (RFC 9460 section 7.1); default h2
	Now  func() time.Time // the clock of signatures and keys; default time.Now
}

// withDefaults returns the configuration in canonical form, or a sentence that says what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	c.Name = sites.CanonicalHost(c.Name)
	if !isHostName(c.Name) {
		return c, fmt.Errorf("the zone %q is not a domain name", c.Name)
	}
	if len(c.Nameservers) == 0 {
		c.Nameservers = []string{"ns1." + c.Name}
	}
	nameservers := make([]string, len(c.Nameservers))
	for i, host := range c.Nameservers {
		nameservers[i] = sites.CanonicalHost(host)
		if !isHostName(nameservers[i]) {
			return c, fmt.Errorf("the nameserver %q is not a host name", host)
		}
	}
	c.Nameservers = nameservers
	c.PanelHost = sites.CanonicalHost(c.PanelHost)
	if c.PanelHost == "" {
		c.PanelHost = c.Name
	}
	if !isHostName(c.PanelHost) {
		return c, fmt.Errorf("the panel host %q is not a host name", c.PanelHost)
	}
	if c.Contact == "" {
		c.Contact = "hostmaster@" + c.Name
	}
	if _, ok := dns.IsDomainName(mailboxName(c.Contact)); !ok {
		return c, fmt.Errorf("the zone's contact %q is not a mail address", c.Contact)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.ALPN == nil {
		c.ALPN = []string{"h2"}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c.withAddresses()
}

func (c Config) withAddresses() (Config, error) {
	if len(c.IPv4)+len(c.IPv6) == 0 {
		return c, errors.New("the DNS server needs at least one public IPv4 or IPv6 address of this machine")
	}
	four := make([]netip.Addr, len(c.IPv4))
	for i, addr := range c.IPv4 {
		if four[i] = addr.Unmap(); !four[i].Is4() {
			return c, fmt.Errorf("the public address %s is not an IPv4 address", addr)
		}
	}
	for _, addr := range c.IPv6 {
		if !addr.Is6() || addr.Is4In6() || addr.Zone() != "" {
			return c, fmt.Errorf("the public address %s is not an IPv6 address that others can reach", addr)
		}
	}
	c.IPv4 = four
	return c, nil
}

// mailsApex reports whether the zone's contact is a mailbox of the zone's own name.
func (c Config) mailsApex() bool {
	_, host, _ := strings.Cut(c.Contact, "@")
	return sites.CanonicalHost(host) == c.Name
}

// mailboxName is a mail address as a domain name (RFC 1035 section 8): the dots of the user's part are escaped.
func mailboxName(contact string) string {
	user, host, ok := strings.Cut(contact, "@")
	if !ok {
		return dns.Fqdn(contact)
	}
	return strings.ReplaceAll(user, ".", `\.`) + "." + dns.Fqdn(host)
}

// isHostName holds for names of letters, digits and hyphens (RFC 1123 section 2.1).
func isHostName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, notLDH) {
			return false
		}
	}
	return true
}

func notLDH(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
}
