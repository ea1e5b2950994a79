package panel

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"berth/sites"
)

// TestOwnersLearnWhatKeepsVisitorsOut asks of a stopped site by page and API, as its owner, another one and an admin.
func TestOwnersLearnWhatKeepsVisitorsOut(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	w.dns.find(sites.Delegation{State: sites.DelegationBroken, Parent: "test", Findings: []sites.Finding{{Kind: sites.FindingLame, Server: "ns2.secret.example", Sentence: "ns2.secret.example is lame."}}}, nil)
	if _, err := w.StopSite(t.Context(), w.actor("ann"), "hello"); err != nil {
		t.Fatal(err)
	}
	ann, bob, root := w.login("ann"), w.login("bob"), w.login("root")
	shown := ann.open("/sites/hello/why")
	if n := shown.Find(".check .pill-bad").Length(); shown.status != http.StatusOK || n != 2 {
		t.Errorf("status %d, and %d things are wrong", shown.status, n)
	}
	for _, want := range []string{"The site is stopped.", "Start it on its page.", "cannot be found from everywhere", "Tell an admin."} {
		contains(t, "the owner's page", shown.Find("main").Text(), want)
	}
	for _, secret := range []string{"ns2.secret.example", "berth why"} {
		if strings.Contains(shown.body, secret) {
			t.Errorf("the owner's page tells %q", secret)
		}
	}
	if ann.open("/sites/hello").Find("a[href='/sites/hello/why']").Length() != 1 {
		t.Error("the site's page does not lead to it")
	}
	for _, path := range []string{"/sites/hello/why", "/admin/why"} {
		if bob.open(path); bob.page.status != http.StatusNotFound {
			t.Errorf("another owner gets %d at %s", bob.page.status, path)
		}
	}
	contains(t, "the admin's page of a site", root.open("/admin/why?name=hello").Find("main").Text(), "POST /api/v1/sites/hello/start")
	contains(t, "the admin's page", root.open("/admin/why").Find("main").Text(), "ns2.secret.example is lame.")
	contains(t, "the admin's page of nobody's name", root.open("/admin/why?name=nobody").Find("main").Text(), "nobody's")
	status := root.open("/admin/status")
	contains(t, "Status", status.Find(".verdict").Text(), "ns2.secret.example is lame.")
	if status.Find("a[href='/admin/why']").Length() != 1 {
		t.Error("Status does not lead to it")
	}

	for _, tc := range []struct {
		account, path string
		status        int
	}{
		{"ann", "/sites/hello/why", http.StatusOK},
		{"root", "/sites/hello/why", http.StatusOK},
		{"root", "/why?name=hello", http.StatusOK},
		{"root", "/why", http.StatusOK},
		{"bob", "/sites/hello/why", http.StatusNotFound},
		{"bob", "/why", http.StatusForbidden},
		{"ann", "/why?name=hello", http.StatusForbidden},
	} {
		answer := w.call(w.token(tc.account), http.MethodGet, "/api/v1"+tc.path, "", "")
		if answer.status != tc.status {
			t.Errorf("%s asks for %s: %d, want %d", tc.account, tc.path, answer.status, tc.status)
			continue
		}
		var report reportJSON
		if err := json.Unmarshal([]byte(answer.body), &report); err != nil || tc.status == http.StatusOK && (report.Works || report.Summary == "" || len(report.Findings) == 0) {
			t.Errorf("%s asks for %s: %v, %s", tc.account, tc.path, err, answer.body)
		}
	}
}
