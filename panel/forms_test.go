package panel

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"berth/sites"
)

// The flows of people without JavaScript, through the forms that the pages have.

func TestFormsThatFillASite(t *testing.T) {
	w := newWorld(t)
	b := w.login("ann")
	b.says(200, "logged in as ann")

	contains(t, "the address to be", b.open("/new").Find(".preview").Text(), ".sites.test:8443")
	b.submit("form[action='/new']", map[string]string{"name": "-bad"})
	b.faults(422, "name", "begin or end with a hyphen")
	if v := b.page.Find("#name").AttrOr("value", ""); v != "-bad" {
		t.Errorf("what was typed is lost: %q", v)
	}
	b.submit("form[action='/new']", map[string]string{"name": "hello"})
	b.says(200, "hello.sites.test is up")
	if b.page.path != "/sites/hello" || b.page.Find("h1").Text() != "hello" {
		t.Errorf("creating ends at %s", b.page.path)
	}
	if href := b.page.Find("a.out").AttrOr("href", ""); href != "https://hello.sites.test:8443" {
		t.Errorf("the site's link is %q", href)
	}

	b.submitFile("form[data-upload]", "site.zip", zipOf(t, "index.html"))
	b.says(200, "Release 1 is uploaded")
	w.await("ann", "hello")
	b.submitFile("form[data-upload]", "site.zip", zipOf(t, "other.html"))
	b.says(200, "There is no index.html")
	w.await("ann", "hello")
	b.submitFile("form[data-upload]", "site.zip", []byte("no zip"))
	b.faults(422, "file", "zip")

	b.open("/sites/hello")
	b.submit("form[action='/sites/hello/releases/1/activate']", nil)
	b.says(200, "Release 1 goes live")
	if st := w.await("ann", "hello"); st.Active != 1 {
		t.Errorf("release %d is active after rolling back", st.Active)
	}
}

// TestTheFirstSite counts the forms between the first login and a site that is live: a name, and a file.
func TestTheFirstSite(t *testing.T) {
	w := newWorld(t)
	b := w.login("ann")
	contains(t, "the address to be", b.page.Find(".preview").Text(), ".sites.test:8443")
	b.submit("form[action='/new']", map[string]string{"name": "hello"})
	b.says(200, "hello.sites.test is up")

	page := strings.Repeat("<p>A page that is longer than what is read at a time.</p>\n", 2000)
	b.submitFile("form[data-upload]", "My page.HTML", []byte(page))
	b.says(200, "Release 1 is uploaded and goes live by itself.")
	st := w.await("ann", "hello")
	served, err := os.ReadFile(filepath.Join(w.panel.cfg.DataDir, "releases", strconv.FormatInt(int64(st.ID), 10), "1", "index.html"))
	if err != nil || string(served) != page || st.State != sites.StateRunning {
		t.Errorf("the site is %s with a page of %d bytes, %v; want the %d that were uploaded", st.State, len(served), err, len(page))
	}
	if b.open("/").Find("form[action='/new']").Length() != 0 {
		t.Error("whoever has a site is asked for the name of the first one")
	}
}

// TestSitesOfOthers has an admin come from all sites, and find the way back to them.
func TestSitesOfOthers(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	b, own := w.login("root"), w.login("ann")
	for _, page := range []string{"", "/traffic", "/logs", "/access", "/domains", "/records", "/settings", "/why", "/delete"} {
		if at := b.open("/sites/hello"+page).Find(".nav [aria-current]").AttrOr("href", ""); at != "/admin/sites" {
			t.Errorf("%s of another's site is shown to be at %q", page, at)
		}
		if at := own.open("/sites/hello"+page).Find(".nav [aria-current]").AttrOr("href", ""); at != "/" {
			t.Errorf("%s of one's own site is shown to be at %q", page, at)
		}
	}
	if back := b.open("/sites/hello").Find(".back").AttrOr("href", ""); back != "/admin/sites" {
		t.Errorf("an admin is led back to %q", back)
	}
}

