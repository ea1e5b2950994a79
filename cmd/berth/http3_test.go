package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// visitHTTP3 asks the panel by HTTP/3 and tells whether an earlier session went on.
func visitHTTP3(t *testing.T, p *process, sessions tls.ClientSessionCache) (resumed bool) {
	t.Helper()
	transport := &http3.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ClientSessionCache: sessions},
		Dial: func(ctx context.Context, _ string, config *tls.Config, limits *quic.Config) (*quic.Conn, error) {
			return quic.DialAddr(ctx, p.https, config, limits)
		},
	}
	defer transport.Close()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	res, err := client.Get(p.url("", "/readyz"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.ProtoMajor != 3 || res.StatusCode != http.StatusOK {
		t.Errorf("got %s %d", res.Proto, res.StatusCode)
	}
	return res.TLS.DidResume
}

// HTTP/3 is served, and offered to those who do not know yet; a restart is nothing that a visitor's session notices.
func TestHTTP3(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal")
	_, port, err := net.SplitHostPort(p.https)
	if err != nil {
		t.Fatal(err)
	}
	res, err := p.client(nil).Get(p.url("", "/readyz"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got, want := res.Header.Get("Alt-Svc"), `h3=":`+port+`"; ma=86400`; got != want {
		t.Errorf("Alt-Svc: %q, want %q", got, want)
	}
	query := new(dns.Msg).SetQuestion(testZone+".", dns.TypeHTTPS)
	if answer, err := dns.Exchange(query, p.dns); err != nil || len(answer.Answer) != 1 || !strings.Contains(answer.Answer[0].String(), `alpn="h3,h2"`) {
		t.Errorf("HTTPS record: %v, %v", answer, err)
	}
	sessions := tls.NewLRUClientSessionCache(1)
	visitHTTP3(t, p, sessions)
	if err := p.terminate(); err != nil {
		t.Fatal(err)
	}
	p.start()
	p.awaitReady()
	if !visitHTTP3(t, p, sessions) {
		t.Error("after a restart there is a new session")
	}
	if info, err := os.Stat(filepath.Join(p.dir, "tls-sessions.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of keys: %v, %v", info, err)
	}
	if log := p.log.String(); strings.Contains(log, "buffer size") || strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("logged: %s", log)
	}
}

func TestWithoutHTTP3(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal", "--no-http3")
	res, err := p.client(nil).Get(p.url("", "/readyz"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := res.Header.Get("Alt-Svc"); got != "" {
		t.Errorf("Alt-Svc: %q", got)
	}
	query := new(dns.Msg).SetQuestion(testZone+".", dns.TypeHTTPS)
	if answer, err := dns.Exchange(query, p.dns); err != nil || len(answer.Answer) != 1 || strings.Contains(answer.Answer[0].String(), "h3") {
		t.Errorf("HTTPS record: %v, %v", answer, err)
	}
}
