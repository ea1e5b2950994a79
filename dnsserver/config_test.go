package dnsserver

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestDefaults(t *testing.T) {
	s := newServer(t, Config{Zone: "Berth.Localhost.", IPv4: []netip.Addr{netip.MustParseAddr("::ffff:127.0.0.1")}})
	s.Apply(full(1))
	for ask, want := range map[string]string{
		"berth.localhost NS": `NOERROR aa
			answer berth.localhost. 3600 IN NS ns1.berth.localhost.
			additional ns1.berth.localhost. 3600 IN A 127.0.0.1`,
		"berth.localhost SOA": "NOERROR aa\nanswer berth.localhost. 60 IN SOA ns1.berth.localhost. hostmaster.berth.localhost. 1 14400 3600 604800 300",
		"berth.localhost AAAA": `NOERROR aa
			authority berth.localhost. 60 IN SOA ns1.berth.localhost. hostmaster.berth.localhost. 1 14400 3600 604800 300`,
		"panel.berth.localhost A": `NXDOMAIN aa
			authority berth.localhost. 60 IN SOA ns1.berth.localhost. hostmaster.berth.localhost. 1 14400 3600 604800 300`,
	} {
		if got := render(direct(t, s, question(ask), overUDP)); got != normal(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", ask, got, normal(want))
		}
	}
}

func TestContact(t *testing.T) {
	for contact, want := range map[string]string{
		"first.last@mail.test": `first\.last.mail.test.`,
		"admin.mail.test":      "admin.mail.test.",
	} {
		cfg := testConfig()
		cfg.Contact = contact
		s := newServer(t, cfg)
		s.Apply(full(1))
		if got := direct(t, s, question("example.test SOA"), overUDP).Answer[0].(*dns.SOA).Mbox; got != want {
			t.Errorf("%s became %s, want %s", contact, got, want)
		}
	}
}

func TestHTTP3InServiceRecords(t *testing.T) {
	for http3, want := range map[bool]string{false: `alpn="h2"`, true: `alpn="h3,h2"`} {
		cfg := testConfig()
		cfg.HTTP3 = http3
		s := newServer(t, cfg)
		s.Apply(full(1))
		if got := render(direct(t, s, question("panel.example.test HTTPS"), overUDP)); !strings.Contains(got, " HTTPS 1 . "+want+" ipv4hint") {
			t.Errorf("HTTP/3 %v: got\n%s", http3, got)
		}
	}
}