func TestFormsThatRunAndDeleteASite(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	b := w.login("ann")
	b.open("/sites/hello")
	b.submit("form[action='/sites/hello/restart']", nil)
	b.says(200, "hello is restarting")
	w.await("ann", "hello")
	b.open("/sites/hello")
	b.submit("form[action='/sites/hello/stop']", nil)
	b.says(200, "hello is stopped")
	b.submit("form[action='/sites/hello/start']", nil)
	b.says(200, "hello is starting")
	w.await("ann", "hello")

	b.open("/sites/hello/logs")
	if got := b.page.Find("#log").Text(); got != "tail 100 <b>of</b> a site\n" {
		t.Errorf("log %q", got)
	}

	b.open("/sites/hello/delete")
	b.submit("form[action='/sites/hello/delete']", map[string]string{"confirm": "helo"})
	b.faults(422, "confirm", "Nothing was deleted")
	b.submit("form[action='/sites/hello/delete']", map[string]string{"confirm": "hello"})
	b.says(200, "hello is deleted")
	if b.open("/sites/hello").status != 404 {
		t.Errorf("the deleted site's page answers %d", b.page.status)
	}

	b.open("/")
	b.submit("form[action='/logout']", nil)
	b.says(200, "logged out")
	if b.open("/new").path == "/new" {
		t.Error("a page opens after logging out")
	}
}

