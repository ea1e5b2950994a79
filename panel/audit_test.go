package panel

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

// act is a request that succeeds, and the event it must leave.
type act struct {
	route, path, contentType, body, action string
	before                                 func() // prepares it; may be nil
}

func zipForm(t *testing.T) (contentType, body string) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile("file", "a.zip")
	if err != nil {
		t.Fatal(err)
	}
	part.Write(zipOf(t, "index.html"))
	form.Close()
	return form.FormDataContentType(), b.String()
}

// pageActs are carried out in this order, by an admin at a browser.
func pageActs(t *testing.T, tokenID int64) []act {
	kind, form := zipForm(t)
	password := strings.ReplaceAll(testPassword, " ", "+")
	return []act{
		{"/new", "", formType, "name=fresh", "site.create", nil},
		{"/sites/:name/stop", "/sites/hello/stop", formType, "", "site.stop", nil},
		{"/sites/:name/start", "/sites/hello/start", formType, "", "site.start", nil},
		{"/sites/:name/restart", "/sites/hello/restart", formType, "", "site.restart", nil},
		{"/sites/:name/releases", "/sites/hello/releases", kind, form, "release.upload", nil},
		{"/sites/:name/releases/:number/activate", "/sites/hello/releases/1/activate", formType, "", "release.activate", nil},
		{"/sites/:name/records", "/sites/hello/records", formType, "type=TXT&data=x", "record.add", nil},
		{"/sites/:name/records/:id", "/sites/hello/records/2", formType, "data=y&was=300+%22x%22", "record.update", nil},
		{"/sites/:name/records/:id/delete", "/sites/hello/records/2/delete", formType, "", "record.delete", nil},
		{"/sites/:name/domains", "/sites/hello/domains", formType, "name=www.example.com", "domain.add", nil},
		{"/sites/:name/domains/:domain/remove", "/sites/hello/domains/www.example.com/remove", formType, "", "domain.remove", nil},
		{"/sites/:name/domains/main", "/sites/hello/domains/main", formType, "canonical=hello.sites.test", "site.options", nil},
		{"/sites/:name/settings/instances", "/sites/hello/settings/instances", formType, "instances=2", "site.update", nil},
		{"/sites/:name/settings/addresses", "/sites/hello/settings/addresses", formType, "trailing_slash=add", "site.options", nil},
		{"/sites/:name/settings/https", "/sites/hello/settings/https", formType, "hsts=host", "site.options", nil},
		{"/sites/:name/settings/password", "/sites/hello/settings/password", formType, "user=guest&password=" + password, "site.options", nil},
		{"/sites/:name/settings/no-password", "/sites/hello/settings/no-password", formType, "", "site.options", nil},
		{"/sites/:name/settings/visitors", "/sites/hello/settings/visitors", formType, "allow=192.0.2.1", "site.options", nil},
		{"/sites/:name/settings/maintenance", "/sites/hello/settings/maintenance", formType, "maintenance=on", "site.options", nil},
		{"/sites/:name/settings/pages", "/sites/hello/settings/pages", formType, "down_page=index.html", "site.options", nil},
		{"/sites/:name/settings/limits", "/sites/hello/settings/limits", formType, "connections=5", "site.options", nil},
		{"/sites/:name/delete", "/sites/hello/delete", formType, "confirm=hello", "site.delete", nil},
		{"/account/tokens", "", formType, "label=ci", "token.create", nil},
		{"/account/tokens/:id/revoke", fmt.Sprintf("/account/tokens/%d/revoke", tokenID), formType, "", "token.delete", nil},
		{"/admin/accounts", "", formType, "name=carol&role=owner&sites=1&storage_mb=1", "account.create", nil},
		{"/admin/accounts/:name", "/admin/accounts/carol", formType, "role=admin&sites=1&storage_mb=1", "account.update", nil},
		{"/admin/accounts/:name/password", "/admin/accounts/carol/password", formType, "", "account.password", nil},
		{"/admin/accounts/:name/tokens", "/admin/accounts/carol/tokens", formType, "", "token.end-all", nil},
		{"/admin/accounts/:name/delete", "/admin/accounts/carol/delete", formType, "confirm=carol", "account.delete", nil},
		{"/admin/certificates/:host/renew", "/admin/certificates/*.sites.test/renew", formType, "", "certificate.renew", nil},
		{"/account/password", "", formType, "current=" + password + "&password=another+one+1&repeat=another+one+1", "account.password", nil},
		{"/logout", "", formType, "", "account.logout", nil},
		{"/login", "", formType, "account=ann&password=" + password, "account.login", nil},
	}
}

