package panel

import (
	"bytes"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"berth/sites/static"
	"berth/sites/static/rules"

	"github.com/PuerkitoBio/goquery"
)

func openHelp(t *testing.T) (*world, *page) {
	t.Helper()
	w := newWorld(t)
	p := w.login("ann").open("/help")
	if p.status != http.StatusOK {
		t.Fatalf("the help answers with %d", p.status)
	}
	return w, p
}

func TestHelpNamesThisInstallation(t *testing.T) {
	_, p := openHelp(t)
	contains(t, "the domain steps", p.Find("#domains").Text(), "my-site."+testZone+".")
	contains(t, "how large a zip may be", p.Find("#zip").Text(), "up to 300 MB")
	if root := p.Find(`a[href="/root.crt"]`).Length(); root != 0 {
		t.Error("certificates that browsers trust need no root")
	}
}

func TestHelpNeedsALogin(t *testing.T) {
	w := newWorld(t)
	if p := w.browser().open("/help"); !strings.HasPrefix(p.path, "/login") {
		t.Errorf("without a login it ends at %s", p.path)
	}
}

// TestHelpShowsRulesThatHold has the rules of the help read as those of a release.
func TestHelpShowsRulesThatHold(t *testing.T) {
	_, p := openHelp(t)
	read := func(name, id string) *rules.Set {
		text := p.Find("#" + id).Text()
		set, faults, err := rules.Read(fstest.MapFS{name: {Data: []byte(text)}})
		if err != nil || len(faults) > 0 || text == "" {
			t.Errorf("%s %q: %v, %v", name, text, faults, err)
		}
		return set
	}
	redirects := read("_redirects", "redirects-file")
	for path, want := range map[string]rules.Redirect{
		"/old-page":      {Location: "/new-page", Status: http.StatusMovedPermanently},
		"/blog/2026/may": {Location: "/news/2026/may", Status: http.StatusMovedPermanently},
		"/shop":          {Location: "https://shop.example.com/", Status: http.StatusFound},
	} {
		if got, met := redirects.Redirect(path, ""); !met || got.Location != want.Location || got.Status != want.Status {
			t.Errorf("%s leads to %+v, want %+v", path, got, want)
		}
	}
	if got, met := read("_redirects", "single-page-file").Redirect("/any/page", ""); !met || !got.Rewrites() || got.Path != "/index.html" {
		t.Errorf("a single-page application answers with %+v", got)
	}
	headers := map[string]string{}
	for field := range read("_headers", "headers-file").Fields("/assets/app.js") {
		headers[field.Name] = field.Value
	}
	if headers["X-Frame-Options"] != "DENY" || !strings.Contains(headers["Cache-Control"], "immutable") {
		t.Errorf("the headers of an asset are %v", headers)
	}
}

// TestHelpNamesTheFilesOfAddresses serves the files that the help names.
func TestHelpNamesTheFilesOfAddresses(t *testing.T) {
	_, p := openHelp(t)
	dir, files := t.TempDir(), map[string]string{}
	p.Find("#paths-list > div").Each(func(_ int, row *goquery.Selection) {
		files[row.Find("dt").Text()] = row.Find("dd").Text()
	})
	if len(files) < 4 {
		t.Fatalf("the help names %v", files)
	}
	for _, file := range append(slices.Collect(maps.Values(files)), "404.html") {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	handler, err := static.New(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer handler.Close()
	files["/nothing"], files["/About"] = "404.html", "404.html"
	for path, file := range files {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if answer.Body.String() != file {
			t.Errorf("%s shows %q, want %q", path, answer.Body, file)
		}
	}
}

// TestHelpShowsCommandsThatWork sends what the commands of the help would send.
func TestHelpShowsCommandsThatWork(t *testing.T) {
	w, p := openHelp(t)
	token := w.token("ann")
	w.runs(p, "api-create", token, nil)
	w.runs(p, "api-upload", token, zipOf(t, "index.html"))
	if st, err := w.Site(t.Context(), w.actor("ann"), "my-site"); err != nil || st.Active != 1 {
		t.Errorf("release %d is active, %v", st.Active, err)
	}
}

var (
	curlHeader = regexp.MustCompile(`-H "([^:]+): ([^"]+)"`)
	curlData   = regexp.MustCompile(`-d '([^']+)'`)
	curlURL    = regexp.MustCompile(`"https://` + testZone + `:8443(/[^"]+)"`)
)

// runs does what curl does with a command of the page; file is what it would read from the disk.
func (w *world) runs(p *page, id, token string, file []byte) {
	w.t.Helper()
	command := p.Find("#" + id).Text()
	url := curlURL.FindStringSubmatch(command)
	if url == nil {
		w.t.Fatalf("the command %q is not for this installation", command)
	}
	body := file
	if data := curlData.FindStringSubmatch(command); data != nil {
		body = []byte(data[1])
	}
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.server.URL+url[1], bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, field := range curlHeader.FindAllStringSubmatch(command, -1) {
		r.Header.Set(field[1], strings.ReplaceAll(field[2], "$TOKEN", token))
	}
	res, err := w.client(false).Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		w.t.Errorf("%s answers with %d", command, res.StatusCode)
	}
}
