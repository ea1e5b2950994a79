package proxy

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"berth/sites"
	"berth/sites/static"
)

// optional is the site hello at two hosts, with options.
func optional(o sites.Options, instances ...netip.AddrPort) sites.Published {
	s := site("hello", instances...)
	s.Hosts = append(s.Hosts, "world.berth.test")
	s.Options = o
	return s
}

// withStatic serves releases as berth does.
func withStatic(c *Config, _ *limits) {
	c.Static = func(root string) (http.Handler, error) { return static.New(root, nil) }
}

// filesOf makes a release's directory of files that hold their own names.
func filesOf(t testing.TB, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func login(t testing.TB, user, password string) sites.Login {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return sites.Login{User: user, PasswordHash: string(hash)}
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestASiteWithoutOptionsHasNoPolicy(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, says("hello")).addr))
	if rt := e.table.find("hello.berth.test"); rt.policy != nil {
		t.Errorf("policy %+v", rt.policy)
	}
}

func TestOtherHostsRedirectToTheCanonicalOne(t *testing.T) {
	e := startEdge(t)
	instance := startInstance(t, says("hello"))
	e.publish(optional(sites.Options{Canonical: "world.berth.test"}, instance.addr))
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			got := do(t, c, request(t, method, "https://hello.berth.test/a%2Fb//c?x=1&y", "body"))
			if want := "https://world.berth.test:8443/a%2Fb//c?x=1&y"; got.StatusCode != http.StatusPermanentRedirect || got.Header.Get("Location") != want {
				t.Errorf("%s: %d to %s, want 308 to %s", method, got.StatusCode, got.Header.Get("Location"), want)
			}
			if kept := got.Header.Get("Cache-Control"); kept != "no-cache" {
				t.Errorf("a browser keeps the redirect: %q", kept)
			}
		}
		if got := get(t, c, "https://world.berth.test/a"); got.StatusCode != http.StatusOK || got.body != "hello" {
			t.Errorf("the canonical host says %d %q", got.StatusCode, got.body)
		}
	})
	lapsed := optional(sites.Options{Canonical: "world.berth.test"}, instance.addr)
	lapsed.Lapsed = []string{"world.berth.test"}
	gone := site("hello", instance.addr)
	gone.Options = sites.Options{Canonical: "world.berth.test"}
	for what, published := range map[string]sites.Published{"leads elsewhere": lapsed, "has gone": gone} {
		e.publish(published)
		if got := get(t, e.client(2), "https://hello.berth.test/"); got.StatusCode != http.StatusOK {
			t.Errorf("with a canonical host that %s: %d", what, got.StatusCode)
		}
	}
}

func TestTrailingSlash(t *testing.T) {
	e := startEdge(t)
	instance := startInstance(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) })
	for _, tc := range []struct {
		mode         sites.TrailingSlash
		method, path string
		want         string // where it leads; empty: nowhere
	}{
		{sites.SlashAdd, "GET", "/about", "/about/"},
		{sites.SlashAdd, "HEAD", "/about", "/about/"},
		{sites.SlashAdd, "GET", "/about?a=b&c", "/about/?a=b&c"},
		{sites.SlashAdd, "GET", "/a.b/about", "/a.b/about/"},
		{sites.SlashAdd, "GET", "/a%20b/%2F", "/a%20b/%2F/"},
		{sites.SlashAdd, "GET", "/about/", ""},
		{sites.SlashAdd, "GET", "/about//", ""},
		{sites.SlashAdd, "GET", "/", ""},
		{sites.SlashAdd, "GET", "/style.css", ""},
		{sites.SlashAdd, "GET", "/.well-known/x", ""},
		{sites.SlashAdd, "POST", "/about", ""},
		{sites.SlashRemove, "GET", "/about/", "/about"},
		{sites.SlashRemove, "GET", "/about//?", "/about?"},
		{sites.SlashRemove, "GET", "/a/b/?q=/", "/a/b?q=/"},
		{sites.SlashRemove, "GET", "//evil.test/", ""},
		{sites.SlashRemove, "GET", "//evil/", "//evil"}, // behind the host, so it leads nowhere else
		{sites.SlashRemove, "GET", "/about", ""},
		{sites.SlashRemove, "GET", "/", ""},
		{sites.SlashRemove, "GET", "//", ""},
		{sites.SlashRemove, "GET", "/v1.2/", ""},
		{sites.SlashRemove, "DELETE", "/about/", ""},
	} {
		e.publish(optional(sites.Options{TrailingSlash: tc.mode}, instance.addr))
		got := do(t, e.client(1), request(t, tc.method, "https://hello.berth.test"+tc.path, ""))
		location := got.Header.Get("Location")
		if tc.want == "" {
			if got.StatusCode != http.StatusOK || location != "" {
				t.Errorf("%s: %s %s leads to %q with %d", tc.mode, tc.method, tc.path, location, got.StatusCode)
			}
			continue
		}
		if want := "https://hello.berth.test:8443" + tc.want; got.StatusCode != http.StatusPermanentRedirect || location != want {
			t.Errorf("%s: %s %s leads to %q with %d, want %s", tc.mode, tc.method, tc.path, location, got.StatusCode, want)
		}
	}
	e.publish(optional(sites.Options{TrailingSlash: sites.SlashAdd, Canonical: "world.berth.test"}, instance.addr))
	if got := get(t, e.client(2), "https://hello.berth.test/about"); got.Header.Get("Location") != "https://world.berth.test:8443/about/" {
		t.Errorf("both redirects at once lead to %q", got.Header.Get("Location"))
	}
}

