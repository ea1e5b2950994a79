package panel

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"berth/sites"
)

// visited counts visits of a site at a time.
func (w *world) visited(site string, at time.Time, n int64, path, referrer string) {
	w.t.Helper()
	found, err := w.Site(w.t.Context(), sites.System, site)
	if err != nil {
		w.t.Fatal(err)
	}
	part := sites.TrafficPart{
		Site: found.ID, Traffic: sites.Traffic{At: at.UTC().Truncate(time.Hour), Requests: n, Bytes: 1024 * n, Visitors: 2, Classes: [5]int64{0, n - 1, 0, 1, 0}},
		DayVisitors: 2,
	}
	part.Paths.Add(path, n, 0)
	part.Referrers.Add(referrer, n, 0)
	if err := w.store.AddTraffic(w.t.Context(), []sites.TrafficPart{part}); err != nil {
		w.t.Fatal(err)
	}
}

func TestTrafficPage(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	b := w.login("ann")
	b.open("/sites/hello/traffic")
	contains(t, "nobody has come", b.page.Text(), "No visits in 7 days")

	now := time.Now()
	w.visited("hello", now, 1500, "/<script>x</script>", "news.example.org")
	w.visited("hello", now.AddDate(0, 0, -20), 300, "/old", "old.example.org")
	for days, want := range map[int]string{1: "1,500", 7: "1,500", 30: "1,800", 90: "1,800"} {
		b.open(fmt.Sprintf("/sites/hello/traffic?days=%d", days))
		if got := b.page.Find(".totals .measure-value").First().Text(); strings.TrimSpace(got) != want {
			t.Errorf("in %d days there are %q requests, want %s", days, got, want)
		}
		steps := map[int]int{1: 24}[days]
		if steps == 0 {
			steps = days
		}
		if got := b.page.Find("#chart-requests g").Length(); got != steps {
			t.Errorf("the chart of %d days has %d bars, want %d", days, got, steps)
		}
		if got := b.page.Find(`svg[role="img"][aria-labelledby] > title`).Length(); got != 3 {
			t.Errorf("%d charts say what they are", got)
		}
		if got := b.page.Find(".chart-table tbody tr").Length(); got == 0 || got > 2 {
			t.Errorf("the table of %d days has %d rows", days, got)
		}
	}
	contains(t, "the paths", b.page.Find(".ranks").First().Text(), "/<script>x</script>")
	contains(t, "the referrers", b.page.Find(".ranks").Last().Text(), "news.example.org")
	if status := b.open("/sites/hello/traffic?days=5").status; status != http.StatusUnprocessableEntity {
		t.Errorf("five days are answered %d", status)
	}
}

func TestTrafficIsForItsOwner(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	bob, root := w.login("bob"), w.login("root")
	for _, path := range []string{"/sites/hello/traffic", "/sites/hello/access", "/sites/hello/access/follow"} {
		if status := bob.open(path).status; status != http.StatusNotFound {
			t.Errorf("%s answers another owner %d", path, status)
		}
	}
	if status := bob.open("/admin/traffic").status; status != http.StatusNotFound {
		t.Errorf("an owner who asks for the traffic of all sites is answered %d", status)
	}
	for _, path := range []string{"/sites/hello/traffic", "/sites/hello/access", "/admin/traffic"} {
		if status := root.open(path).status; status != http.StatusOK {
			t.Errorf("%s answers an admin %d", path, status)
		}
	}
	token := w.token("bob")
	for _, path := range []string{"/api/v1/sites/hello/traffic", "/api/v1/sites/hello/access"} {
		w.call(token, http.MethodGet, path, "", "").problem(t, http.StatusNotFound, "no site")
	}
	w.call(token, http.MethodGet, "/api/v1/traffic", "", "").problem(t, http.StatusForbidden, "Only an admin")
}

