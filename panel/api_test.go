package panel

import (
	"net/http"
	"strings"
	"testing"

	"berth/sites"
)

const (
	jsonType = "application/json"
	zipType  = "application/zip"
)

func TestAPIScenarios(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	w.site("bob", "other")
	tokens := map[string]string{"ann": w.token("ann"), "root": w.token("root"), "bad": "berth_0000", "": ""}
	for _, tc := range []struct {
		who, method, path, contentType, body string
		status                               int
		want                                 string // part of a problem's detail, or of the body
	}{
		{"", "GET", "/sites", "", "", 401, "API token"},
		{"bad", "GET", "/sites", "", "", 401, "API token"},
		{"ann", "GET", "/nothing", "", "", 404, "nothing here"},
		{"", "GET", "/nothing", "", "", 404, "nothing here"},
		{"ann", "PUT", "/sites", "", "", 405, "does not take"},
		{"ann", "DELETE", "/status", "", "", 405, "does not take"},
		{"ann", "GET", "/status", "", "", 403, "Only an admin"},
		{"ann", "GET", "/accounts", "", "", 403, "Only an admin"},
		{"ann", "POST", "/accounts", jsonType, `{"name":"eve","role":"admin"}`, 403, "Only an admin"},

		{"ann", "POST", "/sites", "", `{"name":"new"}`, 415, "application/json"},
		{"ann", "POST", "/sites", "text/plain", `{"name":"new"}`, 415, "application/json"},
		{"ann", "POST", "/sites", jsonType, ``, 400, "ends before"},
		{"ann", "POST", "/sites", jsonType, `{"name":`, 400, "ends before"},
		{"ann", "POST", "/sites", jsonType, `{"name";}`, 400, "byte 8"},
		{"ann", "POST", "/sites", jsonType, `[]`, 400, "JSON object"},
		{"ann", "POST", "/sites", jsonType, `{"name":"a"}{}`, 400, "nothing else"},
		{"ann", "POST", "/sites", jsonType, `{"nmae":"new"}`, 422, `no field "nmae"`},
		{"ann", "POST", "/sites", jsonType, `{"name":5}`, 422, "name cannot be a number"},
		{"ann", "POST", "/sites", jsonType, `{"name":"` + strings.Repeat("a", maxJSON) + `"}`, 413, "too large"},
		{"ann", "POST", "/sites", jsonType, `{"name":"hello"}`, 409, "taken"},
		{"ann", "POST", "/sites", jsonType, `{"name":"www"}`, 422, "reserved"},
		{"ann", "POST", "/sites", jsonType, `{"name":"new","template":"php"}`, 422, "no template"},
		{"ann", "POST", "/sites", jsonType, `{"name":"New"}`, 201, `"state":"empty"`},
		{"ann", "GET", "/sites/new", "", "", 200, `"active_release":null`},
		{"ann", "PATCH", "/sites/new", jsonType, `{"limits":{"memory_mb":64}}`, 403, "Only an admin"},
		{"root", "PATCH", "/sites/new", jsonType, `{}`, 422, "limits or owner"},
		{"root", "PATCH", "/sites/new", jsonType, `{"limits":{}}`, 422, "Name a limit"},
		{"root", "PATCH", "/sites/new", jsonType, `{"limits":{"memory_mb":1}}`, 422, "Memory"},
		{"root", "PATCH", "/sites/new", jsonType, `{"limits":{"memory_mb":99},"owner":"bob"}`, 200, `"memory_mb":99`},
		{"ann", "GET", "/sites/new", "", "", 404, "no site"},
		{"ann", "PATCH", "/sites/new", jsonType, `{"options":{"maintenance":true}}`, 404, "no site"},
		{"root", "DELETE", "/sites/new", "", "", 204, ""},

		{"ann", "POST", "/sites/hello/releases", "text/plain", "zip", 415, "application/zip"},
		{"ann", "POST", "/sites/hello/releases", zipType, "no zip", 422, "zip"},
		{"ann", "POST", "/sites/hello/releases", "multipart/form-data; boundary=x", "--x--", 422, "field file"},
		{"ann", "POST", "/sites/hello/releases?wait=long", zipType, "", 422, "can only be live"},
		{"ann", "POST", "/sites/hello/releases?wait=live", zipType, string(zipOf(t, "index.html")), 201, `"active":true`},
		{"ann", "GET", "/sites/hello/releases", "", "", 200, `[{"id":3,`},
		{"ann", "GET", "/sites/hello/releases/9", "", "", 404, "no release 9"},
		{"ann", "GET", "/sites/hello/releases/x", "", "", 404, "nothing here"},
		{"ann", "GET", "/sites/hello/releases/2", "", "", 200, `"state":"failed"`},
		{"ann", "POST", "/sites/hello/releases/2/activate", "", "", 409, "never worked"},
		{"ann", "POST", "/sites/hello/releases/3/activate", "", "", 409, "active already"},
		{"ann", "POST", "/sites/hello/releases/1/activate?wait=live", "", "", 200, `"active":true`},
		{"ann", "POST", "/sites/hello/restart", "", "", 202, `"name":"hello"`},
		{"ann", "POST", "/sites/hello/stop?wait=live", "", "", 200, `"state":"stopped"`},
		{"ann", "GET", "/sites/hello/logs", "", "", 409, "not running"},
		{"ann", "POST", "/sites/hello/restart", "", "", 409, "not running"},
		{"ann", "POST", "/sites/HELLO/start?wait=live", "", "", 200, `"state":"running"`},
		{"ann", "GET", "/sites/hello/logs?tail=5", "", "", 200, "tail 5"},
		{"ann", "GET", "/sites/hello/logs?tail=0", "", "", 422, "between 1 and"},
		{"ann", "GET", "/sites/hello/logs?follow=2", "", "", 422, "0 or 1"},

		{"root", "GET", "/status", "", "", 200, `"version":"1.2.3"`},
		{"root", "GET", "/accounts", "", "", 200, `"name":"ann"`},
		{"root", "GET", "/accounts/nobody", "", "", 404, "no account"},
		{"root", "POST", "/accounts", jsonType, `{"name":"carol","password":"short"}`, 422, "at least 10"},
		{"root", "POST", "/accounts", jsonType, `{"name":"carol","role":"king"}`, 422, "owner or admin"},
		{"root", "POST", "/accounts", jsonType, `{"name":"carol","quota":{"sites":1}}`, 201, `"password":"`},
		{"root", "GET", "/accounts/carol", "", "", 200, `"quota":{"sites":1,"bytes":2147483648}`},
		{"root", "PATCH", "/accounts/carol", jsonType, `{"password":""}`, 422, "cannot be empty"},
		{"root", "PATCH", "/accounts/carol", jsonType, `{"quota":{"bytes":-1}}`, 422, "negative"},
		{"root", "PATCH", "/accounts/carol", jsonType, `{"role":"admin","password":"a long passphrase"}`, 200, `"role":"admin"`},
		{"root", "DELETE", "/accounts/root", "", "", 409, "your own account"},
		{"root", "DELETE", "/accounts/ann", "", "", 409, "owns 1 sites"},
		{"root", "DELETE", "/accounts/carol", "", "", 204, ""},
	} {
		t.Run(tc.who+" "+tc.method+" "+tc.path, func(t *testing.T) {
			a := w.call(tokens[tc.who], tc.method, "/api/v1"+tc.path, tc.contentType, tc.body)
			if tc.status >= 400 {
				a.problem(t, tc.status, tc.want)
			} else if a.status != tc.status || !strings.Contains(a.body, tc.want) {
				t.Errorf("%d %.300s, want %d and %s", a.status, a.body, tc.status, tc.want)
			}
			if tc.status == 401 && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("WWW-Authenticate %q", a.header.Get("WWW-Authenticate"))
			}
		})
	}
}

