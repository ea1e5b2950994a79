package panel

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/sites"
)

func TestCertificatesPage(t *testing.T) {
	w := newWorld(t)
	b := w.login("root")
	page := b.open("/admin/certificates")
	for _, want := range []string{testZone, "12 of 50", "Renew now", "Test CA"} {
		contains(t, "the page", page.body, want)
	}
	renew := "form[action='/admin/certificates/" + testZone + "/renew']"
	b.submit(renew, map[string]string{"next": "/admin/certificates?q=sites"})
	b.says(http.StatusOK, "is being ordered")
	if b.page.path != "/admin/certificates?q=sites" || !slices.Equal(w.certs.renewed, []string{testZone}) {
		t.Errorf("renewed %q, and then %s", w.certs.renewed, b.page.path)
	}
	w.certs.refuse = sites.Refuse(sites.ErrConflict, "The weekly limit is used up.")
	b.submit(renew, nil)
	b.says(http.StatusOK, "The weekly limit is used up.")
	if got := w.login("ann").open("/admin/certificates"); got.status != http.StatusNotFound {
		t.Errorf("an owner gets %d", got.status)
	}
}

func TestAPICertificates(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	ann, bob, root := w.token("ann"), w.token("bob"), w.token("root")

	own := w.call(ann, "GET", "/api/v1/certificates", "", "")
	contains(t, "an owner's list", own.body, `"host":"hello.sites.test"`)
	if strings.Contains(own.body, "budgets") || strings.Contains(w.call(bob, "GET", "/api/v1/certificates", "", "").body, "hello") {
		t.Error("an owner sees more than what is theirs")
	}
	all := w.call(root, "GET", "/api/v1/certificates", "", "")
	contains(t, "an admin's list", all.body, `"budgets":[{"authority":"Test CA","domain":"sites.test","issued":12,"limit":50}]`)

	if got := w.call(ann, "POST", "/api/v1/certificates/hello.sites.test/renew", "", ""); got.status != http.StatusAccepted || got.json["host"] != "hello.sites.test" {
		t.Errorf("%d %s", got.status, got.body)
	}
	for _, host := range []string{"hello.sites.test", "nobody.example", "*.sites.test"} {
		w.call(bob, "POST", "/api/v1/certificates/"+host+"/renew", "", "").problem(t, http.StatusNotFound, host)
	}
	if !slices.Equal(w.certs.renewed, []string{"hello.sites.test"}) {
		t.Errorf("renewed: %q", w.certs.renewed)
	}
	w.certs.refuse = sites.Refuse(sites.ErrConflict, "The weekly limit is used up.")
	w.call(root, "POST", "/api/v1/certificates/sites.test/renew", "", "").problem(t, http.StatusConflict, "weekly limit")
}

func TestManyCertificatesFitOnPages(t *testing.T) {
	var list []sites.Certificate
	for i := range 250 {
		list = append(list, sites.Certificate{Host: fmt.Sprintf("site-%d.sites.test", i), NotAfter: time.Unix(int64(i), 0)})
	}
	for _, c := range []struct {
		query, page string
		from, count int
	}{{"", "", 0, 100}, {"", "3", 200, 50}, {"", "9", 200, 50}, {"", "-1", 0, 100}, {"SITE-24", "", 24, 11}, {"zebra", "2", 0, 0}} {
		got, at := someCertificates(slices.Clone(list), c.query, c.page)
		if len(got) != c.count || c.count > 0 && got[0].Host != list[c.from].Host || at.All != len(list) {
			t.Errorf("%q, page %q: %d from %v", c.query, c.page, len(got), got[:min(1, len(got))])
		}
	}
}
