package panel

import (
	"strings"
	"testing"

	"berth/sites"
)

// The way of an owner through the page of domains, without a look at the world: nothing is proven here.
func TestOwnersBringDomains(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	b := w.login("ann")
	b.open("/sites/hello")
	if b.page.Find("a[href='/sites/hello/domains']").Length() != 1 {
		t.Error("the site's page does not lead to its domains")
	}
	b.open("/sites/hello/domains")
	add := func(name string) {
		b.submit("form[action='/sites/hello/domains']", map[string]string{"name": name})
	}
	add("co.uk")
	b.faults(422, "name", "Give a whole domain, such as example.co.uk.")
	if got := b.page.Find("#name").AttrOr("value", ""); got != "co.uk" {
		t.Errorf("what was typed is lost: %q", got)
	}
	add("https://www.Bücher.example.com/")
	b.says(200, "www.bücher.example.com is added. Now set its record, as it says below.")
	add("www.bücher.example.com")
	b.faults(422, "name", "in the list already")

	card := b.page.Find("[id='domain-www.xn--bcher-kva.example.com']")
	contains(t, "heading", card.Find("h2").Text(), "www.bücher.example.com")
	contains(t, "state", card.Find(".pill").First().Text(), "Waiting")
	contains(t, "where to go", card.Find(".steps").Text(), "example.com is registered")
	lines := card.Find(".dns-lines").First().Find("code")
	for i, want := range []string{"CNAME", "www.xn--bcher-kva", "hello.sites.test."} {
		if got := strings.TrimSpace(lines.Eq(i).Text()); got != want {
			t.Errorf("to be set, part %d: %q, want %q", i, got, want)
		}
	}
	if p := b.once("GET", "/live/sites/hello/domains", "", nil); p.status != 200 || p.Find("#domains .card").Length() != 1 {
		t.Errorf("the part that changes: %d %s", p.status, p.body)
	}
	b.submit("form[action='/sites/hello/domains/www.xn--bcher-kva.example.com/check']", nil)
	b.says(200, "This server does not look at domains.")

	b.open(b.page.Find("a[aria-label='Remove www.bücher.example.com']").AttrOr("href", ""))
	contains(t, "question", b.page.Find("h1").Text(), "Remove www.bücher.example.com?")
	b.submit("form[action$='/remove']", nil)
	b.says(200, "www.bücher.example.com is removed.")
	if p := b.open("/sites/hello/domains/www.example.com/remove"); p.status != 404 {
		t.Errorf("removing what is not there: %d", p.status)
	}
}

// What an admin adds in a zone that is kept here is in use at once, and can be the main address.
func TestDomainsInUse(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	if _, err := w.AddZone(t.Context(), w.actor("root"), sites.NewZone{Name: "example.net", Kind: sites.ZonePrimary}); err != nil {
		t.Fatal(err)
	}
	owner := w.login("ann")
	owner.open("/sites/hello/domains")
	owner.submit("form[action='/sites/hello/domains']", map[string]string{"name": "www.example.net"})
	owner.faults(422, "name", "Ask an admin")
	b := w.login("root")
	b.open("/sites/hello/domains")
	b.submit("form[action='/sites/hello/domains']", map[string]string{"name": "www.example.net"})
	b.says(200, "www.example.net is in use.")
	owner.open("/sites/hello/domains")
	card := owner.page.Find("[id='domain-www.example.net']")
	contains(t, "state", card.Find(".pill").First().Text(), "In use")
	if card.Find(".dns-lines").Length() > 0 {
		t.Error("there are records to set in a zone that is kept here")
	}
	owner.submit("form[action='/sites/hello/domains/main']", map[string]string{"canonical": "www.example.net"})
	owner.says(200, "The others lead to www.example.net now.")
	owner.submit("form[action='/sites/hello/domains/main']", map[string]string{"canonical": ""})
	owner.says(200, "Every address shows the site.")
	got := w.call(w.token("ann"), "GET", "/api/v1/sites/hello", "", "")
	contains(t, "hosts of the API", got.body, `"hosts":["hello.sites.test","www.example.net"]`)
}

func TestDomainsByTheAPI(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	token := w.token("ann")
	add := func(body string) answer {
		return w.call(token, "POST", "/api/v1/sites/hello/domains", jsonType, body)
	}
	got := add(`{"name":"www.example.com"}`)
	if got.status != 201 || got.header.Get("Location") != "/api/v1/sites/hello/domains/www.example.com" || got.json["state"] != "waiting" || got.json["expires_at"] == nil {
		t.Errorf("added: %d %s", got.status, got.body)
	}
	contains(t, "to be set", got.body, `"records":[{"name":"www.example.com","type":"CNAME","data":"hello.sites.test"}]`)
	add(`{"name":"www.example.com"}`).problem(t, 409, "in the list already")
	add(`{"name":"203.0.113.9"}`).problem(t, 422, "IP address")
	add(`{"domain":"x"}`).problem(t, 422, "There is no field")
	if got := w.call(token, "GET", "/api/v1/sites/hello/domains", "", ""); got.status != 200 || strings.Count(got.body, `"state"`) != 1 {
		t.Errorf("list: %d %s", got.status, got.body)
	}
	if got := w.call(token, "POST", "/api/v1/sites/hello/domains/www.example.com/check", "", ""); got.status != 200 || got.json["name"] != "www.example.com" {
		t.Errorf("check: %d %s", got.status, got.body)
	}
	w.call(token, "GET", "/api/v1/sites/hello/domains/other.example.com", "", "").problem(t, 404, "hello has no domain other.example.com.")
	w.call(token, "GET", "/api/v1/held-domains", "", "").problem(t, 403, "admin")
	if got := w.call(token, "DELETE", "/api/v1/sites/hello/domains/www.example.com", "", ""); got.status != 204 {
		t.Errorf("delete: %d %s", got.status, got.body)
	}
	w.call(token, "DELETE", "/api/v1/sites/hello/domains/www.example.com", "", "").problem(t, 404, "")
	w.call(w.token("root"), "DELETE", "/api/v1/held-domains/www.example.com", "", "").problem(t, 404, "not kept")
}
