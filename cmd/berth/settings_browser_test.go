package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// settingsVisit is an owner at the page Settings of one site, with a visitor beside who sees what comes of it.
type settingsVisit struct {
	*browser
	p      *process
	client *http.Client
}

// TestSettingsInABrowser saves every kind of option as owners do, and looks at the site after each.
func TestSettingsInABrowser(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard")
	client := p.client(nil)
	status, pem, err := get(client, p.url("", "/root.crt"))
	if err != nil || status != http.StatusOK {
		t.Fatalf("root of the internal CA: status %d, %v", status, err)
	}
	p.api(client, "POST", "/zones", map[string]string{"name": "hosted.test"}, http.StatusCreated, nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "shop"}, http.StatusCreated, nil)
	p.api(client, "POST", "/sites/shop/domains", map[string]string{"name": "www.hosted.test"}, http.StatusCreated, nil)
	p.api(client, "POST", "/sites/shop/releases?wait=live", zipped(t,
		"index.html", "home", "about/index.html", "about us", "wait.html", "back at noon"), http.StatusCreated, nil)
	v := &settingsVisit{openBrowser(t, []byte(pem)), p, client}
	v.logIn(p)
	v.savesAddresses()
	v.savesWhoIsLetIn()
	v.savesMaintenance()
	v.savesLimits()
	v.savesInstances()
	v.explainsWhatIsWrong()
	v.keepsWhatIsNotSavedYet()
}

func (v *settingsVisit) path() string { return v.p.url("", "/sites/shop/settings") }

// section is the form of a part of the page.
func section(name string) string { return `form[action="/sites/shop/settings/` + name + `"]` }

// set enters a value as typing or choosing it does, which the page's script hears.
func set(input, value string) chromedp.Action {
	return chromedp.Evaluate(fmt.Sprintf(`{const input = document.getElementById(%q); input.value = %q; input.dispatchEvent(new Event("input", {bubbles: true}))}`, input, value), nil)
}

// save sends a section and wants the notice that says so.
func (v *settingsVisit) save(name, notice string, entered ...chromedp.Action) {
	v.t.Helper()
	v.step("save "+name, v.path(), v.path(), ".notice-ok", append(entered, click(section(name)+" button[type=submit]"))...)
	if text := v.text(".notice-ok"); !strings.Contains(text, notice) {
		v.t.Errorf("after saving %s the page says %q, want %q", name, text, notice)
	}
}

// wants looks at a page of the site.
func (v *settingsVisit) wants(what, path string, status int, part string) visitOf {
	v.t.Helper()
	got := v.p.visit(v.client, v.p.url("shop", path), "", "")
	if got.status != status || !strings.Contains(got.body, part) {
		v.t.Errorf("%s: %d %.200q, want %d with %q", what, got.status, got.body, status, part)
	}
	return got
}

func (v *settingsVisit) savesAddresses() {
	v.t.Helper()
	v.save("addresses", "addresses are saved", set("canonical", "www.hosted.test"), set("trailing_slash", "remove"))
	if to := v.wants("at another address", "/about", http.StatusPermanentRedirect, "").header.Get("Location"); !strings.HasPrefix(to, "https://www.hosted.test") {
		v.t.Errorf("the main address is %q", to)
	}
	v.save("addresses", "addresses are saved", set("canonical", ""))
	if to := v.wants("with a slash", "/about/", http.StatusPermanentRedirect, "").header.Get("Location"); to != v.p.url("shop", "/about") {
		v.t.Errorf("with a slash it leads to %q", to)
	}
	v.save("https", "HTTPS only is saved", set("hsts", "host"))
	if got := v.wants("with HSTS", "/about", http.StatusOK, "about us").header.Get("Strict-Transport-Security"); got != "max-age=31536000" {
		v.t.Errorf("Strict-Transport-Security is %q", got)
	}
}

func (v *settingsVisit) savesWhoIsLetIn() {
	v.t.Helper()
	v.save("password", "asked for the password", set("user", "guest"), set("password", "correct horse"))
	v.wants("without the password", "/", http.StatusUnauthorized, "has a password")
	if got := v.p.visit(v.client, v.p.url("shop", "/"), "guest", "correct horse"); got.status != http.StatusOK {
		v.t.Errorf("with the password: %d", got.status)
	}
	v.save("no-password", "no password any more")
	v.wants("with no password any more", "/", http.StatusOK, "home")
	v.save("visitors", "on the list", set("allow", "192.0.2.7\n2001:db8::/32"))
	v.wants("from elsewhere", "/", http.StatusForbidden, "Not open to your network")
	if text := v.text(section("visitors")); !strings.Contains(text, "does not answer you") {
		v.t.Errorf("who has locked themselves out reads %q", text)
	}
	v.save("visitors", "Everybody", set("allow", ""))
	v.wants("from everywhere", "/", http.StatusOK, "home")
}

func (v *settingsVisit) savesMaintenance() {
	v.t.Helper()
	v.save("pages", "pages are saved", set("maintenance_page", "wait.html"), set("down_page", "/wait.html"))
	v.save("maintenance", "has begun")
	v.wants("in maintenance", "/", http.StatusServiceUnavailable, "back at noon")
	v.save("maintenance", "is over")
	v.wants("after maintenance", "/", http.StatusOK, "home")
}

