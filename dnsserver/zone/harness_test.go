package zone

import (
	"fmt"
	"net/netip"
	"testing"

	"berth/sites"
)

func testConfig() Config {
	return Config{
		Name:        "example.test",
		Nameservers: []string{"ns1.example.test", "ns2.dns.example.test", "ns.elsewhere.test"},
		IPv4:        []netip.Addr{netip.MustParseAddr("192.0.2.1")},
		IPv6:        []netip.Addr{netip.MustParseAddr("2001:db8::1")},
		PanelHost:   "panel.example.test",
		Main:        true,
	}
}

func newZone(t testing.TB, cfg Config) *Zone {
	t.Helper()
	z, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// full is a change that names these sites and nothing else.
func full(revision int64, names ...string) sites.Change {
	return sites.Change{Revision: revision, Full: true, Sites: published(names...)}
}

func published(names ...string) []sites.Published {
	all := make([]sites.Published, len(names))
	for i, n := range names {
		all[i] = sites.Published{ID: sites.SiteID(i + 1), Name: n, Hosts: []string{n + ".example.test"}}
	}
	return all
}

func siteNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%c%c%d", 'a'+i%26, 'a'+i/26%26, i)
	}
	return names
}
