package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"berth/dnsserver/dnstest"
)

// resolver asks berth's DNS server alone.
func (p *process) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, p.dns)
	}}
}

// client is a visitor who knows the world by berth's DNS server alone. Roots nil: certificates are not looked at.
func (p *process) client(roots *x509.CertPool) *http.Client {
	resolver := p.resolver()
	return &http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: roots, InsecureSkipVerify: roots == nil},
			ForceAttemptHTTP2: true,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				host, port, err := net.SplitHostPort(addr)
				if err != nil {
					return nil, err
				}
				ips, err := resolver.LookupNetIP(ctx, "ip4", host+".")
				if err != nil {
					return nil, err
				}
				var d net.Dialer
				return d.DialContext(ctx, network, net.JoinHostPort(ips[0].String(), port))
			},
			MaxIdleConnsPerHost: 16,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// url is the address of a path on a host of the zone; host "" is the panel.
func (p *process) url(host, path string) string {
	_, port, _ := net.SplitHostPort(p.https)
	if host != "" {
		host += "."
	}
	return "https://" + net.JoinHostPort(host+testZone, port) + path
}

func (p *process) awaitReady() {
	p.t.Helper()
	client := p.client(nil)
	defer client.CloseIdleConnections()
	eventually(p.t, time.Minute, "berth is ready", func() error {
		resp, err := client.Get(p.url("", "/readyz"))
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil
	})
}

// eventually tries until ok returns no error.
func eventually(t testing.TB, limit time.Duration, what string, ok func() error) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ok()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never came true: %s: %v", what, err)
		}
	}
}

// api calls the REST API with the admin's token, wants the status, and decodes the answer into out where out is not nil.
func (p *process) api(client *http.Client, method, path string, body any, want int, out any) {
	p.t.Helper()
	status, text, err := p.call(client, method, path, body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	if status != want {
		p.t.Fatalf("%s %s: status %d, want %d: %s", method, path, status, want, text)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			p.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
}

// call sends body as it is when it is []byte (a zip), as JSON otherwise.
func (p *process) call(client *http.Client, method, path string, body any) (status int, text []byte, err error) {
	contentType := "application/zip"
	content, isZip := body.([]byte)
	if body != nil && !isZip {
		contentType = "application/json"
		if content, err = json.Marshal(body); err != nil {
			return 0, nil, err
		}
	}
	req, err := http.NewRequest(method, p.url("", "/api/v1"+path), bytes.NewReader(content))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(resp.Body)
	return resp.StatusCode, text, err
}

// get fetches a page and returns status and body.
func get(client *http.Client, url string) (int, string, error) {
	resp, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// zipped makes a zip of files given as name, content, name, content, …
func zipped(t testing.TB, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// freePort finds a loopback address that is free for UDP and TCP, and that the system gives to nobody by itself.
func freePort(t testing.TB) string {
	t.Helper()
	return dnstest.FreePort(t).String()
}
