package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/acme/acmetest"

	"github.com/miekg/dns"
)

// outsideDNS is the DNS of the world: it answers for names below example.test from lines that a test sets, has berth asked about
// its own zone, and refuses the rest.
type outsideDNS struct {
	addr  string
	berth string // where the zone's nameserver is
	mu    sync.Mutex
	rrs   map[string][]dns.RR // by name in lower case
}

func startOutsideDNS(t *testing.T, berth string) *outsideDNS {
	t.Helper()
	o := &outsideDNS{addr: freePort(t), berth: berth, rrs: map[string][]dns.RR{}}
	for _, network := range []string{"udp", "tcp"} {
		bound := make(chan struct{})
		server := &dns.Server{Addr: o.addr, Net: network, Handler: o, NotifyStartedFunc: func() { close(bound) }}
		ended := make(chan error, 1)
		go func() { ended <- server.ListenAndServe() }()
		select {
		case <-bound:
		case err := <-ended:
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = server.Shutdown()
			<-ended
		})
	}
	return o
}

// ServeDNS answers one question.
func (o *outsideDNS) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	m.Answer, m.Rcode = o.resolve(q.Question[0].Name, q.Question[0].Qtype)
	_ = w.WriteMsg(m)
}

func (o *outsideDNS) resolve(name string, rrtype uint16) (found []dns.RR, rcode int) {
	name = strings.ToLower(name)
	o.mu.Lock()
	rrs := o.rrs[name]
	o.mu.Unlock()
	switch {
	case dns.IsSubDomain(testZone+".", name):
		answer, _, err := new(dns.Client).Exchange(new(dns.Msg).SetQuestion(name, rrtype), o.berth)
		if err != nil {
			return nil, dns.RcodeServerFailure
		}
		return answer.Answer, answer.Rcode
	case !dns.IsSubDomain("example.test.", name):
		return nil, dns.RcodeRefused
	case len(rrs) == 0:
		return nil, dns.RcodeNameError
	}
	for _, rr := range rrs {
		alias, ok := rr.(*dns.CNAME)
		if !ok || rrtype == dns.TypeCNAME {
			if rr.Header().Rrtype == rrtype {
				found = append(found, rr)
			}
			continue
		}
		further, rcode := o.resolve(alias.Target, rrtype)
		return append([]dns.RR{rr}, further...), rcode
	}
	return found, dns.RcodeSuccess
}