func TestAPISiteHasWhatTheDesignSays(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	token := w.token("ann")
	a := w.call(token, "GET", "/api/v1/sites/hello", "", "")
	for field, want := range map[string]any{
		"name": "hello", "url": "https://hello.sites.test:8443", "owner": "ann", "template": "static", "state": "running",
	} {
		if a.json[field] != want {
			t.Errorf("%s is %v, want %v", field, a.json[field], want)
		}
	}
	part := func(name string) map[string]any { m, _ := a.json[name].(map[string]any); return m }
	if hosts, _ := a.json["hosts"].([]any); len(hosts) != 1 || hosts[0] != "hello.sites.test" {
		t.Errorf("hosts %v", a.json["hosts"])
	}
	if c := part("certificate"); c["state"] != "valid" || c["issuer"] != "Test CA" || c["not_after"] == nil {
		t.Errorf("certificate %v", c)
	}
	if r := part("active_release"); r["id"] != 1.0 || r["active"] != true || r["files"] != 1.0 {
		t.Errorf("active_release %v", r)
	}
	if l := part("limits"); l["memory_mb"] == nil || l["cpus"] == nil || l["pids"] == nil {
		t.Errorf("limits %v", l)
	}
	created := w.call(token, "POST", "/api/v1/sites", jsonType, `{"name":"two"}`)
	if created.header.Get("Location") != "/api/v1/sites/two" {
		t.Errorf("Location %q", created.header.Get("Location"))
	}
	upload := w.call(token, "POST", "/api/v1/sites/two/releases", zipType, string(zipOf(t, "index.html")))
	if at := upload.header.Get("Location"); upload.status != 201 || w.call(token, "GET", at, "", "").status != 200 {
		t.Errorf("upload answers %d with Location %q", upload.status, at)
	}
}