func (w *world) await(owner, name string) sites.SiteStatus {
	w.t.Helper()
	st, err := w.Await(w.t.Context(), w.actor(owner), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

func TestFormsOfOnesAccount(t *testing.T) {
	w := newWorld(t)
	b, elsewhere := w.login("ann"), w.login("ann")

	b.open("/account")
	password := func(current, fresh, repeat string) {
		b.submit("form[action='/account/password']", map[string]string{"current": current, "password": fresh, "repeat": repeat})
	}
	password(testPassword, "short", "short")
	b.faults(422, "new-password", "at least 10")
	password(testPassword, "another password", "another passwort")
	b.faults(422, "repeat", "differ")
	password("wrong password", "another password", "another password")
	b.faults(422, "current", "not your current password")
	password(testPassword, "another password", "another password")
	b.says(200, "Your password is changed")
	if elsewhere.open("/account").path != "/login?next=%2Faccount" {
		t.Errorf("after a change of password the other session still sees %s", elsewhere.page.path)
	}

	b.open("/account")
	b.submit("form[action='/account/tokens']", map[string]string{"label": "  "})
	b.faults(422, "label", "Give the token a label")
	b.submit("form[action='/account/tokens']", map[string]string{"label": "build server"})
	b.says(200, "The token build server is made")
	secret := b.page.Find("#new-token").Text()
	if w.call(secret, http.MethodGet, "/api/v1/sites", "", "").status != 200 {
		t.Errorf("the token %q that the page shows does not work", secret)
	}
	if b.open(b.page.path); b.page.Find("#new-token").Length() != 0 {
		t.Error("the token is shown a second time")
	}
	b.submit("form[action$='/revoke']", nil)
	b.says(200, "The token is revoked")
	if w.call(secret, http.MethodGet, "/api/v1/sites", "", "").status != 401 {
		t.Error("the revoked token still works")
	}
}

func TestFormsOfAnAdmin(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	b := w.login("root")

	b.open("/admin/sites")
	b.submit("form[action='/sites/hello/stop']", nil)
	b.says(200, "hello is stopped")
	if b.page.path != "/admin/sites" {
		t.Errorf("stopping from the list of all sites ends at %s", b.page.path)
	}

	b.open("/admin/accounts")
	create := func(name, password, sites string) {
		b.submit("form[action='/admin/accounts']", map[string]string{"name": name, "password": password, "sites": sites, "role": "owner"})
	}
	create("ann", "", "3")
	b.faults(422, "name", "already")
	create("carol", "", "three")
	b.faults(422, "sites", "whole number")
	create("carol", "short", "3")
	b.faults(422, "password", "at least 10")
	create("carol", "", "3")
	b.says(200, "The account carol is created")
	carol := w.browser()
	carol.open("/login")
	carol.submit("form[action='/login']", map[string]string{"account": "carol", "password": b.page.Find("#new-secret").Text()})
	carol.says(200, "logged in as carol")

	b.open("/admin/accounts/carol")
	b.submit("form[action='/admin/accounts/carol/password']", map[string]string{"password": "a new passphrase"})
	b.says(200, "The password of carol is set")
	if carol.open("/").path != "/login" {
		t.Error("carol's session outlived the password")
	}
	b.submit("form[action='/admin/accounts/carol']", map[string]string{"role": "admin", "sites": "0", "storage_mb": "7"})
	b.says(200, "The account carol is changed")
	if a, err := w.Account(t.Context(), "carol"); err != nil || a.Role != sites.RoleAdmin || a.Quota != (sites.Quota{Bytes: 7 << 20}) {
		t.Errorf("carol is %+v, %v", a, err)
	}
	b.submit("form[action='/admin/accounts/carol/delete']", map[string]string{"confirm": "ann"})
	b.faults(422, "confirm", "Nothing was deleted")
	b.submit("form[action='/admin/accounts/carol/delete']", map[string]string{"confirm": "carol"})
	b.says(200, "The account carol is deleted")

	b.open("/admin/accounts/root")
	b.submit("form[action='/admin/accounts/root']", map[string]string{"role": "owner"})
	b.faults(422, "role", "last admin")
}

func TestPagesOfAnAdmin(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	b := w.login("root")
	w.broken = "It does not answer."
	status := b.open("/admin/status")
	contains(t, "status", status.Find("main").Text(), "Docker does not answer.")
	contains(t, "status", status.Find("main").Text(), "127.0.0.1:5354")
	contains(t, "warnings", status.Find(".verdict-warn li").Text(), "DNS: It does not answer.")
	if a := w.call(w.token("root"), http.MethodGet, "/api/v1/status", "", ""); !strings.Contains(a.body, `"error":"It does not answer."`) {
		t.Errorf("the API's status hides the server's error: %s", a.body)
	}
	for _, want := range []string{"Processor", "Memory", "Disk", "Test CA", "1.2.3"} {
		contains(t, "status", status.Find("main").Text(), want)
	}
	contains(t, "activity", b.open("/admin/activity?subject=hello&limit=1").Find("main").Text(), "hello")
	if rows := b.page.Find("tbody tr").Length(); rows != 1 {
		t.Errorf("%d events, want 1", rows)
	}
	for _, path := range []string{"/live/status", "/live/all-sites", "/live/sites", "/live/sites/hello"} {
		if p := b.open(path); p.status != 200 || p.Find("main").Length() != 0 || p.Find("[data-live='"+path+"']").Length() == 0 {
			t.Errorf("%s answers %d and is no part of a page", path, p.status)
		}
	}
}

func TestPartsOfPagesLeaveTheNotice(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	b := w.login("ann")
	b.once(http.MethodPost, "/sites/hello/stop", "application/x-www-form-urlencoded", strings.NewReader(""))
	b.open("/live/sites/hello")
	b.open("/sites/hello")
	b.says(200, "hello is stopped")
	b.open("/sites/hello")
	if b.page.notice() != "" {
		t.Errorf("the notice %q is shown twice", b.page.notice())
	}
}

func TestAnAdminWhoStepsDownStaysLoggedIn(t *testing.T) {
	w := newWorld(t)
	b := w.login("root")
	b.open("/admin/accounts/ann")
	b.submit("form[action='/admin/accounts/ann']", map[string]string{"role": "admin"})
	b.open("/admin/accounts/root")
	b.submit("form[action='/admin/accounts/root/password']", map[string]string{"password": "a new passphrase"})
	b.faults(422, "password", "on the page Account")
	b.submit("form[action='/admin/accounts/root']", map[string]string{"role": "owner"})
	b.says(200, "You are no admin any more")
	if p := b.open("/admin/status"); p.status != 404 {
		t.Errorf("the status page answers %d", p.status)
	}
}