// set replaces the records of a name.
func (o *outsideDNS) set(t *testing.T, name string, lines ...string) {
	t.Helper()
	var rrs []dns.RR
	for _, line := range lines {
		rr, err := dns.NewRR(name + ". 60 IN " + line)
		if err != nil {
			t.Fatal(err)
		}
		rrs = append(rrs, rr)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rrs[name+"."] = rrs
}

func portOf(t *testing.T, addr string) int {
	t.Helper()
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return int(at.Port())
}

type domainState struct {
	Name, State, Seen, Warning string
	Records                    []struct{ Name, Type, Data string }
}

// awaitDomain waits until a domain of the site hello is in a state.
func (p *process) awaitDomain(client *http.Client, name, state string) (d domainState) {
	p.t.Helper()
	eventually(p.t, time.Minute, name+" is "+state, func() error {
		p.api(client, "GET", "/sites/hello/domains/"+name, nil, http.StatusOK, &d)
		if d.State != state {
			return fmt.Errorf("it is %s: %s", d.State, d.Seen)
		}
		return nil
	})
	return d
}

// visitor is a client that believes that every name leads to this server.
func (p *process) visitor(roots *x509.CertPool) *http.Client {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, network, p.https)
		},
	}
	return &http.Client{Timeout: time.Minute, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// wantSite waits until a host shows a page over HTTPS that the visitor trusts.
func wantSite(t *testing.T, visitor *http.Client, host, want string) {
	t.Helper()
	eventually(t, time.Minute, host+" shows "+want, func() error {
		status, body, err := get(visitor, "https://"+host+"/")
		if err == nil && (status != http.StatusOK || !strings.Contains(body, want)) {
			err = fmt.Errorf("status %d: %.100s", status, body)
		}
		return err
	})
}

// TestADomainOfOnesOwn has domains come into use as their records are set in the DNS outside, lapse when these lead elsewhere, come
// back, and go; over crashes, too.
func TestADomainOfOnesOwn(t *testing.T) {
	nameserver, plain, secure := freePort(t), freePort(t), freePort(t)
	outside := startOutsideDNS(t, nameserver)
	authority := acmetest.Start(t, acmetest.Options{DNS: outside.addr, HTTPPort: portOf(t, plain), TLSPort: portOf(t, secure)})
	root := filepath.Join(t.TempDir(), "acme-root.pem")
	if err := os.WriteFile(root, authority.HTTPSRootPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", authority.DirectoryURL(), "--acme-root", root, "--dns-addr", nameserver,
		"--http-addr", plain, "--https-addr", secure, "--resolver", outside.addr, "--domain-interval", "1s")
	client, roots := p.client(nil), authority.IssuerPool(t)
	p.api(client, "POST", "/sites", map[string]string{"name": "hello"}, http.StatusCreated, nil)
	p.api(client, "POST", "/sites/hello/releases?wait=live", zipped(t, "index.html", "It floats"), http.StatusCreated, nil)

	const www, apex = "www.example.test", "example.test"
	var d domainState
	p.api(client, "POST", "/sites/hello/domains", map[string]string{"name": www}, http.StatusCreated, &d)
	if len(d.Records) != 1 || d.Records[0].Type != "CNAME" || d.Records[0].Data != "hello."+testZone {
		t.Fatalf("to be set: %+v", d.Records)
	}
	p.api(client, "POST", "/sites/hello/domains/"+www+"/check", nil, http.StatusOK, &d)
	if d.State != "waiting" || d.Seen != www+" has no record yet." {
		t.Errorf("without a record it is %+v", d)
	}
	eventually(t, time.Minute, "berth knows by which name CAA records mean the authority", func() error {
		if found, _ := outside.resolve(testZone+".", dns.TypeCAA); len(found) == 0 {
			return errors.New("its own zone has none")
		}
		return nil
	})
	p.kill()
	p.start()
	p.awaitReady()

	outside.set(t, apex, `CAA 0 issue "other-ca.example"`)
	outside.set(t, www, "CNAME hello."+testZone+".")
	eventually(t, time.Minute, "the CAA record is in the way", func() error {
		p.api(client, "GET", "/sites/hello/domains/"+www, nil, http.StatusOK, &d)
		if !strings.Contains(d.Seen, `CAA 0 issue "pebble.letsencrypt.org"`) || d.State != "waiting" {
			return fmt.Errorf("it is %+v", d)
		}
		return nil
	})
	outside.set(t, apex, `CAA 0 issue "other-ca.example"`, `CAA 0 issue "pebble.letsencrypt.org"`)
	if d = p.awaitDomain(client, www, "active"); d.Warning != "" {
		t.Errorf("berth does not find itself: %s", d.Warning)
	}
	visitor := p.visitor(roots)
	wantSite(t, visitor, www, "It floats")

	p.api(client, "POST", "/sites/hello/domains", map[string]string{"name": apex}, http.StatusCreated, &d)
	outside.set(t, apex, "A 127.0.0.1")
	eventually(t, time.Minute, "the proof is missed", func() error {
		p.api(client, "GET", "/sites/hello/domains/"+apex, nil, http.StatusOK, &d)
		if !strings.Contains(d.Seen, "TXT record at _berth.example.test is missing") || d.State != "waiting" {
			return fmt.Errorf("it is %+v", d)
		}
		return nil
	})
	proof := d.Records[len(d.Records)-1]
	outside.set(t, proof.Name, proof.Type+" "+proof.Data)
	p.awaitDomain(client, apex, "active")
	wantSite(t, visitor, apex, "It floats")
	p.kill()
	p.start()
	p.awaitReady()
	wantSite(t, p.visitor(roots), apex, "It floats")

	outside.set(t, www, "A 203.0.113.9")
	if d = p.awaitDomain(client, www, "lapsed"); !strings.Contains(d.Seen, "points at 203.0.113.9") {
		t.Errorf("lapsed as %+v", d)
	}
	wantSite(t, p.visitor(roots), www, "It floats")
	outside.set(t, www, "CNAME hello."+testZone+".")
	p.awaitDomain(client, www, "active")

	p.api(client, "DELETE", "/sites/hello/domains/"+www, nil, http.StatusNoContent, nil)
	if status, body, err := get(p.visitor(roots), "https://"+www+"/"); err == nil && strings.Contains(body, "It floats") {
		t.Errorf("removed, it answers %d: %s", status, body)
	}
	var held []struct{ Name, Account string }
	p.api(client, "GET", "/held-domains", nil, http.StatusOK, &held)
	if len(held) != 1 || held[0].Name != www || held[0].Account != "admin" {
		t.Errorf("kept: %+v", held)
	}
}

// TestADomainInAZoneOfOurs has berth answer for a domain's addresses itself.
func TestADomainInAZoneOfOurs(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal")
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "hello"}, http.StatusCreated, nil)
	p.api(client, "POST", "/zones", map[string]string{"name": "hosted.test"}, http.StatusCreated, nil)
	var d domainState
	for _, name := range []string{"www.hosted.test", "hosted.test"} {
		p.api(client, "POST", "/sites/hello/domains", map[string]string{"name": name}, http.StatusCreated, &d)
		if d.State != "active" {
			t.Errorf("%s is %+v", name, d)
		}
		wantAddress(t, p, name, "127.0.0.1")
	}
	p.api(client, "DELETE", "/sites/hello/domains/www.hosted.test", nil, http.StatusNoContent, nil)
	if addrs, err := p.resolver().LookupHost(t.Context(), "www.hosted.test."); err == nil {
		t.Errorf("removed, it is at %v", addrs)
	}
}
