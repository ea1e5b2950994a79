package panel

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"berth/sites"
)

// record enters a record and returns its number.
func (w *world) record(actor, name, rrtype, data string) int64 {
	w.t.Helper()
	r, err := w.AddRecord(w.t.Context(), w.actor(actor), sites.NewRecord{Name: name, Type: rrtype, Data: data})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.ID
}

func TestOwnersKeepRecordsOfTheirSites(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	b := w.login("ann")
	b.open("/sites/hello")
	if b.page.Find("a[href='/sites/hello/records']").Length() != 1 {
		t.Error("the site's page does not lead to its records")
	}
	b.open("/sites/hello/records")
	contains(t, "what berth answers", b.page.Find("#own-answers").Text(), "198.51.100.7")
	add := func(name, rrtype, ttl, data string) {
		b.submit("form[action='/sites/hello/records']", map[string]string{"name": name, "type": rrtype, "ttl": ttl, "data": data})
	}
	add("", "MX", "3600", "mail.example.net")
	b.faults(422, "data", "")
	if got := b.page.Find("#data").AttrOr("value", ""); got != "mail.example.net" {
		t.Errorf("what was typed is lost: %q", got)
	}
	add("", "MX", "an hour", "10 mail.example.net")
	b.faults(422, "ttl", "whole number of seconds")
	add("", "A", "3600", "192.0.2.1")
	b.faults(422, "type", "addresses are this server's")
	add("www.example.com.", "A", "3600", "192.0.2.1")
	b.faults(422, "name", "does not lie below hello.sites.test")
	add("", "MX", "3600", "10 mail.example.net")
	b.says(200, "The MX record of hello.sites.test is added.")
	add("shop", "A", "", "192.0.2.44")
	b.says(200, "The A record of shop.hello.sites.test is added.")
	add("Mail.hello.sites.test", "A", "", "192.0.2.45")
	b.says(200, "The A record of mail.hello.sites.test is added.")

	contains(t, "list", b.page.Find(".records").Text(), "10 mail.example.net.")
	edit := b.page.Find(".records a[aria-label='Change A of shop.hello.sites.test']").AttrOr("href", "")
	b.open(edit)
	b.submit("form[action='"+edit+"']", map[string]string{"data": "192.0.2.300"})
	b.faults(422, "data", "192.0.2.300")
	b.submit("form[action='"+edit+"']", map[string]string{"data": "192.0.2.46", "ttl": "60"})
	b.says(200, "The A record of shop.hello.sites.test is changed.")
	contains(t, "list", b.page.Find(".records").Text(), "192.0.2.46")
	late := w.login("ann")
	late.open(edit)
	b.open(edit)
	b.submit("form[action='"+edit+"']", map[string]string{"data": "192.0.2.47"})
	late.submit("form[action='"+edit+"']", map[string]string{"data": "192.0.2.48"})
	late.faults(409, "data", "changed meanwhile: it is 60 192.0.2.47 now")
	if got := late.page.Find("#data").AttrOr("value", ""); got != "192.0.2.48" {
		t.Errorf("what was typed is lost: %q", got)
	}
	late.submit("form[action='"+edit+"']", map[string]string{"ttl": ""})
	late.says(200, "is changed")
	contains(t, "list", late.page.Find(".records").Text(), "192.0.2.48")
	contains(t, "list", late.page.Find(".records td[data-label=TTL]").Text(), "60")
	b.open(edit)
	b.submit("form[action='"+edit+"/delete']", nil)
	b.says(200, "The A record of shop.hello.sites.test is deleted.")
	if b.open(edit).status != 404 {
		t.Errorf("the deleted record's page answers %d", b.page.status)
	}
}

