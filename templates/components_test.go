package templates

import (
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/a-h/templ"
)

// everyView calls check with each component on each of its views.
func everyView(t *testing.T, check func(t *testing.T, p page, doc *goquery.Document)) {
	t.Helper()
	for _, p := range pages() {
		for name, component := range map[string]templ.Component{"full": p.full, "zero": p.zero, "hostile": p.hostile} {
			t.Run(p.name+"/"+name, func(t *testing.T) { check(t, p, parse(t, component)) })
		}
	}
}

func TestPagesNeedNothingThatThePolicyForbids(t *testing.T) {
	everyView(t, func(t *testing.T, p page, doc *goquery.Document) {
		if n := doc.Find("[style]").Length(); n > 0 {
			t.Errorf("%d style attributes", n)
		}
		doc.Find("*").Each(func(_ int, s *goquery.Selection) {
			for _, a := range s.Nodes[0].Attr {
				if strings.HasPrefix(a.Key, "on") {
					t.Errorf("<%s> has the handler %s", s.Nodes[0].Data, a.Key)
				}
			}
		})
		doc.Find("script").Each(func(_ int, s *goquery.Selection) {
			if src, _ := s.Attr("src"); !strings.HasPrefix(src, PathAssets) || s.Text() != "" {
				t.Errorf("a script that is not an asset: src %q, text %q", src, s.Text())
			}
		})
		if styles := doc.Find("style").Length(); styles > 0 && !p.visitor {
			t.Errorf("%d style elements", styles)
		}
		doc.Find("a, form, link, use, img").Each(func(_ int, s *goquery.Selection) {
			for _, name := range []string{"href", "action", "src"} {
				if value, has := s.Attr(name); has && strings.HasPrefix(strings.ToLower(strings.TrimSpace(value)), "javascript:") {
					t.Errorf("<%s %s> runs a script: %s", s.Nodes[0].Data, name, value)
				}
			}
		})
	})
}

func TestHostileTextStaysText(t *testing.T) {
	for _, p := range pages() {
		doc := parse(t, p.hostile)
		if doc.Find("img[src=x]").Length() > 0 {
			t.Errorf("%s: a value became an element", p.name)
		}
		if !p.visitor && !strings.Contains(doc.Text(), `"><script>alert(1)</script>`) {
			t.Errorf("%s: the value is not shown as it is", p.name)
		}
	}
}

func TestDocumentsAreWhole(t *testing.T) {
	everyView(t, func(t *testing.T, p page, doc *goquery.Document) {
		if p.fragment {
			return
		}
		if lang, _ := doc.Find("html").Attr("lang"); lang != "en" {
			t.Error("no language")
		}
		for _, once := range []string{"head title", "h1", "main", "meta[name=viewport]"} {
			if n := doc.Find(once).Length(); n != 1 {
				t.Errorf("%d of %s", n, once)
			}
		}
	})
}

func TestIdsAreUnique(t *testing.T) {
	for _, p := range pages() {
		seen := map[string]bool{}
		parse(t, p.full).Find("[id]").Each(func(_ int, s *goquery.Selection) {
			id, _ := s.Attr("id")
			if seen[id] {
				t.Errorf("%s: the id %q comes twice", p.name, id)
			}
			seen[id] = true
		})
	}
}

func TestInputsHaveLabels(t *testing.T) {
	everyView(t, func(t *testing.T, _ page, doc *goquery.Document) {
		doc.Find("input:not([type=hidden]):not([hidden]), select").Each(func(_ int, s *goquery.Selection) {
			id, _ := s.Attr("id")
			if doc.Find(`label[for="`+id+`"]`).Length() != 1 {
				t.Errorf("the input %q has no label of its own", id)
			}
			by, _ := s.Attr("aria-describedby")
			for _, part := range strings.Fields(by) {
				if doc.Find("#"+part).Length() != 1 {
					t.Errorf("the input %q is described by %q, which is not there", id, part)
				}
			}
			if name, _ := s.Attr("name"); name == "" {
				t.Errorf("the input %q sends nothing", id)
			}
		})
	})
}

func TestEverythingWorksWithoutTheScript(t *testing.T) {
	everyView(t, func(t *testing.T, _ page, doc *goquery.Document) {
		doc.Find("form").Each(func(_ int, s *goquery.Selection) {
			method, _ := s.Attr("method")
			action, _ := s.Attr("action")
			if method != "post" && method != "get" || !strings.HasPrefix(action, "/") {
				t.Errorf("a form with method %q and action %q", method, action)
			}
			if s.Find("button[type=submit]").Length() == 0 {
				t.Errorf("the form to %s cannot be sent", action)
			}
		})
		doc.Find("button").Each(func(_ int, s *goquery.Selection) {
			kind, _ := s.Attr("type")
			submits := kind == "submit" && s.Closest("form").Length() == 1
			if other, ok := s.Attr("form"); ok {
				submits = kind == "submit" && doc.Find("form#"+other).Length() == 1
			}
			if waits := kind == "button" && s.Closest("[hidden]").Length() == 1; !submits && !waits {
				t.Errorf("the button %q is shown and does nothing without the script", s.Text())
			}
		})
		doc.Find("[data-js]").Each(func(_ int, s *goquery.Selection) {
			if _, hidden := s.Attr("hidden"); !hidden {
				t.Error("a control that needs the script is not hidden before it")
			}
		})
		doc.Find("[data-upload], [data-confirm]").Each(func(_ int, s *goquery.Selection) {
			if s.Nodes[0].Data != "form" {
				t.Error("an enhanced control is not a form")
			}
		})
	})
}

