package zone

import (
	"slices"
	"strings"
	"testing"

	"berth/sites"
)

// at is what a zone has at a name, of some types, as "type data" by line; "-" for nothing.
func at(t *testing.T, z *Zone, owner string, types ...string) string {
	t.Helper()
	var lines []string
	for _, line := range dump(t, z.Current()) {
		fields := strings.SplitN(line, "\t", 5)
		if fields[0] == owner+"." && slices.Contains(types, fields[3]) {
			lines = append(lines, fields[3]+" "+fields[4])
		}
	}
	if len(lines) == 0 {
		return "-"
	}
	return strings.Join(lines, "\n")
}

// Names that berth serves say how, and that they have nothing to do with mail, until people say otherwise.
func TestPosture(t *testing.T) {
	const (
		https = "HTTPS 1 . alpn=\"h2\" ipv4hint=\"192.0.2.1\" ipv6hint=\"2001:db8::1\""
		mute  = "MX 0 .\nTXT \"v=spf1 -all\""
		mail  = "MX 10 mail.elsewhere.test."
	)
	types := []string{"MX", "TXT", "HTTPS"}
	site := "one.example.test"
	for _, c := range []struct {
		name    string
		entered []string
		want    string
	}{
		{"nothing entered", nil, mute + "\n" + https},
		{"mail is received", []string{site + " 60 MX 10 mail.elsewhere.test."}, mail + "\n" + https},
		{"mail is received and an own policy", []string{site + " 60 MX 10 mail.elsewhere.test.", site + ` 60 TXT "v=spf1 mx -all"`}, mail + "\nTXT \"v=spf1 mx -all\"\n" + https},
		{"an own policy", []string{site + ` 60 TXT "V=SPF1" " mx"`}, "MX 0 .\nTXT \"V=SPF1\" \" mx\"\n" + https},
		{"another text", []string{site + ` 60 TXT "v=spf10 is something else"`}, "MX 0 .\nTXT \"v=spf10 is something else\"\nTXT \"v=spf1 -all\"\n" + https},
		{"another text where mail is received", []string{site + ` 60 TXT "hello"`, site + " 60 MX 10 mail.elsewhere.test."}, mail + "\nTXT \"hello\"\n" + https},
		{"other addresses", []string{site + " 60 A 192.0.2.99"}, mute},
		{"an own HTTPS record", []string{site + " 60 HTTPS 1 . alpn=h3"}, mute + "\nHTTPS 1 . alpn=\"h3\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			z := newZone(t, testConfig())
			ch := full(1, "one")
			for _, line := range c.entered {
				fields := strings.SplitN(line, " ", 4)
				ch.RRSets = append(ch.RRSets, sites.RRSet{Name: fields[0], TTL: 60, Type: fields[2], Data: []string{fields[3]}})
			}
			z.Apply(ch)
			if got := at(t, z, site, types...); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
	z := newZone(t, testConfig())
	z.Apply(full(1))
	if got := at(t, z, "example.test", types...); got != "TXT \"v=spf1 -all\"\n"+https {
		t.Errorf("the apex, where hostmaster@example.test of the SOA record reads mail, has\n%s", got)
	}
	cfg := testConfig()
	cfg.Contact = "ann@elsewhere.test"
	z = newZone(t, cfg)
	z.Apply(full(1))
	for _, owner := range []string{"example.test", "www.example.test", "panel.example.test"} {
		if got := at(t, z, owner, types...); got != mute+"\n"+https {
			t.Errorf("%s:\n%s", owner, got)
		}
	}
	if got := at(t, z, "ns1.example.test", types...); got != "-" {
		t.Errorf("a nameserver has\n%s", got)
	}
}

// Records of a name that has come to be the panel's or a nameserver's do not make it vanish; those of www are welcome.
func TestOwnNamesPrevail(t *testing.T) {
	z := newZone(t, testConfig())
	z.Apply(full(1))
	hosts := []string{"panel.example.test", "ns1.example.test", "www.example.test", "example.test"}
	types := []string{"A", "AAAA", "HTTPS", "CNAME", "NS", "DS"}
	before := make(map[string]string)
	for _, host := range hosts {
		before[host] = at(t, z, host, types...)
	}
	ch := sites.Change{Revision: 2}
	for _, host := range hosts {
		for rrtype, data := range map[string]string{"CNAME": "elsewhere.test.", "NS": "ns.elsewhere.test.", "TXT": `"hi"`} {
			ch.RRSets = append(ch.RRSets, sites.RRSet{Name: host, Type: rrtype, TTL: 60, Data: []string{data}})
		}
		if host != "www.example.test" {
			ch.RRSets = append(ch.RRSets,
				sites.RRSet{Name: host, Type: "A", TTL: 60, Data: []string{"192.0.2.99"}},
				sites.RRSet{Name: host, Type: "HTTPS", TTL: 60, Data: []string{"0 elsewhere.test."}})
		}
	}
	z.Apply(ch)
	for _, host := range hosts {
		if got := at(t, z, host, types...); got != before[host] {
			t.Errorf("%s has\n%s\nwant\n%s", host, got, before[host])
		}
		if got := at(t, z, host, "TXT"); !strings.Contains(got, `TXT "hi"`) {
			t.Errorf("%s has lost its text: %s", host, got)
		}
	}
	z.Apply(sites.Change{Revision: 3, RRSets: []sites.RRSet{{Name: "www.example.test", Type: "A", TTL: 60, Data: []string{"192.0.2.99"}}}})
	if got := at(t, z, "www.example.test", types...); got != "A 192.0.2.99\nAAAA 2001:db8::1" {
		t.Errorf("www with an address of its own has\n%s", got)
	}
}

// A further zone has what people enter, and its sites' hosts what a web server needs.
func TestFurtherZone(t *testing.T) {
	cfg := testConfig()
	cfg.Name, cfg.Main, cfg.Contact = "customer.test", false, ""
	cfg.Nameservers = append(cfg.Nameservers, "ns.customer.test")
	z := newZone(t, cfg)
	if z.Current().Known() {
		t.Error("known before anything is")
	}
	z.Apply(sites.Change{
		Revision: 7,
		Zones:    []sites.PublishedZone{{Zone: sites.Zone{Name: "customer.test", Kind: sites.ZonePrimary}}},
		Sites:    []sites.Published{{Name: "shop", Hosts: []string{"shop.example.test", "shop.customer.test"}}},
		RRSets:   []sites.RRSet{{Name: "*.customer.test", Type: "MX", TTL: 60, Data: []string{"10 mail.customer.test."}}},
	})
	if s := z.Current(); !s.Known() || s.Serial() != 7 {
		t.Errorf("known %v with serial %d", s.Known(), s.Serial())
	}
	all := []string{"SOA", "NS", "A", "AAAA", "MX", "TXT", "HTTPS", "CAA"}
	addresses := "A 192.0.2.1\nAAAA 2001:db8::1"
	https := "\nHTTPS 1 . alpn=\"h2\" ipv4hint=\"192.0.2.1\" ipv6hint=\"2001:db8::1\""
	apex := "SOA ns1.example.test. hostmaster.customer.test. 7 14400 3600 604800 300\n" +
		"NS ns1.example.test.\nNS ns2.dns.example.test.\nNS ns.elsewhere.test.\nNS ns.customer.test."
	for owner, want := range map[string]string{
		"customer.test": apex, "www.customer.test": "-", "ns.customer.test": addresses,
		"shop.customer.test": addresses + https, "*.customer.test": "MX 10 mail.customer.test.",
	} {
		if got := at(t, z, owner, all...); got != want {
			t.Errorf("%s has\n%s\nwant\n%s", owner, got, want)
		}
	}
	// The apex can be a site's host, too.
	z.Apply(sites.Change{Revision: 8, Sites: []sites.Published{{Hosts: []string{"customer.test"}}}})
	if got := at(t, z, "customer.test", "A", "AAAA", "HTTPS", "MX", "TXT"); got != addresses+https {
		t.Errorf("the apex as a site's host has\n%s", got)
	}
}

// The apex names the authorities that issue certificates, unless people do.
func TestIssuers(t *testing.T) {
	z := newZone(t, testConfig())
	z.Apply(full(1))
	step := func(want string) {
		t.Helper()
		if got := at(t, z, "example.test", "CAA"); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	z.SetIssuers([]string{`0 issue "ca.test; accounturi=https://ca.test/1"`, `0 issuewild "ca.test"`}, 5)
	step("CAA 0 issue \"ca.test; accounturi=https://ca.test/1\"\nCAA 0 issuewild \"ca.test\"")
	serial := z.Current().Serial()
	z.SetIssuers([]string{`0 issue "ca.test; accounturi=https://ca.test/1"`, `0 issuewild "ca.test"`}, 6)
	if z.Current().Serial() != serial || serial != 5 {
		t.Errorf("serial %d, then %d", serial, z.Current().Serial())
	}
	z.Apply(sites.Change{Revision: 7, RRSets: []sites.RRSet{{Name: "example.test", Type: "CAA", TTL: 60, Data: []string{`0 issue ";"`}}}})
	step(`CAA 0 issue ";"`)
	z.SetIssuers(nil, 8)
	step(`CAA 0 issue ";"`)
	z.Apply(sites.Change{Revision: 9, RRSets: []sites.RRSet{{Name: "example.test", Type: "CAA"}}})
	step("-")
	z.SetIssuers([]string{`nonsense`}, 10)
	step("-")
}