func TestARecordIsSeenByItsOwnersAlone(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	w.site("bob", "other")
	id := w.record("ann", "hello.sites.test", "TXT", "secret")
	bob, token := w.login("bob"), w.token("bob")
	w.call(token, "GET", "/api/v1/sites", "", "") // notes the token's first use
	before := w.newest().ID
	for _, call := range []struct{ method, path, body string }{
		{"GET", "/sites/other/records/%d", ""},
		{"POST", "/sites/other/records/%d", "data=x&ttl=60"},
		{"POST", "/sites/other/records/%d/delete", ""},
		{"GET", "/api/v1/records/%d", ""},
		{"PATCH", "/api/v1/records/%d", `{"ttl":60}`},
		{"DELETE", "/api/v1/records/%d", ""},
	} {
		ask := func(id int64) (int, string) {
			path := fmt.Sprintf(call.path, id)
			if isAPI(path) {
				a := w.call(token, call.method, path, jsonType, call.body)
				return a.status, a.body
			}
			p := bob.once(call.method, path, formType, strings.NewReader(call.body))
			return p.status, p.body
		}
		status, another := ask(id)
		if _, none := ask(id + 1); status != 404 || another != none {
			t.Errorf("%s %s: %d for another's record, or not like none", call.method, call.path, status)
		}
	}
	if a := w.call(token, "GET", "/api/v1/records", "", ""); a.body != "[]\n" {
		t.Errorf("bob sees %s", a.body)
	}
	w.call(token, "POST", "/api/v1/records", jsonType, `{"name":"x.hello.sites.test","type":"TXT","data":"x"}`).problem(t, 403, "your own sites")
	if w.newest().ID != before {
		t.Errorf("something was changed: %+v", w.newest())
	}
	for _, who := range []string{"ann", "root"} {
		if a := w.call(w.token(who), "GET", fmt.Sprintf("/api/v1/records/%d", id), "", ""); a.status != 200 || a.json["site"] != "hello" || a.json["zone"] != testZone {
			t.Errorf("%s gets %d %s", who, a.status, a.body)
		}
	}
	if p := w.login("root").open(fmt.Sprintf("/sites/other/records/%d", id)); p.status != 404 {
		t.Errorf("a record is shown at a site that it does not belong to: %d", p.status)
	}
}

func TestAPIRecords(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	tokens := map[string]string{"ann": w.token("ann"), "root": w.token("root")}
	id := w.record("ann", "a.hello.sites.test", "TXT", "one")
	path := fmt.Sprintf("/records/%d", id)
	for _, tc := range []struct {
		who, method, path, body string
		status                  int
		want                    string
	}{
		{"ann", "POST", "/records", `{"name":"hello.sites.test","type":"MX","ttl":600,"data":"10 mail.example.net"}`, 201, `"data":"10 mail.example.net."`},
		{"ann", "POST", "/records", `{"name":"hello.sites.test","type":"mx","ttl":60,"data":"20 mail2.example.net"}`, 201, `"note":"The other MX records`},
		{"ann", "POST", "/records", `{"name":"hello.sites.test","type":"A","data":"192.0.2.1"}`, 422, "addresses are this server's"},
		{"ann", "POST", "/records", `{"name":"hello.sites.test","type":"MX","data":"mail"}`, 422, ""},
		{"ann", "POST", "/records", `{"name":"hello.sites.test","kind":"MX"}`, 422, "no field"},
		{"ann", "POST", "/records", `{"name":"sites.test","type":"TXT","data":"x"}`, 403, "your own sites"},
		{"root", "POST", "/records", `{"name":"sites.test","type":"TXT","data":"x"}`, 201, `"zone":"sites.test"`},
		{"root", "POST", "/records", `{"name":"example.com","type":"TXT","data":"x"}`, 422, "no zone"},
		{"ann", "GET", path, "", 200, `"name":"a.hello.sites.test"`},
		{"ann", "PATCH", path, `{}`, 422, "ttl or data"},
		{"ann", "PATCH", path, `{"name":"b"}`, 422, "no field"},
		{"ann", "PATCH", path, `{"data":"two","ttl":90}`, 200, `"ttl":90`},
		{"ann", "GET", "/records?name=a.hello.sites.test", "", 200, `\"two\"`},
		{"ann", "GET", "/records?site=hello&type=mx", "", 200, `"type":"MX"`},
		{"ann", "GET", "/records?site=other", "", 404, "no site"},
		{"ann", "GET", "/records?limit=0", "", 422, "between 1 and"},
		{"root", "GET", "/records?zone=example.com", "", 404, "no zone"},
		{"ann", "GET", "/records/x", "", 404, "nothing here"},
		{"ann", "DELETE", path, "", 204, ""},
		{"ann", "GET", path, "", 404, "no such record"},
	} {
		t.Run(tc.who+" "+tc.method+" "+tc.path, func(t *testing.T) {
			kind := ""
			if tc.body != "" {
				kind = jsonType
			}
			a := w.call(tokens[tc.who], tc.method, "/api/v1"+tc.path, kind, tc.body)
			if tc.status >= 400 {
				a.problem(t, tc.status, tc.want)
			} else if a.status != tc.status || !strings.Contains(a.body, tc.want) {
				t.Errorf("%d %.300s, want %d and %s", a.status, a.body, tc.status, tc.want)
			}
		})
	}
}

