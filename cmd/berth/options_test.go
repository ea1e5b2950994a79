package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestOptionsOfASite goes through what an owner can set of a site, over the API and as a visitor, and over a crash.
func TestOptionsOfASite(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard")
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "shop"}, http.StatusCreated, nil)
	p.api(client, "POST", "/sites/shop/releases?wait=live", zipped(t,
		"index.html", "home", "about/index.html", "about us", "contact.html", "contact us", "wait.html", "back at noon"), http.StatusCreated, nil)
	set := func(options map[string]any) {
		t.Helper()
		p.api(client, "PATCH", "/sites/shop", map[string]any{"options": options}, http.StatusOK, nil)
	}
	visit := func(path, user, password string) visitOf {
		t.Helper()
		return p.visit(client, p.url("shop", path), user, password)
	}

	set(map[string]any{"trailing_slash": "remove", "hsts": "host"})
	for from, to := range map[string]string{"/about/": "/about", "/contact/?a=b": "/contact?a=b"} {
		if v := visit(from, "", ""); v.status != http.StatusPermanentRedirect || v.header.Get("Location") != p.url("shop", to) {
			t.Errorf("%s: %d to %q, want 308 to %s", from, v.status, v.header.Get("Location"), to)
		}
	}
	for path, want := range map[string]string{"/about": "about us", "/contact": "contact us", "/": "home"} {
		if v := visit(path, "", ""); v.status != http.StatusOK || v.body != want || v.header.Get("Strict-Transport-Security") != "max-age=31536000" {
			t.Errorf("%s: %d %q, %v", path, v.status, v.body, v.header)
		}
	}

	set(map[string]any{"login": map[string]string{"user": "guest", "password": "correct horse"}})
	p.kill()
	client.CloseIdleConnections()
	p.start()
	p.awaitReady()
	if v := visit("/about", "", ""); v.status != http.StatusUnauthorized || v.header.Get("Strict-Transport-Security") == "" ||
		!strings.Contains(v.body, "This site has a password") {
		t.Errorf("without the password: %d %q", v.status, v.body)
	}
	if v := visit("/about", "guest", "correct house"); v.status != http.StatusUnauthorized {
		t.Errorf("with a wrong password: %d", v.status)
	}
	if v := visit("/about", "guest", "correct horse"); v.status != http.StatusOK || !strings.Contains(v.header.Get("Cache-Control"), "private") {
		t.Errorf("with the password: %d, %v", v.status, v.header)
	}

	set(map[string]any{"login": nil, "maintenance": true, "pages": map[string]string{"maintenance": "/wait.html"}})
	if v := visit("/", "", ""); v.status != http.StatusServiceUnavailable || v.body != "back at noon" || v.header.Get("Retry-After") == "" {
		t.Errorf("in maintenance: %d %q", v.status, v.body)
	}
	set(map[string]any{"maintenance": false, "allow": []string{"192.0.2.0/24"}})
	if v := visit("/", "", ""); v.status != http.StatusForbidden || !strings.Contains(v.body, "Not open to your network") {
		t.Errorf("from elsewhere: %d %q", v.status, v.body)
	}
	set(map[string]any{"allow": []string{"127.0.0.0/8"}, "bounds": map[string]int{"requests_per_second": 1}})
	last := 0
	for range 1000 {
		if last = visit("/", "", "").status; last == http.StatusTooManyRequests {
			break
		}
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("requests in a row end with %d", last)
	}
	p.api(client, "PATCH", "/sites/shop", map[string]any{"options": map[string]any{"canonical": "example.net"}}, http.StatusUnprocessableEntity, nil)
}

// visitOf is what a browser gets.
type visitOf struct {
	status int
	header http.Header
	body   string
}

func (p *process) visit(client *http.Client, url, user, password string) visitOf {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	resp, err := client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return visitOf{resp.StatusCode, resp.Header, string(body)}
}