// travel follows redirects and returns where they end.
func travel(t *testing.T, c *http.Client, url string) (path string, last reply) {
	t.Helper()
	for range 5 {
		last = get(t, c, url)
		next, err := last.Location()
		if err != nil {
			return last.Request.URL.RequestURI(), last
		}
		next.Host = next.Hostname()
		url = next.String()
	}
	t.Fatalf("%s: a circle of redirects", url)
	return "", last
}

func TestTrailingSlashAndTheStaticServerNeverGoInCircles(t *testing.T) {
	dir := filesOf(t, "index.html", "page.html", "folder/index.html", "deep/er/index.html", "deep/leaf.html", "plain.txt")
	handler, err := static.New(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	instance := startInstance(t, handler.ServeHTTP)
	e := startEdge(t, withStatic)
	by := map[string]func(sites.Options) sites.Published{
		"instance": func(o sites.Options) sites.Published { return optional(o, instance.addr) },
		"berth": func(o sites.Options) sites.Published {
			s := optional(o)
			s.Root = dir
			return s
		},
	}
	for what, published := range by {
		for _, tc := range []struct{ path, bare, slashed, body string }{
			{"/", "/", "/", "index.html"},
			{"/page", "/page", "/page/", "page.html"},
			{"/folder?a=b", "/folder?a=b", "/folder/?a=b", "folder/index.html"},
			{"/deep/er", "/deep/er", "/deep/er/", "deep/er/index.html"},
			{"/deep/leaf", "/deep/leaf", "/deep/leaf/", "deep/leaf.html"},
			{"/plain.txt", "/plain.txt", "/plain.txt", "plain.txt"},
			{"/missing", "/missing", "/missing/", ""},
		} {
			for mode, want := range map[sites.TrailingSlash]string{sites.SlashAdd: tc.slashed, sites.SlashRemove: tc.bare} {
				e.publish(published(sites.Options{TrailingSlash: mode}))
				for _, path := range []string{tc.bare, tc.slashed} {
					t.Run(fmt.Sprintf("%s/%s%s", what, mode, path), func(t *testing.T) {
						at, last := travel(t, e.client(2), "https://hello.berth.test"+path)
						if at != want || (tc.body != "" && (last.StatusCode != 200 || last.body != tc.body)) || (tc.body == "" && last.StatusCode != 404) {
							t.Errorf("ends at %s with %d %.40q, want %s with %q", at, last.StatusCode, last.body, want, tc.body)
						}
					})
				}
			}
		}
	}
}

func TestAnInstancesOtherRedirectsPass(t *testing.T) {
	e := startEdge(t)
	instance := startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-From", r.URL.Path)
		switch r.URL.Path {
		case "/login":
			w.Header().Set("Location", "/elsewhere/")
			w.WriteHeader(http.StatusFound)
		case "/cookie":
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
			http.Redirect(w, r, "/cookie/", http.StatusFound)
		case "/absolute":
			http.Redirect(w, r, "https://hello.berth.test/absolute/", http.StatusMovedPermanently)
		case "/other":
			http.Redirect(w, r, "https://world.berth.test/other/", http.StatusMovedPermanently)
		default:
			io.WriteString(w, r.URL.Path)
		}
	})
	e.publish(optional(sites.Options{TrailingSlash: sites.SlashRemove, HSTS: sites.HSTSHost}, instance.addr))
	for path, want := range map[string]struct {
		status   int
		location string
		from     string
	}{
		"/login":    {302, "/elsewhere/", "/login"},
		"/cookie":   {302, "/cookie/", "/cookie"},
		"/absolute": {200, "", "/absolute/"},
		"/other":    {301, "https://world.berth.test/other/", "/other"},
	} {
		got := get(t, e.client(1), "https://hello.berth.test"+path)
		if got.StatusCode != want.status || got.Header.Get("Location") != want.location || got.Header.Get("X-From") != want.from ||
			got.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: %d, %v; want %+v", path, got.StatusCode, got.Header, want)
		}
	}
}

