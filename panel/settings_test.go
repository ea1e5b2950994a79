package panel

import (
	"net/http"
	"strings"
	"testing"

	"berth/sites"
)

func TestFormsOfSettings(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html", "down.html")
	b := w.login("ann")
	b.open("/sites/hello")
	if b.page.Find("nav.tabs a[href='/sites/hello/settings']").Length() != 1 {
		t.Error("the site's page does not lead to its settings")
	}
	b.open("/sites/hello/settings")
	save := func(section string, typed map[string]string) {
		t.Helper()
		b.submit("form[action='/sites/hello/settings/"+section+"']", typed)
	}
	for _, tc := range []struct {
		section      string
		typed        map[string]string
		input, fault string
	}{
		{"addresses", map[string]string{"canonical": "example.net"}, "canonical", "hello.sites.test"},
		{"addresses", map[string]string{"trailing_slash": "both"}, "trailing_slash", "added or removed"},
		{"https", map[string]string{"hsts": "preload"}, "hsts", "HSTS can be off"},
		{"password", map[string]string{"password": "correct horse"}, "user", "Give the user name"},
		{"password", map[string]string{"user": "ann"}, "password", "Give the password"},
		{"password", map[string]string{"user": "ann", "password": "short"}, "password", "at least 8"},
		{"visitors", map[string]string{"allow": "10.0.0.0/8\nthe office"}, "allow", `"the" is not`},
		{"pages", map[string]string{"down_page": "/nothing.html", "maintenance_page": "/index.html"}, "down_page", "has no file"},
		{"limits", map[string]string{"connections": "5", "body_mb": "lots"}, "body_mb", "whole number"},
		{"limits", map[string]string{"requests_per_second": "-1", "body_mb": "7"}, "requests_per_second", "from 0 to 100000"},
	} {
		save(tc.section, tc.typed)
		b.faults(http.StatusUnprocessableEntity, tc.input, tc.fault)
		b.says(http.StatusUnprocessableEntity, "Nothing was saved")
		for input, want := range tc.typed {
			if tc.section == "addresses" || tc.section == "https" || input == "password" {
				continue // no choice of the form, or not shown again
			}
			if got := formValues(b.form("form[action='/sites/hello/settings/" + tc.section + "']")).Get(input); got != want {
				t.Errorf("%s: what was typed at %s is lost: %q", tc.section, input, got)
			}
		}
	}
	if st := w.await("ann", "hello"); !st.Options.Zero() {
		t.Errorf("something was changed: %+v", st.Options)
	}

	save("addresses", map[string]string{"canonical": "hello.sites.test", "trailing_slash": "add"})
	b.says(200, "addresses are saved")
	save("https", map[string]string{"hsts": "host"})
	b.says(200, "HTTPS only is saved")
	save("password", map[string]string{"user": "guest", "password": "correct horse"})
	b.says(200, "asked for the password")
	save("password", map[string]string{"user": "visitor"})
	b.says(200, "asked for the password")
	save("visitors", map[string]string{"allow": "127.0.0.0/8"})
	if text := b.page.Find(".remark-warn").Text(); text != "" {
		t.Errorf("who may visit is warned: %s", text)
	}
	save("visitors", map[string]string{"allow": "192.0.2.1, 10.0.0.0/8\r\n2001:db8::/32"})
	b.says(200, "Only those on the list may visit")
	contains(t, "who is locked out", b.page.Find(".remark-warn").Text(), "does not answer you")
	save("maintenance", nil)
	b.says(200, "Maintenance has begun")
	save("pages", map[string]string{"down_page": "down.html"})
	b.says(200, "pages are saved")
	save("limits", map[string]string{"requests_per_second": "5", "connections": "", "body_mb": "7"})
	b.says(200, "limits are saved")
	o := w.await("ann", "hello").Options
	if o.Canonical != "hello.sites.test" || o.TrailingSlash != sites.SlashAdd || o.HSTS != sites.HSTSHost || !o.Login.Matches("visitor", "correct horse") ||
		len(o.Allow) != 3 || !o.Maintenance || o.Pages.Down != "/down.html" || o.Bounds != (sites.Bounds{RequestsPerSecond: 5, BodyMB: 7}) {
		t.Errorf("saved %+v", o)
	}
	if strings.Contains(b.open("/sites/hello").body+b.open("/sites/hello/settings").body, "horse") {
		t.Error("a page tells the password")
	}
	save("maintenance", nil)
	b.says(200, "Maintenance is over")
	save("no-password", nil)
	b.says(200, "no password any more")
	if o := w.await("ann", "hello").Options; o.Maintenance || o.Login.Required() || o.HSTS != sites.HSTSHost {
		t.Errorf("after switching off %+v", o)
	}
	w.site("bob", "other")
	if p := b.open("/sites/other/settings"); p.status != http.StatusNotFound {
		t.Errorf("another owner's settings answer %d", p.status)
	}
	if p := b.open("/sites/hello/settings/limits"); p.status != http.StatusOK || p.path != "/sites/hello/settings" {
		t.Errorf("a form's address leads to %s with %d", p.path, p.status)
	}
}
