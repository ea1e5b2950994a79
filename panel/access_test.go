package panel

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"berth/panel/auth"

	"github.com/labstack/echo/v4"
)

const formType = "application/x-www-form-urlencoded"

// every calls all routes as somebody.
func (w *world) every(b *browser, fn func(route *echo.Route, p *page)) {
	for _, route := range w.panel.echo.Routes() {
		if route.Method == echo.RouteNotFound || route.Method == http.MethodHead || route.Path == "/events" || route.Path == "/queries/follow" {
			continue
		}
		path := strings.NewReplacer(":name", "hello", ":number", "1", ":id", "1", ":zone", "example.org", ":key", "key", "*", "berth.css").Replace(route.Path)
		fn(route, b.once(route.Method, path, "", nil))
	}
}

func TestEveryResponseIsHardened(t *testing.T) {
	w := newWorld(t)
	if got := w.browser().open("/login").header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("on port 8443 browsers are told %q, which would break http on port 8080", got)
	}
	w.panel.cfg.HTTPSPort = 443
	check := func(route *echo.Route, p *page) {
		for header, want := range map[string]string{
			"Content-Security-Policy":      "default-src 'none'",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "same-origin",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Permissions-Policy":           "camera=()",
			"Strict-Transport-Security":    "max-age=",
			"X-Request-Id":                 "",
		} {
			if got := p.header.Get(header); got == "" || !strings.Contains(got, want) {
				t.Errorf("%s %s: %s is %q", route.Method, route.Path, header, got)
			}
		}
		if strings.Contains(p.header.Get("Content-Security-Policy"), "unsafe") {
			t.Errorf("%s %s: unsafe policy", route.Method, route.Path)
		}
		if p.status >= 500 {
			t.Errorf("%s %s: %d", route.Method, route.Path, p.status)
		}
		if cache := p.header.Get("Cache-Control"); !strings.HasPrefix(route.Path, "/assets/") && !strings.HasPrefix(cache, "no-store") {
			t.Errorf("%s %s: Cache-Control %q", route.Method, route.Path, cache)
		}
	}
	w.every(w.browser(), check)
	w.every(w.login("root"), check)
	check(&echo.Route{Method: "GET", Path: "/nothing"}, w.browser().open("/nothing"))
}

func TestNothingIsOpenWithoutLogin(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	before := w.newest().ID
	open := regexp.MustCompile(`^(/healthz|/readyz|/root.crt|/login|/logout|/assets/\*)$`)
	w.every(w.browser(), func(route *echo.Route, p *page) {
		if open.MatchString(route.Path) {
			return
		}
		toLogin := p.status == 303 && strings.HasPrefix(p.header.Get("Location"), "/login")
		refused := p.status == 403
		if isAPI(route.Path) {
			refused = p.status == 401 && p.header.Get("WWW-Authenticate") != ""
		}
		if !toLogin && !refused {
			t.Errorf("%s %s answers %d to a stranger", route.Method, route.Path, p.status)
		}
	})
	if e := w.newest(); e.ID != before && e.Action != "account.login-refused" {
		t.Errorf("a stranger changed something: %+v", w.newest())
	}
}

func TestAnothersSiteIsLikeNone(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	b, token := w.login("bob"), w.token("bob")
	w.call(token, "GET", "/api/v1/sites", "", "") // notes the token's first use
	before := w.newest().ID
	for _, route := range w.panel.echo.Routes() {
		if !strings.Contains(route.Path, "/sites/:name") || route.Method == echo.RouteNotFound {
			continue
		}
		ask := func(name string) (int, string) {
			path := strings.NewReplacer(":name", name, ":number", "1", ":id", "1").Replace(route.Path)
			contentType, body := formType, "confirm="+name
			if strings.HasPrefix(path, "/api/") {
				contentType, body = "application/json", `{"owner":"bob"}`
				a := w.call(token, route.Method, path, contentType, body)
				return a.status, strings.ReplaceAll(a.body, name, "NAME")
			}
			p := b.once(route.Method, path, contentType, strings.NewReader(body))
			return p.status, strings.ReplaceAll(p.body, name, "NAME")
		}
		status, another := ask("hello")
		_, none := ask("hollo")
		if status != 404 || another != none {
			t.Errorf("%s %s: %d for another's site\n%s\nfor none\n%s", route.Method, route.Path, status, another, none)
		}
	}
	if w.newest().ID != before {
		t.Errorf("something was changed: %+v", w.newest())
	}
}

func TestAdminPagesDoNotExistForOwners(t *testing.T) {
	w := newWorld(t)
	b := w.login("ann")
	nothing := b.open("/admin/nothing")
	admins := regexp.MustCompile(`^/(admin/|zones|tsig-keys|queries)`)
	for _, route := range w.panel.echo.Routes() {
		if !admins.MatchString(route.Path) || route.Method == http.MethodHead {
			continue
		}
		path := strings.NewReplacer(":name", "root", ":zone", testZone, ":key", "key", ":id", "1").Replace(route.Path)
		if p := b.once(route.Method, path, formType, strings.NewReader("")); p.status != 404 || p.body != nothing.body {
			t.Errorf("%s %s answers %d to an owner, or not like a page that does not exist", route.Method, path, p.status)
		}
	}
}