func TestHSTS(t *testing.T) {
	const year, wide = "max-age=31536000", "max-age=31536000; includeSubDomains"
	own := startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=1")
		w.WriteHeader(http.StatusTeapot)
	})
	e := startEdge(t)
	above := func(o sites.Options) sites.Published { // at a host that the zone lies below
		s := optional(o, own.addr)
		s.Hosts = append(s.Hosts, "test")
		return s
	}
	for _, tc := range []struct {
		published sites.Published
		host      string
		want      string
	}{
		{optional(sites.Options{}, own.addr), "hello.berth.test", "max-age=1"},
		{optional(sites.Options{Bounds: sites.Bounds{BodyMB: 1}}, own.addr), "hello.berth.test", "max-age=1"},
		{optional(sites.Options{HSTS: sites.HSTSHost}, own.addr), "hello.berth.test", year},
		{optional(sites.Options{HSTS: sites.HSTSSubdomains}, own.addr), "hello.berth.test", wide},
		{optional(sites.Options{HSTS: sites.HSTSSubdomains}, own.addr), "world.berth.test", wide},
		{above(sites.Options{HSTS: sites.HSTSSubdomains}), "test", year},
		{optional(sites.Options{HSTS: sites.HSTSHost}, deadAddress(t)), "hello.berth.test", year},
		{optional(sites.Options{HSTS: sites.HSTSHost, Maintenance: true}, own.addr), "hello.berth.test", year},
		{optional(sites.Options{HSTS: sites.HSTSHost, Canonical: "world.berth.test"}, own.addr), "hello.berth.test", year},
		{optional(sites.Options{HSTS: sites.HSTSHost, Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, own.addr), "hello.berth.test", year},
		{optional(sites.Options{HSTS: sites.HSTSHost, Login: login(t, "ann", "secret")}, own.addr), "hello.berth.test", year},
	} {
		e.publish(tc.published)
		got := do(t, e.client(2), request(t, "GET", "https://hello.berth.test/", "", "Host", tc.host))
		if tc.host != "hello.berth.test" {
			got = raw(t, e.dialTLS(t), "GET / HTTP/1.1", "Host: "+tc.host, "Connection: close")
		}
		if said := got.Header["Strict-Transport-Security"]; len(said) != 1 || said[0] != tc.want {
			t.Errorf("%+v at %s: %d says %q, want %q", tc.published.Options, tc.host, got.StatusCode, said, tc.want)
		}
	}
	for _, url := range []string{"http://hello.berth.test/", "https://nobody.berth.test/", "https://panel.berth.test/"} {
		if got := get(t, e.client(1), url); got.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s says %q", url, got.Header.Get("Strict-Transport-Security"))
		}
	}
}

func TestAllowList(t *testing.T) {
	e := startEdge(t)
	instance := startInstance(t, says("hello"))
	allow := func(prefixes ...string) sites.Published {
		var o sites.Options
		for _, p := range prefixes {
			o.Allow = append(o.Allow, netip.MustParsePrefix(p))
		}
		return optional(o, instance.addr)
	}
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		e.publish(allow("192.0.2.0/24", "::1/128"))
		got := get(t, c, "https://hello.berth.test/", "Accept", "text/html", "X-Forwarded-For", "192.0.2.1")
		if got.StatusCode != http.StatusForbidden || !strings.Contains(got.body, "<!doctype html>") || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("a stranger gets %d %q", got.StatusCode, got.body)
		}
		e.publish(allow("192.0.2.0/24", "127.0.0.0/8"))
		got = get(t, c, "https://hello.berth.test/")
		if got.StatusCode != http.StatusOK || got.Header.Get("Cache-Control") != "private" {
			t.Errorf("a guest gets %d, %v", got.StatusCode, got.Header)
		}
	})
}