// twoStepActs are carried out in this order, by root at the browser.
func (w *world) twoStepActs(b *browser) []act {
	b.open("/account/two-step")
	key, password := b.appKey(), "current="+url.QueryEscape(testPassword)
	login := func() {
		b.send(http.MethodPost, "/login", formType, strings.NewReader("account=root&password="+url.QueryEscape(testPassword)))
	}
	ofBob := func() {
		bob, err := w.Account(w.t.Context(), "bob")
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.TurnOnTwoStep(w.t.Context(), w.actor("bob"), bob.PasswordHash, sites.TwoStep{Secret: []byte("x")}); err != nil {
			w.t.Fatal(err)
		}
	}
	return []act{
		{"/account/two-step", "", formType, password + "&code=" + appCode(w.t, key, 0), "two-step.on", nil},
		{"/account/two-step/codes", "", formType, password, "two-step.codes", nil},
		{"/login/code", "", formType, "code=" + appCode(w.t, key, 30*time.Second), "account.login", login},
		{"/account/two-step/off", "", formType, password, "two-step.off", nil},
		{"/admin/accounts/:name/two-step", "/admin/accounts/bob/two-step", formType, "", "two-step.off", ofBob},
	}
}

// zoneActs are carried out in this order, by an admin at a browser.
func zoneActs() []act {
	return []act{
		{"/tsig-keys", "", formType, "name=ns2", "tsig.add", nil},
		{"/tsig-keys/:key/delete", "/tsig-keys/ns2/delete", formType, "", "tsig.delete", nil},
		{"/zones", "", formType, "name=example.org&kind=primary", "zone.add", nil},
		{"/zones/:zone/records", "/zones/example.org/records", formType, "type=TXT&data=x", "record.add", nil},
		{"/zones/:zone/records/:id", "/zones/example.org/records/1", formType, "data=y&was=300+%22x%22", "record.update", nil},
		{"/zones/:zone/records/:id/delete", "/zones/example.org/records/1/delete", formType, "", "record.delete", nil},
		{"/zones/:zone/roll", "/zones/example.org/roll", formType, "role=ksk", "key.roll", nil},
		{"/zones/:zone/ds", "/zones/example.org/ds", formType, "", "key.retire", nil},
		{"/zones/:zone/peers", "/zones/example.org/peers", formType, "peer_name=two&from=192.0.2.2", "zone.update", nil},
		{"/zones/:zone/remove-peer", "/zones/example.org/remove-peer", formType, "peer_name=two", "zone.update", nil},
		{"/zones/:zone/sign", "/zones/example.org/sign", formType, "signed=&ds_removed=yes", "zone.update", nil},
		{"/zones/:zone/delete", "/zones/example.org/delete", formType, "confirm=example.org", "zone.delete", nil},
		{"/zones", "", formType, "name=example.org&kind=secondary&primaries=192.0.2.1", "zone.add", nil},
		{"/zones/:zone/primaries", "/zones/example.org/primaries", formType, "primaries=192.0.2.2", "zone.update", nil},
	}
}

// silent are the routes that take a form or a file and change nothing, and the one that takes what another one has made up.
var silent = []string{"POST /sites/:name/domains/:domain/check", "POST /api/v1/sites/:name/domains/:domain/check", "POST /zones/:zone/check", "POST /zones/:zone/import", "POST /zones/:zone/import/apply"}

// apiActs are carried out in this order, by an admin with a token; route begins with the method.
func apiActs(t *testing.T) []act {
	return []act{
		{"POST /sites", "/sites", jsonType, `{"name":"fresher"}`, "site.create", nil},
		{"PATCH /sites/:name", "/sites/hello", jsonType, `{"owner":"bob"}`, "site.update", nil},
		{"POST /sites/:name/stop", "/sites/hello/stop", "", "", "site.stop", nil},
		{"POST /sites/:name/start", "/sites/hello/start", "", "", "site.start", nil},
		{"POST /sites/:name/restart", "/sites/hello/restart", "", "", "site.restart", nil},
		{"POST /sites/:name/releases", "/sites/hello/releases", zipType, string(zipOf(t, "index.html")), "release.upload", nil},
		{"POST /sites/:name/releases/:id/activate", "/sites/hello/releases/1/activate", "", "", "release.activate", nil},
		{"DELETE /sites/:name", "/sites/hello", "", "", "site.delete", nil},
		{"POST /accounts", "/accounts", jsonType, `{"name":"dora"}`, "account.create", nil},
		{"PATCH /accounts/:name", "/accounts/dora", jsonType, `{"role":"admin"}`, "account.update", nil},
		{"DELETE /accounts/:name", "/accounts/dora", "", "", "account.delete", nil},
		{"POST /records", "/records", jsonType, `{"name":"example.sites.test","type":"TXT","data":"x"}`, "record.add", nil},
		{"PATCH /records/:id", "/records/3", jsonType, `{"ttl":60}`, "record.update", nil},
		{"DELETE /records/:id", "/records/3", "", "", "record.delete", nil},
		{"POST /tsig-keys", "/tsig-keys", jsonType, `{"name":"ns2"}`, "tsig.add", nil},
		{"DELETE /tsig-keys/:key", "/tsig-keys/ns2", "", "", "tsig.delete", nil},
		{"POST /zones", "/zones", jsonType, `{"name":"example.net"}`, "zone.add", nil},
		{"PATCH /zones/:zone", "/zones/example.net", jsonType, `{"peers":[]}`, "zone.update", nil},
		{"POST /zones/:zone/import", "/zones/example.net/import", "text/dns", "www 300 A 192.0.2.1\n", "zone.import", nil},
		{"POST /zones/:zone/keys", "/zones/example.net/keys", jsonType, `{"role":"ksk"}`, "key.roll", nil},
		{"POST /zones/:zone/ds-confirmed", "/zones/example.net/ds-confirmed", "", "", "key.retire", nil},
		{"POST /sites/:name/domains", "/sites/fresher/domains", jsonType, `{"name":"shop.example.net"}`, "domain.add", nil},
		{"DELETE /sites/:name/domains/:domain", "/sites/fresher/domains/shop.example.net", "", "", "domain.remove", nil},
		{"DELETE /held-domains/:domain", "/held-domains/shop.example.net", "", "", "domain.release", nil},
		{"DELETE /zones/:zone", "/zones/example.net", "", "", "zone.delete", nil},
		{"POST /certificates/:host/renew", "/certificates/sites.test/renew", "", "", "certificate.renew", nil},
	}
}