func TestInternalErrorsAreLoggedOnceAndNotShown(t *testing.T) {
	w := newWorld(t)
	w.panel.echo.GET("/broken", func(echo.Context) error { return errors.New("the secret inside") })
	w.panel.echo.GET("/api/v1/broken", func(echo.Context) error { panic("the secret inside") })
	for path, kind := range map[string]string{"/broken": "text/html; charset=UTF-8", "/api/v1/broken": "application/problem+json"} {
		p := w.browser().open(path)
		if p.status != 500 || p.header.Get("Content-Type") != kind || strings.Contains(p.body, "secret") {
			t.Errorf("%s: %d %s %s", path, p.status, p.header.Get("Content-Type"), p.body)
		}
		id := p.header.Get("X-Request-Id")
		contains(t, path, p.body, id)
		if n := strings.Count(w.logged(), "request="+id); n != 1 {
			t.Errorf("%s is logged %d times in %s", path, n, w.logged())
		}
	}
	contains(t, "log", w.logged(), "the secret inside")
}

func TestACanceledRequestIsCutOff(t *testing.T) {
	w := newWorld(t)
	w.panel.echo.GET("/slow", func(c echo.Context) error { return c.Request().Context().Err() })
	w.panel.echo.GET("/api/v1/slow", func(c echo.Context) error { return c.Request().Context().Err() })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, path := range []string{"/slow", "/api/v1/slow"} {
		func() {
			defer func() {
				if got := recover(); got != http.ErrAbortHandler {
					t.Errorf("%s ends with %v, want it cut off", path, got)
				}
			}()
			w.panel.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
		}()
	}
}

// lostSessions cannot be read.
type lostSessions struct{}

func (lostSessions) Find(string) ([]byte, bool, error) {
	return nil, false, errors.New("the secret inside")
}

func (lostSessions) Commit(string, []byte, time.Time) error { return errors.New("the secret inside") }

func (lostSessions) Delete(string) error { return errors.New("the secret inside") }

func TestLostSessionsAreAnErrorPage(t *testing.T) {
	w := newWorld(t)
	w.panel.sessions = auth.NewSessions(lostSessions{}, w.panel.sessionFailed)
	b := w.browser()
	if p := b.once(http.MethodPost, "/login", formType, strings.NewReader("account=ann&password="+strings.ReplaceAll(testPassword, " ", "+"))); p.status != 500 || strings.Contains(p.body, "secret") {
		t.Errorf("login without a session store: %d %s", p.status, p.body)
	}
	b.header.Set("Cookie", auth.CookieName+"=x")
	p := b.once(http.MethodGet, "/", "", nil)
	if p.status != 500 || strings.Contains(p.body, "secret") || p.Find("main h1").Length() != 1 {
		t.Errorf("a page without a session store: %d %s", p.status, p.body)
	}
	contains(t, "log", w.logged(), "request="+p.header.Get("X-Request-Id"))
	if p := w.browser().open("/healthz"); p.status != 200 {
		t.Errorf("healthz without a session store: %d", p.status)
	}
}

func TestOpenRoutes(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	if p := b.open("/healthz"); p.status != 200 || p.body != "alive\n" {
		t.Errorf("healthz: %d %q", p.status, p.body)
	}
	if p := b.open("/readyz"); p.status != 200 || p.body != "ready\n" {
		t.Errorf("readyz: %d %q", p.status, p.body)
	}
	if p := b.open("/root.crt"); p.status != 404 {
		t.Errorf("root.crt without an authority of our own: %d", p.status)
	}
	w.certs.root = []byte("-----BEGIN CERTIFICATE-----")
	if p := b.open("/root.crt"); p.status != 200 || p.body != string(w.certs.root) || p.header.Get("Content-Type") != "application/x-x509-ca-cert" {
		t.Errorf("root.crt: %d %s %q", p.status, p.header.Get("Content-Type"), p.body)
	}
	style := b.open("/login").Find("link[rel=stylesheet]").AttrOr("href", "")
	p := b.open(style)
	contains(t, "Cache-Control", p.header.Get("Cache-Control"), "immutable")
	b.header.Set("If-None-Match", p.header.Get("ETag"))
	if p := b.open(style); p.status != 304 {
		t.Errorf("an asset asked for again: %d", p.status)
	}
}

func TestFormsAreBounded(t *testing.T) {
	w := newWorld(t)
	p := w.browser().once(http.MethodPost, "/login", formType, strings.NewReader("account="+strings.Repeat("a", 1<<20)))
	if p.status != 413 {
		t.Errorf("a form of 1 MiB: %d", p.status)
	}
}