func TestAPIRecordsComeInPages(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	for i := range 5 {
		w.record("ann", fmt.Sprintf("n%d.hello.sites.test", i), "TXT", "x")
	}
	token, seen := w.token("ann"), 0
	for at := "/api/v1/records?site=hello&limit=2"; at != ""; {
		a := w.call(token, http.MethodGet, at, "", "")
		seen += strings.Count(a.body, `"id"`)
		link := a.header.Get("Link")
		at = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
		if link != "" && strings.Count(a.body, `"id"`) != 2 {
			t.Errorf("a page that is not the last has %s", a.body)
		}
	}
	if seen != 5 {
		t.Errorf("%d records on all pages", seen)
	}
}

func TestZoneRecordsAreNarrowedAndPaged(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	for i := range recordsPerPage + 1 {
		w.record("root", fmt.Sprintf("n%03d.sites.test", i), "TXT", "x")
	}
	w.record("ann", "hello.sites.test", "MX", "10 mail.example.net")
	b := w.login("root")
	rows := func() int { return b.page.Find(".records tbody tr").Length() }
	b.open("/zones/sites.test/records")
	if rows() != recordsPerPage || b.page.Find("a[rel=next]").Length() != 1 {
		t.Fatalf("%d rows on the first page", rows())
	}
	b.open(b.page.Find("a[rel=next]").AttrOr("href", ""))
	if rows() != 2 || b.page.Find("a[rel=prev]").AttrOr("href", "") != "/zones/sites.test/records" {
		t.Errorf("%d rows on the second page", rows())
	}
	second := b.page.Find("nav[aria-label=Pages]").Text()
	b.open("/zones/sites.test/records?page=999")
	if rows() != 2 || b.page.Find("nav[aria-label=Pages]").Text() != second {
		t.Errorf("a page beyond the last has %d rows: %s", rows(), b.page.Find("main").Text())
	}
	b.open("/zones/sites.test/records?name=n007")
	if rows() != 1 {
		t.Errorf("%d rows with the name", rows())
	}
	b.open("/zones/sites.test/records?type=MX")
	if rows() != 1 || b.page.Find(".records a[href='/sites/hello']").Length() != 1 {
		t.Errorf("%d rows of the type, or the site is not told", rows())
	}
	b.open("/zones/sites.test/records?type=CAA&page=99999999999999")
	contains(t, "nothing", b.page.Find(".empty").Text(), "No such record")
	b.submit("form[action='/zones/sites.test/records'][method=post]", map[string]string{"name": "", "type": "TXT", "data": "proof of ownership"})
	b.says(200, "The TXT record of sites.test is added.")
}

func TestSiteRecordsArePaged(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	for i := range recordsPerPage + 1 {
		w.record("ann", fmt.Sprintf("n%03d.hello.sites.test", i), "TXT", "x")
	}
	b := w.login("ann")
	rows := func() int { return b.page.Find(".records tbody tr").Length() }
	b.open("/sites/hello/records")
	if rows() != recordsPerPage {
		t.Fatalf("%d rows on the first page", rows())
	}
	b.open(b.page.Find("a[rel=next]").AttrOr("href", ""))
	if rows() != 1 || b.page.path != "/sites/hello/records?page=2" || b.page.Find("a[rel=prev]").AttrOr("href", "") != "/sites/hello/records" {
		t.Errorf("%d rows on %s", rows(), b.page.path)
	}
}