// mutating lists the routes that change something.
func (w *world) mutating() map[string]bool {
	routes := make(map[string]bool)
	for _, r := range w.panel.echo.Routes() {
		if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != echo.RouteNotFound {
			routes[r.Method+" "+r.Path] = true
		}
	}
	return routes
}

// leaves checks that an act left its event, by the actor, since the event before.
func (w *world) leaves(since int64, action, actor string) {
	w.t.Helper()
	events, err := w.Events(w.t.Context(), w.actor("root"), sites.EventFilter{Limit: 20})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		if e.ID > since && e.Action == action && e.Actor == actor && e.Origin == "127.0.0.1" {
			return
		}
	}
	w.t.Errorf("no event %s by %s since %d", action, actor, since)
}

func TestEveryChangeIsInTheAuditLog(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	w.token("root")
	tokens, err := w.Tokens(t.Context(), w.actor("root"))
	if err != nil {
		t.Fatal(err)
	}
	left := w.mutating()
	for _, route := range silent {
		delete(left, route)
	}
	b := w.login("root")
	for _, a := range slices.Concat(zoneActs(), w.twoStepActs(b), pageActs(t, tokens[0].ID)) {
		delete(left, "POST "+a.route)
		if a.path == "" {
			a.path = a.route
		}
		if a.before != nil {
			a.before()
		}
		before := w.newest().ID
		if p := b.once(http.MethodPost, a.path, a.contentType, strings.NewReader(a.body)); p.status != 303 {
			t.Errorf("%s answers %d: %s", a.path, p.status, p.Find("main").Text())
		}
		actor := "root"
		if a.route == "/login" {
			actor = "ann"
		}
		w.leaves(before, a.action, actor)
		if a.action == "key.roll" {
			w.keysAge("example.org")
		}
		w.settle()
	}
	w.site("ann", "hello", "index.html")
	token := w.token("root")
	for _, a := range apiActs(t) {
		method, route, _ := strings.Cut(a.route, " ")
		delete(left, method+" /api/v1"+route)
		before := w.newest().ID
		if got := w.call(token, method, "/api/v1"+a.path, a.contentType, a.body); got.status >= 300 {
			t.Errorf("%s answers %d: %s", a.route, got.status, got.body)
		}
		w.leaves(before, a.action, "root")
		if a.action == "key.roll" {
			w.keysAge("example.net")
		}
		w.settle()
	}
	for route := range left {
		t.Errorf("%s changes something and is not tested here", route)
	}
	w.tellsInWords()
}

// tellsInWords wants the page Activity to have a phrase for each action that is in the log.
func (w *world) tellsInWords() {
	w.t.Helper()
	events, err := w.Events(w.t.Context(), w.actor("root"), sites.EventFilter{})
	if err != nil {
		w.t.Fatal(err)
	}
	var page bytes.Buffer
	if err := templates.Activity(templates.ActivityView{Events: activityRows(events)}).Render(w.t.Context(), &page); err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		if strings.Contains(page.String(), "</strong> "+e.Action) {
			w.t.Errorf("the page has no words for %s", e.Action)
		}
	}
}

// settle waits until nothing is under way at the site.
func (w *world) settle() {
	w.t.Helper()
	root := w.actor("root")
	if _, err := w.Site(w.t.Context(), root, "hello"); err == nil {
		w.await("root", "hello")
	}
}