func TestLiveFragmentsFindTheirPlace(t *testing.T) {
	for _, pair := range []struct {
		name           string
		page, fragment templ.Component
	}{
		{"sites", Sites(SitesView{Shell: owner("", SectionSites), Sites: siteRows()}), SitesLive(SitesView{Shell: owner("", SectionSites), Sites: siteRows()})},
		{"no sites", Sites(SitesView{}), SitesLive(SitesView{})},
		{"site", Site(siteView()), SiteLive(siteView())},
		{"status", Status(statusView()), StatusLive(statusView())},
		{"all sites", AllSites(AllSitesView{Sites: siteRows()}), AllSitesLive(AllSitesView{Sites: siteRows()})},
	} {
		fragment := parse(t, pair.fragment)
		places := parse(t, pair.page).Find("[data-live]")
		if places.Length() == 0 || places.Length() != fragment.Find("[data-live]").Length() {
			t.Errorf("%s: %d places, %d fragments", pair.name, places.Length(), fragment.Find("[data-live]").Length())
		}
		places.Each(func(_ int, place *goquery.Selection) {
			id, _ := place.Attr("id")
			found := fragment.Find("#" + id)
			was, _ := place.Html()
			is, _ := found.Html()
			if found.Length() != 1 || was != is {
				t.Errorf("%s: the fragment %q differs from its place", pair.name, id)
			}
		})
	}
}

func TestSiteButtonsFollowTheState(t *testing.T) {
	for state, want := range map[string]string{
		"empty": "", "starting": "stop", "running": "restart stop", "stopped": "start", "failed": "restart stop", "sleeping": "stop", "": "",
	} {
		v := siteView()
		v.State = state
		var got []string
		parse(t, Site(v)).Find("#site-head form").Each(func(_ int, s *goquery.Selection) {
			action, _ := s.Attr("action")
			got = append(got, strings.TrimPrefix(action, "/sites/bakery/"))
		})
		if strings.Join(got, " ") != want {
			t.Errorf("%q offers %v, want %q", state, got, want)
		}
	}
}

func TestReleasesOfferWhatCanBeActivated(t *testing.T) {
	doc := parse(t, Site(siteView()))
	got := map[string]string{}
	doc.Find(".release form").Each(func(_ int, s *goquery.Selection) {
		action, _ := s.Attr("action")
		got[action] = s.Find("button").Text()
	})
	want := map[string]string{"/sites/bakery/releases/12/activate": "Roll back to this", "/sites/bakery/releases/11/activate": "Roll back to this"}
	if len(got) != len(want) || got["/sites/bakery/releases/12/activate"] != want["/sites/bakery/releases/12/activate"] {
		t.Errorf("offered %v, want %v", got, want)
	}
	if text := doc.Find(".release .remark-bad").Text(); !strings.Contains(text, "etc/passwd") {
		t.Errorf("the reason of the failed release reads %q", text)
	}
	if text := doc.Find(".release .remark-warn").Text(); !strings.Contains(text, "index.html") {
		t.Errorf("the warning reads %q", text)
	}
}

func TestRemarksAreFoldedWhenMany(t *testing.T) {
	doc := parse(t, Site(siteView()))
	few, many := doc.Find("div.line-remarks"), doc.Find("details.line-remarks")
	if few.Find("li").Length() != 2 || !strings.Contains(few.Text(), "2 lines of the rules have no effect") || !strings.Contains(few.Text(), "_headers, line 12") {
		t.Errorf("few read %q", few.Text())
	}
	if many.Find("li").Length() != 8 || !strings.Contains(many.Find("summary").Text(), "1 file and 7 lines") {
		t.Errorf("many read %q", many.Text())
	}
	if whole := many.Find("code").First().Text(); whole != "_headers" {
		t.Errorf("a whole file is named %q", whole)
	}
}

func TestUploadIsAPlainForm(t *testing.T) {
	form := parse(t, Site(siteView())).Find("form[data-upload]")
	if kind, _ := form.Attr("enctype"); kind != "multipart/form-data" {
		t.Errorf("enctype %q", kind)
	}
	if form.Find("input[type=file][name=file]").Length() != 1 {
		t.Error("no input for the file")
	}
}