func TestAPIListsOnlyOnesOwn(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	w.site("bob", "other")
	for who, want := range map[string][2]bool{"ann": {true, false}, "bob": {false, true}, "root": {true, true}} {
		a := w.call(w.token(who), "GET", "/api/v1/sites", "", "")
		if got := [2]bool{strings.Contains(a.body, `"hello"`), strings.Contains(a.body, `"other"`)}; got != want {
			t.Errorf("%s sees %v, want %v", who, got, want)
		}
	}
}

func TestAPITakesNoCookieAndNeedsNoOrigin(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	cookie := w.login("ann").session()
	ask := func(header, value string) answer {
		r, err := http.NewRequestWithContext(t.Context(), "POST", w.server.URL+"/api/v1/sites/hello/stop", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set(header, value)
		return w.do(w.client(false), r)
	}
	ask("Cookie", cookie.String()).problem(t, 401, "API token")
	if a := ask("Authorization", "bearer "+w.token("ann")); a.status != 202 {
		t.Errorf("a token from elsewhere: %d %s", a.status, a.body)
	}
	if a := ask("Authorization", "Bearer "+w.token("ann")); a.header.Get("Set-Cookie") != "" {
		t.Errorf("the API sets a cookie: %q", a.header.Get("Set-Cookie"))
	}
	page := w.browser()
	page.header.Set("Authorization", "Bearer "+w.token("ann"))
	if page.open("/sites/hello").path == "/sites/hello" {
		t.Error("a token opens pages")
	}
}

func TestAPIWaitTellsOfFailure(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	token := w.token("ann")
	for _, tc := range []struct {
		refusal       error
		detail, state string
	}{
		{sites.Refuse(sites.ErrInvalid, "The site is out of breath."), "out of breath", "failed"},
		{sites.Refuse(sites.ErrUnavailable, "The engine does not answer."), "berth goes on trying", "preparing"},
	} {
		w.shelf.setRefusal(tc.refusal)
		a := w.call(token, "POST", "/api/v1/sites/hello/releases?wait=live", zipType, string(zipOf(t, "index.html")))
		a.problem(t, 422, tc.detail)
		if r, _ := a.json["release"].(map[string]any); r["state"] != tc.state {
			t.Errorf("the problem tells of release %v, want it %s", a.json["release"], tc.state)
		}
	}
	if st := w.await("ann", "hello"); st.State != sites.StateRunning || st.Active != 1 {
		t.Errorf("the old release is not serving: %s, release %d", st.State, st.Active)
	}
}

func TestAPIStatus(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	a := w.call(w.token("root"), "GET", "/api/v1/status", "", "")
	part := func(name string) map[string]any { m, _ := a.json[name].(map[string]any); return m }
	host := part("host")
	for _, field := range []string{"cpus", "memory_total", "memory_used", "disk_total", "own_memory"} {
		if n, _ := host[field].(float64); n <= 0 {
			t.Errorf("host.%s is %v", field, host[field])
		}
	}
	if part("runtime")["name"] != "embedded" || part("sites")["running"] != 1.0 || a.json["ready"] != true || a.json["revision"] == 0.0 {
		t.Errorf("status %s", a.body)
	}
	for _, field := range []string{"servers", "instances", "certificates"} {
		if list, _ := a.json[field].([]any); len(list) != 1 {
			t.Errorf("%s is %v", field, a.json[field])
		}
	}
}