func TestMaintenance(t *testing.T) {
	e := startEdge(t, withStatic)
	instance := startInstance(t, says("hello"))
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		e.publish(optional(sites.Options{Maintenance: true}, instance.addr))
		for _, method := range []string{"GET", "POST"} {
			got := do(t, c, request(t, method, "https://hello.berth.test/a", "", "Accept", "text/html"))
			if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") != "300" || !strings.Contains(got.body, fmt.Sprintf("page %d", PageMaintenance)) {
				t.Errorf("%s: %d, %v, %q", method, got.StatusCode, got.Header, got.body)
			}
		}
		e.publish(optional(sites.Options{}, instance.addr))
		if got := get(t, c, "https://hello.berth.test/a"); got.StatusCode != http.StatusOK {
			t.Errorf("after maintenance: %d", got.StatusCode)
		}
	})
}

func TestOwnPages(t *testing.T) {
	dir := filesOf(t, "errors/down.html", "wait.html", "wait.html.gz")
	pages := sites.ErrorPages{Down: "/errors/down.html", Maintenance: "/wait.html"}
	e := startEdge(t, withStatic)
	publish := func(o sites.Options, content string) {
		s := optional(o, deadAddress(t))
		s.Content = content
		e.publish(s)
	}
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		publish(sites.Options{Pages: pages, Maintenance: true}, dir)
		got := get(t, c, "https://hello.berth.test/a/b", "If-None-Match", "*", "Range", "bytes=0-1", "Accept-Encoding", "identity")
		if got.StatusCode != 503 || got.body != "wait.html" || got.Header.Get("Retry-After") != "300" || got.Header.Get("Cache-Control") != "no-store" ||
			got.Header.Get("Etag") != "" || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
			t.Errorf("in maintenance: %d %q %v", got.StatusCode, got.body, got.Header)
		}
		if got := get(t, c, "https://hello.berth.test/", "Accept-Encoding", "gzip"); got.Header.Get("Content-Encoding") != "gzip" || got.body != "wait.html.gz" {
			t.Errorf("compressed: %d %q %v", got.StatusCode, got.body, got.Header)
		}
		if got := do(t, c, request(t, "HEAD", "https://hello.berth.test/", "")); got.StatusCode != 503 || got.body != "" {
			t.Errorf("HEAD: %d %q", got.StatusCode, got.body)
		}
		publish(sites.Options{Pages: pages}, dir)
		for _, method := range []string{"GET", "POST"} {
			if got := do(t, c, request(t, method, "https://hello.berth.test/a", "")); got.StatusCode != 502 || got.body != "errors/down.html" {
				t.Errorf("%s while down: %d %q", method, got.StatusCode, got.body)
			}
		}
		for what, content := range map[string]string{"a release without the page": filesOf(t), "no release": "", "a release that is not there": dir + "x"} {
			publish(sites.Options{Pages: pages}, content)
			if got := get(t, c, "https://hello.berth.test/a"); got.StatusCode != 502 || !strings.Contains(got.body, "cannot be reached") {
				t.Errorf("with %s: %d %q", what, got.StatusCode, got.body)
			}
		}
	})
}

// A request that one site has let through does not get past another's login when the host moves.
func TestMovedHostKeepsItsLogin(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, says("open")).addr))
	rt := e.table.find("hello.berth.test")
	guarded := site("hello", startInstance(t, says("secret")).addr)
	guarded.ID++
	guarded.Options.Login = sites.Login{User: "anna", PasswordHash: "x"}
	e.publish(guarded)
	w := httptest.NewRecorder()
	e.fromOrigin(w, request(t, http.MethodGet, "https://hello.berth.test/", ""), rt, "hello.berth.test")
	if w.Code != http.StatusBadGateway || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}
