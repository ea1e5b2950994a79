package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestRulesOfARelease uploads content with _redirects and _headers, and asks for what they say over HTTPS: in process and from
// a container.
func TestRulesOfARelease(t *testing.T) {
	for _, runtime := range []string{"embedded", "docker"} {
		t.Run(runtime, func(t *testing.T) {
			if runtime == "docker" {
				needDocker(t)
			}
			p := startBerth(t, "--runtime", runtime, "--acme-ca", "internal", "--certificates", "wildcard", "--network-pool", "10.97.0.0/20")
			rulesHold(t, p)
		})
	}
}

func rulesHold(t *testing.T, p *process) {
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "ruled"}, http.StatusCreated, nil)
	zip := zipped(t, "home.html", "home", "about.html", "about", "404.html", "nothing here",
		"_redirects", "/ /home.html 200\n/old/:page /:page 302\n/api/* https://api.example.org/:splat 200\n/en / 302 Language=de\n",
		"_headers", "/*\n  X-Frame-Options: DENY\n/about\n  Cache-Control: public, max-age=60\n  Basic-Auth: ann:secret\n")
	var release struct {
		Files   int
		Bytes   int64
		Warning string
		Remarks []struct {
			File     string
			Line     int
			Sentence string
		}
	}
	p.api(client, "POST", "/sites/ruled/releases?wait=live", zip, http.StatusCreated, &release)
	if release.Files != 3 || release.Bytes != int64(len("home"+"about"+"nothing here")) || release.Warning != "" || len(release.Remarks) != 3 {
		t.Fatalf("release: %+v", release)
	}
	for i, want := range []struct {
		file string
		line int
		says string
	}{{"_redirects", 3, "not fetched"}, {"_redirects", 4, "Language"}, {"_headers", 5, "Settings"}} {
		if got := release.Remarks[i]; got.File != want.file || got.Line != want.line || !strings.Contains(got.Sentence, want.says) {
			t.Errorf("remark %d: %+v, want %+v", i, got, want)
		}
	}
	wantPage(t, client, p.url("ruled", "/"), http.StatusOK, "home")
	wantPage(t, client, p.url("ruled", "/_headers"), http.StatusNotFound, "nothing here")
	wantPage(t, client, p.url("ruled", "/api/x"), http.StatusNotFound, "nothing here")
	wantHeader(t, client, p.url("ruled", "/old/about?x=1"), http.StatusFound, "Location", "/about?x=1")
	wantHeader(t, client, p.url("ruled", "/about"), http.StatusOK, "Cache-Control", "public, max-age=60")
	wantHeader(t, client, p.url("ruled", "/nix"), http.StatusNotFound, "X-Frame-Options", "DENY")
}

func wantHeader(t *testing.T, client *http.Client, url string, status int, name, want string) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Error(err)
		return
	}
	resp.Body.Close()
	if got := resp.Header.Get(name); resp.StatusCode != status || got != want {
		t.Errorf("%s: %d, %s is %q; want %d, %q", url, resp.StatusCode, name, got, status, want)
	}
}
