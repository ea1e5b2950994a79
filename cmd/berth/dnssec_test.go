package main

import (
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"berth/dnsserver/dnstest"

	"github.com/miekg/dns"
)

// TestResolversValidateTheZone has a validating resolver and BIND's own debugger follow the zone of a running berth from nothing but
// its DS record.
func TestResolversValidateTheZone(t *testing.T) {
	dnstest.Need(t, "unbound")
	dnstest.Need(t, "delv")
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal")
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "hello"}, http.StatusCreated, nil)
	for _, r := range []map[string]string{
		{"name": "mail.hello." + testZone, "type": "A", "data": "192.0.2.25"},
		{"name": "hello." + testZone, "type": "MX", "data": "10 mail.hello." + testZone},
		{"name": "*.wild.hello." + testZone, "type": "TXT", "data": "anything below"},
		{"name": "alias.hello." + testZone, "type": "CNAME", "data": "mail.hello." + testZone},
		{"name": "child.hello." + testZone, "type": "NS", "data": "ns.elsewhere.test"},
	} {
		p.api(client, "POST", "/records", r, http.StatusCreated, nil)
	}
	at := netip.MustParseAddrPort(p.dns)
	anchor := delegationSigner(t, at)
	resolver := resolverFor(t, at, anchor, time.Time{})
	for ask, rcode := range map[string]int{
		"hello." + testZone + " A":                   dns.RcodeSuccess,
		"hello." + testZone + " MX":                  dns.RcodeSuccess,
		"hello." + testZone + " HTTPS":               dns.RcodeSuccess,
		"hello." + testZone + " SRV":                 dns.RcodeSuccess, // nothing of that type
		"wild.hello." + testZone + " A":              dns.RcodeSuccess, // an empty name between others
		"any.thing.wild.hello." + testZone + " TXT":  dns.RcodeSuccess,
		"alias.hello." + testZone + " A":             dns.RcodeSuccess,
		"missing." + testZone + " A":                 dns.RcodeNameError,
		"a.b.c.missing." + testZone + " A":           dns.RcodeNameError,
		"child.hello." + testZone + " DS":            dns.RcodeSuccess, // denied: delegated without security
		testZone + " SOA":                            dns.RcodeSuccess,
		testZone + " CDS":                            dns.RcodeSuccess,
		testZone + " CDNSKEY":                        dns.RcodeSuccess,
		"_acme-challenge.hello." + testZone + " TXT": dns.RcodeNameError,
		strings.ToUpper("hello."+testZone) + " AAAA": dns.RcodeSuccess,
		"www." + testZone + " A":                     dns.RcodeSuccess,
		"x.mail.hello." + testZone + " TXT":          dns.RcodeNameError,
		"_25._tcp.mail.hello." + testZone + " TLSA":  dns.RcodeNameError,
	} {
		wantSecure(t, resolver, ask, rcode)
		wantDelv(t, at, anchor, ask)
	}
}

// delegationSigner is the DS record of the key-signing key that the server shows.
func delegationSigner(t testing.TB, server netip.AddrPort) string {
	t.Helper()
	signers := delegationSigners(t, server)
	if len(signers) == 0 {
		t.Fatal("the zone has no key-signing key")
	}
	return signers[0]
}

// delegationSigners are the DS records of all key-signing keys that the server shows.
func delegationSigners(t testing.TB, server netip.AddrPort) (signers []string) {
	t.Helper()
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(testZone), dns.TypeDNSKEY)
	answer, _, err := (&dns.Client{Net: "tcp"}).Exchange(q, server.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, rr := range answer.Answer {
		if key, ok := rr.(*dns.DNSKEY); ok && key.Flags&dns.SEP != 0 {
			signers = append(signers, signer(key))
		}
	}
	return signers
}

// signer is the DS record of a key, on one line with single spaces.
func signer(key *dns.DNSKEY) string {
	return strings.Join(strings.Fields(key.ToDS(dns.SHA256).String()), " ")
}

// resolverFor is a validating resolver that knows the zone's server and trusts the DS records alone; a time that is set is its clock.
func resolverFor(t *testing.T, server netip.AddrPort, anchors string, now time.Time) netip.AddrPort {
	t.Helper()
	var conf strings.Builder
	for anchor := range strings.SplitSeq(anchors, "\n") {
		fmt.Fprintf(&conf, "\ttrust-anchor: %q\n", anchor)
	}
	if !now.IsZero() {
		fmt.Fprintf(&conf, "\tval-override-date: %q\n", now.UTC().Format("20060102150405"))
	}
	conf.WriteString("\tlocal-zone: \"test.\" nodefault\n\tmodule-config: \"validator iterator\"\n\tval-log-level: 2\n")
	fmt.Fprintf(&conf, "stub-zone:\n\tname: %q\n\tstub-addr: %s@%d\n", testZone, server.Addr(), server.Port())
	resolver := dnstest.Unbound(t, conf.String())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("unbound:\n%s", resolver.Log())
		}
	})
	dnstest.Eventually(t, "unbound answers", func() bool { return ask(resolver.Addr, testZone+" SOA") != nil })
	return resolver.Addr
}

// ask asks a resolver; nil when it does not answer.
func ask(resolver netip.AddrPort, question string) *dns.Msg {
	name, rrtype, _ := strings.Cut(question, " ")
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), dns.StringToType[rrtype])
	q.SetEdns0(1232, true)
	answer, _, err := (&dns.Client{Timeout: 10 * time.Second}).Exchange(q, resolver.String())
	if err != nil {
		return nil
	}
	return answer
}

// wantSecure checks that the resolver has validated the answer, be it data or a denial.
func wantSecure(t *testing.T, resolver netip.AddrPort, question string, rcode int) {
	t.Helper()
	answer := ask(resolver, question)
	switch {
	case answer == nil:
		t.Errorf("%s: no answer", question)
	case answer.Rcode != rcode || !answer.AuthenticatedData:
		t.Errorf("%s: want %s, authenticated; got\n%s", question, dns.RcodeToString[rcode], answer)
	}
}

func wantDelv(t *testing.T, server netip.AddrPort, anchor, question string) {
	t.Helper()
	ds := strings.Fields(anchor)
	file := filepath.Join(t.TempDir(), "anchor")
	content := fmt.Sprintf("trust-anchors { %q static-ds %s %s %s %q; };\n", testZone, ds[4], ds[5], ds[6], strings.Join(ds[7:], ""))
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	name, rrtype, _ := strings.Cut(question, " ")
	out, err := exec.Command("delv", "@"+server.Addr().String(), "-p", fmt.Sprint(server.Port()), "-a", file, "+root="+testZone, "+nortrace", name, rrtype).CombinedOutput()
	if text := string(out); err != nil || !strings.Contains(text, "fully validated") {
		t.Errorf("delv %s: %v\n%s", question, err, text)
	}
}