func (v *settingsVisit) savesLimits() {
	v.t.Helper()
	v.save("limits", "limits are saved", set("requests_per_second", "1"), set("connections", "50"), set("body_mb", "1"))
	last := 0
	for range 1000 {
		if last = v.p.visit(v.client, v.p.url("shop", "/"), "", "").status; last == http.StatusTooManyRequests {
			break
		}
	}
	if last != http.StatusTooManyRequests {
		v.t.Errorf("requests in a row end with %d", last)
	}
	v.save("limits", "limits are saved", set("requests_per_second", "0"))
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.p.url("shop", "/"), bytes.NewReader(make([]byte, 1<<20+1)))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	resp, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(page), "takes up to 1 MB") {
		v.t.Errorf("a body over the limit gets %d %s, %v", resp.StatusCode, page, err)
	}
}

func (v *settingsVisit) savesInstances() {
	v.t.Helper()
	v.save("instances", "instances are saved", set("instances", "2"), set("health_path", "/about"))
	var site struct {
		Instances  int
		HealthPath string `json:"health_path"`
	}
	v.p.api(v.client, "GET", "/sites/shop", nil, http.StatusOK, &site)
	if site.Instances != 2 || site.HealthPath != "/about" {
		v.t.Errorf("saved %+v", site)
	}
	overview := v.p.url("", "/sites/shop")
	v.step("look at the site", overview, overview, "#site-aside")
	if text := v.text("#site-aside"); strings.Contains(text, "of memory") {
		v.t.Errorf("without containers the page tells of limits: %q", text)
	}
}

// explainsWhatIsWrong has each section refuse something, beside an input that is right.
func (v *settingsVisit) explainsWhatIsWrong() {
	v.t.Helper()
	for _, tc := range []struct {
		section, input, value, fault string
		beside, kept                 string // another input of the section
	}{
		{"password", "password", "short", "at least 8", "user", "somebody"},
		{"visitors", "allow", "192.0.2.7\nour office", `"our" is not an address`, "", ""},
		{"pages", "down_page", "/nothing.html", "has no file", "maintenance_page", "/about/index.html"},
		{"limits", "body_mb", "lots", "whole number", "connections", "77"},
		{"instances", "health_path", "about", "begin with one /", "instances", "3"},
	} {
		entered := []chromedp.Action{set(tc.input, tc.value)}
		if tc.beside != "" {
			entered = append(entered, set(tc.beside, tc.kept))
		}
		v.step("a fault in "+tc.section, v.path(), v.path(), "#"+tc.input+"-fault", append(entered, click(section(tc.section)+" button[type=submit]"))...)
		if fault, notice := v.text("#"+tc.input+"-fault"), v.text(".notice-bad"); !strings.Contains(fault, tc.fault) || !strings.Contains(notice, "Nothing was saved") {
			v.t.Errorf("%s: the page says %q and %q", tc.section, fault, notice)
		}
		v.holds(tc.section+": the page opens at the fault", "document.activeElement.id", tc.input)
		if tc.beside != "" {
			v.holds(tc.section+": what was right is kept", valueOf(tc.beside), tc.kept)
		}
		if tc.input != "password" {
			v.holds(tc.section+": what was wrong is kept", valueOf(tc.input), tc.value)
		}
	}
	v.wants("after all that", "/", http.StatusOK, "home")
}

// keepsWhatIsNotSavedYet types into several sections, has one refused, saves another, and then that one.
func (v *settingsVisit) keepsWhatIsNotSavedYet() {
	v.t.Helper()
	send := click(section("limits") + " button[type=submit]")
	v.step("save one of several", v.path(), v.path(), "#connections-fault",
		set("allow", "192.0.2.7"), set("trailing_slash", "add"), set("connections", "many"), send)
	other := click(section("https") + " button[type=submit]")
	if err := chromedp.Run(v.ctx, set("hsts", "subdomains"), other, chromedp.WaitVisible(".notice-ok", chromedp.ByQuery)); err != nil {
		v.t.Fatalf("save another section: %v%s", err, v.page())
	}
	v.holds("refused and not corrected", valueOf("connections"), "many")
	if err := chromedp.Run(v.ctx, set("connections", "60"), send); err != nil {
		v.t.Fatalf("save after the fault: %v%s", err, v.page())
	}
	v.holds("saved", `document.querySelector(".notice-ok").textContent.trim()`, "The limits are saved.")
	v.holds("as it was typed", valueOf("connections"), "60")
	v.holds("typed and not saved", valueOf("allow"), "192.0.2.7")
	v.holds("chosen and not saved", valueOf("trailing_slash"), "add")
	v.wants("what is not saved does nothing", "/", http.StatusOK, "home")
	v.step("come back", v.path(), v.path(), "#allow")
	v.holds("the page of another visit", valueOf("allow"), "")
}

func valueOf(input string) string { return fmt.Sprintf("document.getElementById(%q).value", input) }

// holds waits until the page is complete and an expression has the value.
func (v *settingsVisit) holds(what, expression, want string) {
	v.t.Helper()
	eventually(v.t, 10*time.Second, what, func() error {
		var got string
		whole := `document.readyState === "complete" ? ` + expression + ` : "the page is not complete"`
		if err := chromedp.Run(v.ctx, chromedp.Evaluate(whole, &got)); err != nil || got != want {
			return fmt.Errorf("%s is %q, want %q, %v", expression, got, want, err)
		}
		return nil
	})
}
