package dnstest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const testZone = `$ORIGIN example.test.
$TTL 60
@ IN SOA ns1 hostmaster %d 3600 600 86400 60
@ IN NS ns1
ns1 IN A 192.0.2.1
www IN A 192.0.2.%d
`

// Each of the servers takes a zone from BIND with TSIG, and BIND refuses those without; a primary reads its file anew.
func TestServersTransferFromEachOther(t *testing.T) {
	key := Key{Name: "key.test", Algorithm: "hmac-sha256", Secret: []byte("0123456789abcdef0123456789abcdef")}
	for name, start := range map[string]func(testing.TB, Config) *Server{"named": Named, "nsd": NSD, "knotd": Knot} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := FreePort(t)
			primary := Named(t, Config{Keys: []Key{key}, Zones: []Zone{{
				Name: "example.test", File: fmt.Sprintf(testZone, 1, 1), Peers: []Peer{{Addr: addr, Key: key.Name}},
			}}})
			secondary := start(t, Config{Keys: []Key{key}, Zones: []Zone{{
				Name: "example.test", Primaries: []Peer{{Addr: primary.Addr, Key: key.Name}}, Peers: []Peer{{Addr: addr, Key: key.Name}},
			}}})
			Eventually(t, "the first transfer", func() bool { return Serial(secondary.Addr, "example.test") == 1 })
			dump := Dump(t, secondary.Addr, "example.test", &key)
			if want := Dump(t, primary.Addr, "example.test", &key); !slices.Equal(dump, want) {
				t.Errorf("%s\nwant\n%s", strings.Join(dump, "\n"), strings.Join(want, "\n"))
			}
			if _, err := Transfer(primary.Addr, "example.test", nil); err == nil {
				t.Error("a transfer without the key is not refused")
			}
			primary.Replace(t, "example.test", fmt.Sprintf(testZone, 2, 2))
			Eventually(t, "the primary's change", func() bool { return Serial(primary.Addr, "example.test") == 2 })
		})
	}
}

// unbound starts, and answers what it is configured to.
func TestUnboundStarts(t *testing.T) {
	u := Unbound(t, "\tlocal-zone: example.test static\n\tlocal-data: \"example.test. 60 IN SOA ns1.example.test. h.example.test. 7 1 1 1 1\"")
	if serial := Serial(u.Addr, "example.test"); serial != 7 {
		t.Errorf("serial %d, want 7", serial)
	}
}
