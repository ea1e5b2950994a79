package zone

import (
	"net/netip"
	"strings"
	"testing"
)

func TestConfigIsRefusedWithASentence(t *testing.T) {
	for _, c := range []struct {
		alter func(*Config)
		want  string
	}{
		{func(c *Config) { c.Name = "" }, `the zone "" is not a domain name`},
		{func(c *Config) { c.Name = "exa mple.test" }, `the zone "exa mple.test" is not a domain name`},
		{func(c *Config) { c.Name = strings.Repeat("a", 64) + ".test" }, "is not a domain name"},
		{func(c *Config) { c.Name = strings.Repeat("a.", 130) + "test" }, "is not a domain name"},
		{func(c *Config) { c.Nameservers = []string{"ns1.example.test", "192.0.2.1:53"} }, `the nameserver "192.0.2.1:53" is not a host name`},
		{func(c *Config) { c.PanelHost = "-panel.example.test" }, `the panel host "-panel.example.test" is not a host name`},
		{func(c *Config) { c.Contact = "me@@" + strings.Repeat("a", 70) }, "is not a mail address"},
		{func(c *Config) { c.IPv4, c.IPv6 = nil, nil }, "at least one public IPv4 or IPv6 address"},
		{func(c *Config) { c.IPv4 = c.IPv6 }, "the public address 2001:db8::1 is not an IPv4 address"},
		{func(c *Config) { c.IPv6 = c.IPv4 }, "the public address 192.0.2.1 is not an IPv6 address"},
		{func(c *Config) { c.IPv6 = []netip.Addr{netip.MustParseAddr("fe80::1%eth0")} }, "is not an IPv6 address that others can reach"},
	} {
		cfg := testConfig()
		c.alter(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}
