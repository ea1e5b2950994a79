package panel

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"berth/sites"
)

func TestOptionsOverTheAPI(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html", "down.html")
	token := w.token("ann")
	const path = "/api/v1/sites/hello"
	for _, tc := range []struct {
		options string
		status  int
		want    string // part of a problem's detail, or of the body
	}{
		{`{}`, 422, "Name an option"},
		{`{"canonical":"example.net"}`, 422, "It can be one of these: hello.sites.test."},
		{`{"trailing_slash":"both"}`, 422, "added or removed"},
		{`{"hsts":"preload"}`, 422, "HSTS can be off"},
		{`{"login":{"user":"ann"}}`, 422, "Give the password"},
		{`{"login":{}}`, 422, "Give the user name"},
		{`{"login":{"user":"ann","password":"short"}}`, 422, "at least 8"},
		{`{"login":{"user":"ann","pass":"x"}}`, 422, `no field "pass"`},
		{`{"login":{"user":5}}`, 422, "options.login.user cannot be a number"},
		{`{"login":5}`, 422, "options.login cannot be a number"},
		{`{"allow":["everybody"]}`, 422, `"everybody" is not an address`},
		{`{"pages":{"down":"/nothing.html"}}`, 422, "Release 1 has no file /nothing.html"},
		{`{"bounds":{"connections":-1}}`, 422, "from 0 to 100000"},
		{`{"bounds":{"burst":1}}`, 422, `no field "burst"`},
		{`{"canonical":"hello.sites.test","trailing_slash":"add","hsts":"host"}`, 200, `"canonical":"hello.sites.test","trailing_slash":"add","hsts":"host","login":null`},
		{`{"login":{"user":"ann","password":"correct horse"},"allow":["192.0.2.1","10.0.0.0/8"]}`, 200, `"login":{"user":"ann"},"allow":["10.0.0.0/8","192.0.2.1"]`},
		{`{"maintenance":true,"pages":{"down":"down.html"},"bounds":{"body_mb":5}}`, 200, `"maintenance":true,"pages":{"down":"/down.html","maintenance":""},"bounds":{"requests_per_second":0,"connections":0,"body_mb":5}`},
		{`{"login":{"password":"battery staple"}}`, 200, `"login":{"user":"ann"}`},
		{`{"hsts":"off"}`, 200, `"trailing_slash":"add","hsts":"off","login":{"user":"ann"}`},
		{`{"login":null,"trailing_slash":"keep"}`, 200, `"trailing_slash":"keep","hsts":"off","login":null`},
	} {
		a := w.call(token, http.MethodPatch, path, jsonType, `{"options":`+tc.options+`}`)
		if tc.status != http.StatusOK {
			a.problem(t, tc.status, tc.want)
			if field, _ := a.json["field"].(string); field == "" {
				t.Errorf("%s: no field in %s", tc.options, a.body)
			}
			continue
		}
		if a.status != tc.status || !strings.Contains(a.body, tc.want) {
			t.Errorf("%s: %d %s, want %q", tc.options, a.status, a.body, tc.want)
		}
		if strings.Contains(a.body, "horse") || strings.Contains(a.body, "staple") || strings.Contains(a.body, "$2") {
			t.Errorf("%s: the answer tells a secret: %s", tc.options, a.body)
		}
	}
	w.call(token, http.MethodPatch, path, jsonType, `{"options":{"hsts":"host"},"owner":"bob"}`).problem(t, 403, "Only an admin")
	w.call(w.token("bob"), http.MethodPatch, path, jsonType, `{"options":{"hsts":"host"}}`).problem(t, 404, "no site")

	w.call(token, http.MethodPost, path+"/releases?wait=live", zipType, string(zipOf(t, "index.html")))
	a := w.call(token, http.MethodGet, path, "", "")
	contains(t, "what was refused", a.body, `"hsts":"off"`)
	contains(t, "a site whose page has gone with the release", a.body, `"warnings":[{"field":"options.pages.down","detail":"Release 2 has no file /down.html, so visitors get berth’s page."}]`)
}

// TestPatchTakesEverythingAtOnce wants one event of a change of all kinds, and nothing of one that is refused in part.
func TestPatchTakesEverythingAtOnce(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	root := w.token("root")
	const path = "/api/v1/sites/hello"
	patch := func(hsts, owner string) answer {
		return w.call(root, http.MethodPatch, path, jsonType,
			`{"options":{"hsts":"`+hsts+`","bounds":{"body_mb":5}},"instances":2,"health_path":"/up","limits":{"pids":77},"owner":"`+owner+`"}`)
	}
	events := func() []sites.Event {
		t.Helper()
		list, err := w.Events(t.Context(), w.actor("root"), sites.EventFilter{Subject: "hello"})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	before := len(events())
	for _, refused := range []struct{ hsts, owner, field string }{{"preload", "bob", "options.hsts"}, {"host", "nobody", "owner"}} {
		a := patch(refused.hsts, refused.owner)
		if a.problem(t, 422, ""); a.json["field"] != refused.field {
			t.Errorf("refused as %s", a.body)
		}
	}
	if left := events(); len(left) != before {
		t.Errorf("what was refused has left %+v", left[0])
	}
	a := patch("host", "bob")
	for _, part := range []string{`"hsts":"host"`, `"body_mb":5`, `"instances":2`, `"health_path":"/up"`, `"pids":77`, `"owner":"bob"`} {
		if contains(t, "the answer", a.body, part); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	left := slices.DeleteFunc(events(), func(e sites.Event) bool { return strings.HasPrefix(e.Action, "release.") }) // of what the change has started
	if left[0].Action != "site.update" || left[1].Action != "site.create" {
		t.Errorf("events: %+v", left)
	}
}

// TestPatchesDoNotUndoEachOther has one limit changed while a change of another is on its way: after the site was looked up, and
// before what is to change was read.
func TestPatchesDoNotUndoEachOther(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	root := w.token("root")
	const path = "/api/v1/sites/hello"
	meanwhile := func() { w.call(root, http.MethodPatch, path, jsonType, `{"limits":{"memory_mb":99}}`) }
	const change = `{"limits":{"pids":77}}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, w.server.URL+path, &eventfulReader{strings.NewReader(change), meanwhile})
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(len(change))
	r.Header = http.Header{"Authorization": {"Bearer " + root}, "Content-Type": {jsonType}, "Expect": {"100-continue"}}
	a := w.do(w.waitingClient(), r)
	for _, part := range []string{`"memory_mb":99`, `"pids":77`} {
		if contains(t, "the limits", a.body, part); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
}

// eventfulReader has something happen before it is read first.
type eventfulReader struct {
	io.Reader
	before func()
}

func (r *eventfulReader) Read(b []byte) (int, error) {
	if r.before != nil {
		r.before()
		r.before = nil
	}
	return r.Reader.Read(b)
}
