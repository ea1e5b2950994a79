package panel

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"berth/sites"
)

func TestInstancesOfASite(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	ann := w.token("ann")
	body := func(method, path, token, in string) string {
		t.Helper()
		return w.call(token, method, "/api/v1"+path, jsonType, in).body
	}
	if got := body(http.MethodPatch, "/sites/hello", ann, `{"instances": 3, "health_path": "/up"}`); !strings.Contains(got, `"instances":3`) || !strings.Contains(got, `"health_path":"/up"`) {
		t.Fatalf("PATCH: %s", got)
	}
	site, err := w.Await(t.Context(), w.actor("ann"), "hello")
	if err != nil || len(site.Serving) != 3 {
		t.Fatalf("%+v, %v", site, err)
	}
	w.edge.fail(site.Serving[1].Addr)
	if got := body(http.MethodGet, "/sites/hello", ann, ""); !strings.Contains(got, `"answering":2`) {
		t.Errorf("GET: %s", got)
	}
	if got := body(http.MethodGet, "/status", w.token("root"), ""); strings.Count(got, `"site":"hello"`) != 3 || strings.Count(got, `"answers":false`) != 1 {
		t.Errorf("status: %s", got)
	}
	if got := body(http.MethodPatch, "/sites/hello", ann, `{"instances": 9}`); !strings.Contains(got, "between 1 and 8") {
		t.Errorf("PATCH 9: %s", got)
	}
	if got := body(http.MethodPatch, "/sites/hello", ann, `{"limits": {"pids": 9}, "instances": 2}`); !strings.Contains(got, "Only an admin") {
		t.Errorf("PATCH limits: %s", got)
	}
}

func TestAddressesOfInstances(t *testing.T) {
	w := newWorld(t)
	rows := w.panel.instanceRows(sites.SiteStatus{Serving: []sites.Instance{{}, {Addr: netip.MustParseAddrPort("10.1.0.1:8080")}}})
	if len(rows) != 2 || rows[0].Address != "in this process" || rows[1].Address != "10.1.0.1:8080" || !rows[0].Answers {
		t.Errorf("%+v", rows)
	}
}

func TestFormOfInstances(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	b := w.login("ann")
	b.open("/sites/hello/settings")
	save := func(typed map[string]string) { b.submit("form[action='/sites/hello/settings/instances']", typed) }
	save(map[string]string{"instances": "3", "health_path": "up"})
	b.faults(http.StatusUnprocessableEntity, "health_path", "begin with one /")
	save(map[string]string{"instances": "9", "health_path": "/up"})
	b.faults(http.StatusUnprocessableEntity, "instances", "between 1 and 8")
	save(map[string]string{"instances": "3", "health_path": "/up"})
	b.says(200, "instances are saved")
	if site := w.await("ann", "hello"); site.Instances != 3 || site.HealthPath != "/up" || len(site.Serving) != 3 {
		t.Errorf("saved %+v", site)
	}
	contains(t, "the site's page", b.open("/sites/hello").body, "3 of 3 instances answer")
}