func TestTrafficOfAllSites(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	w.site("bob", "shop")
	w.visited("hello", time.Now(), 10, "/", "a.example.org")
	w.visited("shop", time.Now(), 20, "/", "a.example.org")
	root := w.login("root")
	root.open("/admin/traffic?days=1")
	contains(t, "the total", root.page.Find(".totals").Text(), "30")
	if got := root.page.Find(".table-card tbody th").Text(); got != "shophello" {
		t.Errorf("the busiest sites are %q", got)
	}
	got := w.call(w.token("root"), http.MethodGet, "/api/v1/traffic", "", "")
	contains(t, "the API", got.body, `"sites":[{"name":"shop","owner":"bob"`)
}

func TestTrafficByAPI(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	at := time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC)
	w.visited("hello", at, 5, "/a", "news.example.org")
	w.visited("hello", at.Add(time.Hour), 7, "/a", "news.example.org")
	token := w.token("ann")
	for query, want := range map[string]string{
		"from=2026-03-29&to=2026-03-30":                                             `"step":"day","total":{"at":"2026-03-29T00:00:00Z","requests":12,"visitors":4,"bytes":12288,"statuses":{"1xx":0,"2xx":10,"3xx":0,"4xx":2,"5xx":0}},"steps":[{"at":"2026-03-29T00:00:00Z","requests":12`,
		"from=2026-03-29T01:00:00Z&to=2026-03-29T02:00:00Z&step=hour":               `"total":{"at":"2026-03-29T01:00:00Z","requests":5,`,
		"from=2026-03-29T03:30:00%2B02:00&to=2026-03-29T04:30:00%2B02:00&step=hour": `{"at":"2026-03-29T02:00:00Z","requests":7`,
		"from=2026-03-28&to=2026-03-30&step=hour":                                   `"paths":[{"name":"/a","requests":12}],"referrers":[{"name":"news.example.org","requests":12}]`,
		"from=2020-01-01&to=2020-01-02":                                             `"steps":[{"at":"2020-01-01T00:00:00Z","requests":0`,
	} {
		got := w.call(token, http.MethodGet, "/api/v1/sites/hello/traffic?"+query, "", "")
		if got.status != http.StatusOK {
			t.Errorf("%s is answered %d: %s", query, got.status, got.body)
		}
		contains(t, query, strings.ReplaceAll(got.body, "\n", ""), want)
	}
	for query, want := range map[string]string{
		"step=week":                     "hour or day",
		"from=yesterday":                "2026-03-14",
		"to=1":                          "2026-03-14",
		"from=2026-03-30&to=2026-03-29": "before to",
		"from=2025-01-01&to=2026-01-01&step=hour": "90 days",
		"from=0001-01-01&to=9999-01-01":           "762 days",
	} {
		w.call(token, http.MethodGet, "/api/v1/sites/hello/traffic?"+query, "", "").problem(t, http.StatusUnprocessableEntity, want)
	}
}

func TestAccessLogPage(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	b := w.login("ann")
	b.open("/sites/hello/logs")
	if got := b.page.Find(`nav.switch a[href="/sites/hello/access"]`).Text(); got != "Visitors" {
		t.Errorf("the logs lead to %q", got)
	}
	b.open("/sites/hello/access?tail=7")
	contains(t, "the log", b.page.Find("#log").Text(), "tail 7")
	if got, _ := b.page.Find("[data-follow]").Attr("data-follow"); got != "/sites/hello/access/follow" {
		t.Errorf("the button follows %q", got)
	}
	stream := b.listen("/sites/hello/access/follow?tail=7")
	site, err := w.Site(t.Context(), sites.System, "hello")
	if err != nil {
		t.Fatal(err)
	}
	stream.hears(fmt.Sprintf("line of site %d, tail 7", site.ID))
	got := w.call(w.token("ann"), http.MethodGet, "/api/v1/sites/hello/access?tail=9", "", "")
	if got.status != http.StatusOK || !strings.HasPrefix(got.body, "line of site") || !strings.Contains(got.body, "tail 9") {
		t.Errorf("the API answers %d: %s", got.status, got.body)
	}
	w.panel.Close()
	stream.ends()
	w.visits.off = true
	b.open("/sites/hello/access")
	contains(t, "with logs turned off", b.page.Text(), "keeps no access logs")
}