func TestARefusedNameKeepsWhatWasTyped(t *testing.T) {
	doc := parse(t, NewSite(NewSiteView{Name: "Bäckerei", Faults: Faults{"name": "Only a–z."}}))
	input := doc.Find("#name")
	if value, _ := input.Attr("value"); value != "Bäckerei" {
		t.Errorf("value %q", value)
	}
	if invalid, _ := input.Attr("aria-invalid"); invalid != "true" || !strings.Contains(doc.Find("#name-fault").Text(), "Only a–z.") {
		t.Error("the fault is not told")
	}
}

func TestAdminsSeeMore(t *testing.T) {
	admin, other := parse(t, Site(SiteView{Shell: shell("", SectionSites), Owner: "tom"})), parse(t, Site(SiteView{Shell: owner("", SectionSites), Owner: "tom"}))
	for _, only := range []string{`nav a[href="/admin/status"]`, `a[href="/admin/accounts/tom"]`, `a[href^="/admin/activity"]`} {
		if admin.Find(only).Length() == 0 {
			t.Errorf("an admin does not see %s", only)
		}
		if other.Find(only).Length() > 0 {
			t.Errorf("an owner sees %s", only)
		}
	}
	if other.Find(`form[method=post][action="/logout"] button`).Length() != 1 {
		t.Error("no way to log out")
	}
}

func TestNoticesAreAnnounced(t *testing.T) {
	doc := parse(t, Error(ErrorView{Shell: Shell{Notices: []Notice{{NoticeError, "bad"}, {NoticeSuccess, "good"}, {"", "so"}}}}))
	for text, role := range map[string]string{"bad": "alert", "good": "status", "so": "status"} {
		if doc.Find(`.notice[role=`+role+`]:contains("`+text+`")`).Length() != 1 {
			t.Errorf("%q is no %s", text, role)
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for _, code := range []int{0, 400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 502, 503, 507} {
		doc := parse(t, Error(ErrorView{Code: code}))
		if doc.Find(".empty h1").Text() == "" || doc.Find(".empty .lede").Text() == "" || doc.Find(".empty p:not(.lede):not(.code)").Text() == "" {
			t.Errorf("%d leaves something open", code)
		}
	}
	doc := parse(t, Error(ErrorView{Code: 409, Heading: "Busy", Sentence: "The site is busy.", Next: "Wait."}))
	if text := doc.Find(".empty").Text(); !strings.Contains(text, "Busy") || !strings.Contains(text, "The site is busy.") || !strings.Contains(text, "Wait.") {
		t.Errorf("the words of the view are not shown: %q", text)
	}
}

func TestVisitorPagesWorkUnderTheirPolicy(t *testing.T) {
	for _, p := range pages() {
		if !p.visitor {
			continue
		}
		doc := parse(t, p.full)
		sum := sha256.Sum256([]byte(doc.Find("style").Text()))
		if hash := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(VisitorPolicy(), "style-src "+hash+";") {
			t.Errorf("%s: the policy %q does not allow the style %s", p.name, VisitorPolicy(), hash)
		}
		if n := doc.Find("script, link, img, [src]").Length(); n > 0 {
			t.Errorf("%s wants %d other files", p.name, n)
		}
		if !strings.Contains(doc.Find("body").Text()+doc.Find("title").Text(), "hello.sites.example.org") {
			t.Errorf("%s does not name the host", p.name)
		}
	}
	if refresh := parse(t, VisitorStarting("x")).Find("meta[http-equiv=refresh]").Length(); refresh != 1 {
		t.Error("the page of a starting site does not load again")
	}
}

func TestAssets(t *testing.T) {
	get := func(path string) *http.Response {
		w := httptest.NewRecorder()
		Assets().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Result()
	}
	for _, name := range []string{"berth.css", "berth.js", "keep.js", "logo.svg"} {
		r := get(AssetURL(name))
		if r.StatusCode != http.StatusOK || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %q", AssetURL(name), r.StatusCode, r.Header.Get("Cache-Control"))
		}
		if r := get(PathAssets + name + "?v=old"); r.StatusCode != http.StatusOK || r.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s of another version: %d, %q", name, r.StatusCode, r.Header.Get("Cache-Control"))
		}
	}
	for _, path := range []string{PathAssets, PathAssets + "nothing", PathAssets + "../views.go"} {
		if r := get(path); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}

func TestTheScriptsAreSmall(t *testing.T) {
	for name, most := range map[string]int{"berth.js": 250, "keep.js": 30} {
		data, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(data), "\n"); lines >= most {
			t.Errorf("%s: %d lines", name, lines)
		}
	}
}

func TestSampleIsASite(t *testing.T) {
	for _, name := range []string{"index.html", "about.html", "404.html"} {
		file, err := Sample.Open("sample/" + name)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := goquery.NewDocumentFromReader(file)
		if err != nil {
			t.Fatal(err)
		}
		doc.Find("[href^='/'], [src^='/']").Each(func(_ int, s *goquery.Selection) {
			target := s.AttrOr("href", s.AttrOr("src", ""))
			if target == "/" || target == "/about" || target == "/lost" {
				return
			}
			if _, err := fs.Stat(Sample, "sample"+target); err != nil {
				t.Errorf("%s names %s: %v", name, target, err)
			}
		})
	}
}
