package panel

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"berth/sites"
)

func TestNarrow(t *testing.T) {
	list := make([]sites.SiteStatus, 10_000)
	for i := range list {
		list[i].Name = fmt.Sprintf("site-%05d", i)
	}
	for _, tc := range []struct {
		query, number string
		first         string
		n, page       int
		pages, found  int
	}{
		{"", "", "site-00000", 100, 1, 100, 10_000},
		{"", "2", "site-00100", 100, 2, 100, 10_000},
		{"", "100", "site-09900", 100, 100, 100, 10_000},
		{"", "9999", "site-09900", 100, 100, 100, 10_000},
		{"", "-1", "site-00000", 100, 1, 100, 10_000},
		{"", "x", "site-00000", 100, 1, 100, 10_000},
		{" SITE-0012 ", "", "site-00120", 10, 1, 1, 10},
		{"-09", "10", "site-09900", 100, 10, 10, 1000},
		{"zebra", "3", "", 0, 1, 1, 0},
	} {
		got, at := narrow(list, tc.query, tc.number)
		if len(got) != tc.n || tc.n > 0 && got[0].Name != tc.first || at.Page != tc.page || at.Pages != tc.pages || at.Found != tc.found || at.All != 10_000 {
			t.Errorf("narrow(%q, %q): %d sites, %+v", tc.query, tc.number, len(got), at)
		}
	}
	if got, at := narrow(nil, "", ""); len(got) != 0 || at.Page != 1 || at.Pages != 1 {
		t.Errorf("narrow of nothing: %d, %+v", len(got), at)
	}
}

func TestSiteListsArePaged(t *testing.T) {
	w := newWorld(t)
	ann := w.actor("ann")
	if _, err := w.UpdateAccount(t.Context(), sites.System, "ann", sites.AccountUpdate{Quota: sites.QuotaUpdate{Sites: new(0), Bytes: new(int64(0))}}); err != nil {
		t.Fatal(err)
	}
	for i := range sitesPerPage + 20 {
		if _, err := w.CreateSite(t.Context(), ann, sites.NewSite{Name: fmt.Sprintf("site-%03d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	b := w.login("root")
	for who, paths := range map[*browser][3]string{
		w.login("ann"): {"/", "/live/sites", "#sites .site-card h2"},
		b:              {"/admin/sites", "/live/all-sites", "#all-sites tbody th > a:first-child"},
	} {
		list, live, names := paths[0], paths[1], paths[2]
		first := who.open(list)
		if n := first.Find(names).Length(); n != sitesPerPage {
			t.Errorf("%s shows %d sites", list, n)
		}
		second := who.open(first.Find("a[rel=next]").AttrOr("href", ""))
		if n := second.Find(names).Length(); n != 20 || second.Find("a[rel=next]").Length() != 0 || second.Find("a[rel=prev]").AttrOr("href", "") != list {
			t.Errorf("the second page of %s shows %d sites", list, n)
		}
		source := second.Find("[data-live]").AttrOr("data-live", "")
		if part := who.open(source); source != live+"?page=2" || part.Find(names).Length() != 20 || part.Find("[data-live]").AttrOr("data-live", "") != source {
			t.Errorf("the second page of %s is kept up by %q, which shows %d sites", list, source, part.Find(names).Length())
		}
		search := second.Find("form[role=search]")
		if search.AttrOr("method", "") != "get" || search.AttrOr("action", "") != list || search.Find("input[name=q]").Length() != 1 {
			t.Errorf("%s cannot be searched", list)
		}
		found := who.open(list + "?q=E-11")
		if n := found.Find(names).Length(); n != 10 || found.Find("[data-live]").AttrOr("data-live", "") != live+"?q=e-11" || found.Find("#q").AttrOr("value", "") != "e-11" {
			t.Errorf("searching %s finds %d sites", list, n)
		}
		contains(t, list, who.open(list+"?q=zebra").Find("main").Text(), "No such site")
	}

	w.site("ann", "runner", "index.html")
	b.open("/admin/sites?q=run&page=1")
	b.submit("form[action='/sites/runner/stop']", nil)
	if b.page.status != http.StatusOK || b.page.path != "/admin/sites?q=run" {
		t.Errorf("stopping a site ends at %s", b.page.path)
	}
	contains(t, "account", strings.Join(strings.Fields(b.open("/admin/accounts/ann").Find("main").Text()), " "), "and 21 more")
}
