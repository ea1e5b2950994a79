package panel

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAnActionAfterTheSessionsEndIsTold(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	b := w.login("ann")
	b.open("/sites/hello")
	page := b.page
	for name, send := range map[string]func(){
		"a form":    func() { b.submit("form[action='/sites/hello/stop']", nil) },
		"an upload": func() { b.submitFile("form[data-upload]", "site.zip", zipOf(t, "index.html")) },
	} {
		b.client = w.client(true) // a browser without the session
		b.header.Set("Referer", w.server.URL+"/sites/hello")
		b.page = page
		send()
		b.says(200, "nothing was changed")
		b.submit("form[action='/login']", map[string]string{"account": "ann", "password": testPassword})
		if b.page.path != "/sites/hello" {
			t.Errorf("%s: logging in again ends at %s", name, b.page.path)
		}
		b.says(200, "logged in as ann")
	}
	if st := w.await("ann", "hello"); st.Active != 1 || st.State != "running" {
		t.Errorf("something was changed: %s, release %d", st.State, st.Active)
	}
}

func TestLoginPathLeadsBack(t *testing.T) {
	for _, tc := range []struct{ method, target, referer, want string }{
		{http.MethodGet, "/", "", "/login"},
		{http.MethodHead, "/account", "", "/login?next=%2Faccount"},
		{http.MethodGet, "/sites/a?tail=5", "", "/login?next=%2Fsites%2Fa%3Ftail%3D5"},
		{http.MethodPost, "/new", "https://panel.test/new", "/login?ended=1&next=%2Fnew"},
		{http.MethodPost, "/new", "https://panel.test/", "/login?ended=1"},
		{http.MethodPost, "/new", "", "/login?ended=1"},
		{http.MethodPost, "/new", "https://evil.panel.test/new", "/login?ended=1"},
		{http.MethodPost, "/new", "https://panel.test:1/new", "/login?ended=1"},
		{http.MethodPost, "/new", "https://panel.test//evil.example", "/login?ended=1"},
		{http.MethodPost, "/new", "http://panel.test/new", "/login?ended=1"},
		{http.MethodPost, "/new", "%", "/login?ended=1"},
	} {
		r := httptest.NewRequest(tc.method, "https://panel.test"+tc.target, nil)
		r.Header.Set("Referer", tc.referer)
		if got := loginPath(r); got != tc.want {
			t.Errorf("%s %s from %q leads to %s, want %s", tc.method, tc.target, tc.referer, got, tc.want)
		}
	}
}

func TestAddressesOfFormsLeadToTheirPages(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	b := w.login("root")
	for path, want := range map[string]string{
		"/account/password":            "/account",
		"/account/tokens":              "/account",
		"/sites/hello/releases":        "/sites/hello",
		"/admin/accounts/ann/password": "/admin/accounts/ann",
		"/admin/accounts/ann/delete":   "/admin/accounts/ann",
	} {
		if p := b.open(path); p.status != 200 || p.path != want {
			t.Errorf("%s leads to %s with %d, want %s", path, p.path, p.status, want)
		}
	}
	if p := b.open("/login?ended=1"); strings.Contains(p.body, ended) {
		t.Error("somebody who is logged in is told to be logged out")
	}
}
