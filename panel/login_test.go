package panel

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"berth/panel/auth"
)

func TestLoginRefusals(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	var refusals []string
	for _, account := range []string{"ann", "nobody"} {
		b.open("/login?next=/sites/hello")
		b.submit("form[action='/login']", map[string]string{"account": account, "password": "wrong password"})
		if b.page.status != 403 {
			t.Errorf("wrong password of %s: %d", account, b.page.status)
		}
		refusals = append(refusals, strings.ReplaceAll(b.page.body, `value="`+account+`"`, ""))
		if e := w.newest(); e.Action != "account.login-refused" || e.Origin != "127.0.0.1" {
			t.Errorf("a failed login is logged as %+v", e)
		}
	}
	if refusals[0] != refusals[1] {
		t.Error("the answer tells whether the account exists")
	}
	if e := w.newest(); strings.Contains(e.Subject+e.Detail+e.Actor, "nobody") {
		t.Errorf("the audit log repeats what was typed as a name, which may be a password: %+v", e)
	}
	if strings.Contains(w.browser().open("/login").header.Get("Set-Cookie"), auth.CookieName) {
		t.Error("the login page sets a cookie")
	}
}

func TestLoginIsThrottledAndTheLogBounded(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	before := w.newest().ID
	for range 12 {
		b.send(http.MethodPost, "/login", formType, strings.NewReader("account=ann&password=wrong+password"))
	}
	if b.page.status != 429 || b.page.header.Get("Retry-After") == "" {
		t.Errorf("after 12 attempts: %d, Retry-After %q", b.page.status, b.page.header.Get("Retry-After"))
	}
	contains(t, "page", b.page.Find("#login-fault").Text(), "Too many attempts")
	if n := w.newest().ID - before; n != 1 {
		t.Errorf("%d lines in the audit log, want one a minute", n)
	}
	b.send(http.MethodPost, "/login", formType, strings.NewReader("account=ann&password="+strings.ReplaceAll(testPassword, " ", "+")))
	if b.page.status != 429 {
		t.Errorf("the right password gets round the throttle: %d", b.page.status)
	}
}

func TestStrangersDoNotLockTheOwnerOut(t *testing.T) {
	w := newWorld(t)
	ann := w.login("ann")
	ann.submit("form[action='/logout']", nil)
	w.panel.throttle = auth.NewThrottle() // as after a restart
	stranger := w.browser()
	for range 25 {
		stranger.send(http.MethodPost, "/login", formType, strings.NewReader("account=ann&password=wrong+password"))
	}
	if stranger.page.status != 429 {
		t.Fatalf("the stranger is answered %d", stranger.page.status)
	}
	ann.open("/login")
	ann.submit("form[action='/login']", map[string]string{"account": "ann", "password": testPassword})
	ann.says(200, "logged in as ann")

	bob := w.browser()
	bob.client.Jar = ann.client.Jar
	for range 6 {
		bob.send(http.MethodPost, "/login", formType, strings.NewReader("account=bob&password=wrong+password"))
	}
	if bob.page.status != 429 {
		t.Errorf("ann's browser guesses at bob's password without bound: %d", bob.page.status)
	}
}

func TestLoginCookieAndFixation(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.header.Set("Cookie", auth.CookieName+"=planted")
	res := b.once(http.MethodPost, "/login", formType, strings.NewReader("account=ann&password="+strings.ReplaceAll(testPassword, " ", "+")))
	cookie := strings.Join(res.header["Set-Cookie"], "\n")
	for _, want := range []string{"__Host-berth=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
		contains(t, "Set-Cookie", cookie, want)
	}
	if strings.Contains(cookie, "planted") || strings.Contains(cookie, "Domain") {
		t.Errorf("Set-Cookie %q", cookie)
	}
	planted := w.browser()
	planted.header.Set("Cookie", auth.CookieName+"=planted")
	if planted.open("/account").path == "/account" {
		t.Error("the planted token is logged in")
	}

	again := w.login("ann")
	first := again.session().Value
	again.send(http.MethodPost, "/login", formType, strings.NewReader("account=bob&password="+strings.ReplaceAll(testPassword, " ", "+")))
	if now := again.session().Value; now == first {
		t.Error("logging in again kept the token")
	}
	if e := w.newest(); e.Action != "account.login" || e.Actor != "bob" {
		t.Errorf("newest event %+v", e)
	}
}

func TestLogoutEndsTheSessionOnTheServer(t *testing.T) {
	w := newWorld(t)
	b := w.login("ann")
	stolen := w.browser()
	stolen.header.Set("Cookie", b.session().String())
	if stolen.open("/account").path != "/account" {
		t.Fatal("the cookie does not work")
	}
	b.send(http.MethodPost, "/logout", formType, strings.NewReader(""))
	if stolen.open("/account").path == "/account" {
		t.Error("the cookie works after logging out")
	}
	if e := w.newest(); e.Action != "account.logout" || e.Actor != "ann" {
		t.Errorf("newest event %+v", e)
	}
}

func TestNextStaysHere(t *testing.T) {
	for next, want := range map[string]string{
		"/sites/hello?tail=5":   "/sites/hello?tail=5",
		"/admin/status":         "/admin/status",
		"":                      "/",
		"sites":                 "/",
		"//evil.example":        "/",
		"///evil.example":       "/",
		"/\\evil.example":       "/",
		"/\t/evil.example":      "/",
		"/a\r\nSet-Cookie: b=c": "/",
		"https://evil.example":  "/",
		"javascript:alert(1)":   "/",
		"/login?next=/login":    "/",
		"/logout":               "/",
		"/%zz":                  "/",
	} {
		if got := localPath(next, "/"); got != want {
			t.Errorf("localPath(%q) = %q, want %q", next, got, want)
		}
	}
}

func TestClientAddr(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Forwarded-For", "203.0.113.1")
	for remote, want := range map[string]string{"192.0.2.1:80": "192.0.2.1", "[::ffff:192.0.2.1]:80": "192.0.2.1", "[2001:db8::1]:443": "2001:db8::1", "pipe": "0.0.0.0"} {
		r.RemoteAddr = remote
		if got := clientAddr(r).String(); got != want {
			t.Errorf("clientAddr(%q) = %s, want %s", remote, got, want)
		}
	}
}
