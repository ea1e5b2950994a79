package static

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func ruledSite(t *testing.T) site {
	return serveDir(t, writeFiles(t, map[string]string{
		"index.html": "start", "about.html": "about", "docs/index.html": "docs", "404.html": "nothing here",
		"de/404.html": "nichts", "app.html": "app", "style.css": "a{}", ".env": "secret", "new/there.html": "there",
		"_redirects": strings.Join([]string{
			"/old /about", "/about /never", "/style.css /forced.css 302!", "/shop id=:id /item/:id 303",
			"/app/* /app.html 200", "/manual /docs 200", "/de/* /de/404.html 404", "/gone/* /nix.html 200",
			"/peek* /:splat 200", "/new/* /new/there/:splat 302", "/away/* https://example.org/:splat", "/loop/* /loop/x/:splat",
			"/faulty",
		}, "\n"),
		"_headers": strings.Join([]string{
			"/*", "  X-Frame-Options: DENY", "  X-Content-Type-Options: off", "  Vary: Origin",
			"/app/*", "  Cache-Control: no-store", "  Content-Type: text/x-app",
			"/de/*", "  Cache-Control: max-age=9", "/old", "  Cache-Control: max-age=9",
		}, "\n"),
	}))
}

func TestRules(t *testing.T) {
	s := ruledSite(t)
	tests := []struct {
		promise, target string
		status          int
		leads           string // Location of a redirect, else the body
	}{
		{"a rule leads on", "/old?a=1", 301, "/about?a=1"},
		{"a file shadows a rule", "/about", 200, "about"},
		{"unless it is forced", "/style.css", 302, "/forced.css"},
		{"parameters", "/shop?id=7", 303, "/item/7"},
		{"without them there is no page", "/shop", 404, "nothing here"},
		{"a rewrite shows a file", "/app/any/where", 200, "app"},
		{"also the page of a folder", "/manual", 200, "docs"},
		{"a rewrite to what is not there", "/gone/x", 404, "nothing here"},
		{"a page of its own for what is missing", "/de/x", 404, "nichts"},
		{"no rewrite shows a hidden file", "/peek.env", 404, "nothing here"},
		{"nor a file of rules", "/peek_headers", 404, "nothing here"},
		{"the rules are not served", "/_headers", 404, "nothing here"},
		{"none of them", "/_redirects", 404, "nothing here"},
		{"a redirect to another host", "/away/x", 301, "https://example.org/x"},
		{"a redirect that would come back needs a file", "/loop/y", 404, "nothing here"},
		{"which it then leads to", "/new/", 302, "/new/there/"},
		{"a faulty line has no effect", "/faulty", 404, "nothing here"},
		{"slashes are merged before any rule", "//old", 308, "/old"},
		{"clean addresses stay", "/docs", 308, "/docs/"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			got := s.get(t, tt.target)
			leads := got.body
			if got.status >= 300 && got.status < 400 {
				leads = got.header.Get("Location")
			}
			if got.status != tt.status || leads != tt.leads {
				t.Errorf("%s: %d %q, want %d %q", tt.target, got.status, leads, tt.status, tt.leads)
			}
			if got.header.Get("X-Frame-Options") != "DENY" {
				t.Errorf("%s: headers %v", tt.target, got.header)
			}
			if head := s.ask(t, "HEAD", tt.target); head.status != got.status || head.body != "" {
				t.Errorf("HEAD: %d %q", head.status, head.body)
			}
		})
	}
}

func TestHeadersOfRules(t *testing.T) {
	s := ruledSite(t)
	tests := []struct{ promise, target, name, want string }{
		{"a rule overrides the default", "/", "X-Content-Type-Options", "off"},
		{"and of caching", "/app/x", "Cache-Control", "no-store"},
		{"and the type", "/app/x", "Content-Type", "text/x-app"},
		{"not of a page of another path", "/about", "Content-Type", "text/html; charset=utf-8"},
		{"a redirect is not kept as a file would be", "/old", "Cache-Control", cacheControl},
		{"nor a missing page", "/de/x", "Cache-Control", cacheControl},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			if got := s.get(t, tt.target).header.Values(tt.name); len(got) != 1 || got[0] != tt.want {
				t.Errorf("%s of %s: %q, want %q", tt.name, tt.target, got, tt.want)
			}
		})
	}
	page := s.get(t, "/app/x")
	again := s.get(t, "/app/x", "If-None-Match: "+page.header.Get("Etag"))
	if again.status != http.StatusNotModified || again.header.Get("Cache-Control") != "no-store" {
		t.Errorf("unchanged: %d %v", again.status, again.header)
	}
}

// TestVaryIsKept wants what a rule says beside what compression says.
func TestVaryIsKept(t *testing.T) {
	s := serveDir(t, writeFiles(t, map[string]string{"a.css": "a{}", "a.css.gz": "packed", "_headers": "/*\n  Vary: Origin"}))
	got := s.get(t, "/a.css", "Accept-Encoding: gzip")
	if vary := strings.Join(got.header.Values("Vary"), ", "); got.body != "packed" || vary != "Accept-Encoding, Origin" {
		t.Errorf("%q varies by %q", got.body, vary)
	}
}

// TestRulesAreReadOnce reads them by many requests at once, and not again when the files change.
func TestRulesAreReadOnce(t *testing.T) {
	dir := writeFiles(t, map[string]string{"index.html": "start", "_redirects": "/old /new"})
	s := serveDir(t, dir)
	var visitors sync.WaitGroup
	for range 8 {
		visitors.Go(func() {
			if got := s.get(t, "/old"); got.status != 301 {
				t.Errorf("%d", got.status)
			}
		})
	}
	visitors.Wait()
	if err := os.WriteFile(filepath.Join(dir, "_redirects"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, "/old"); got.status != 301 {
		t.Errorf("read again: %d", got.status)
	}
}

// TestUnreadableRules wants no answer without the headers that a release may rely on.
func TestUnreadableRules(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root can read everything")
	}
	dir := writeFiles(t, map[string]string{"index.html": "start", "_headers": "/*\n  X-Frame-Options: DENY"})
	if err := os.Chmod(filepath.Join(dir, "_headers"), 0); err != nil {
		t.Fatal(err)
	}
	if got := serveDir(t, dir).get(t, "/"); got.status != http.StatusInternalServerError {
		t.Errorf("%d %q", got.status, got.body)
	}
}
