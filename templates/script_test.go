package templates

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/a-h/templ"
	"github.com/chromedp/chromedp"
)

// panel is the least that the script needs of the real one: a site's page, its live parts, events, upload and log.
type panel struct {
	mu       sync.Mutex
	view     SiteView
	uploaded string
	events   chan string
	release  chan struct{} // holds back the answer to an upload
	lines    chan string
}

func startPanel(t *testing.T) (*panel, *httptest.Server) {
	t.Helper()
	p := &panel{view: emptySite(), events: make(chan string), release: make(chan struct{}), lines: make(chan string)}
	p.view.Notices = nil
	mux := http.NewServeMux()
	mux.Handle("GET "+PathAssets, Assets())
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET "+PathEvents, stream("text/event-stream", p.events))
	mux.HandleFunc("GET "+LogsFollowPath("hello"), stream("text/plain", p.lines))
	mux.HandleFunc("GET "+LogsPath("hello"), func(w http.ResponseWriter, r *http.Request) {
		p.show(w, r, func(v SiteView) templ.Component {
			return Logs(LogsView{Shell: v.Shell, Name: v.Name, Tail: 100, Text: "old\n"})
		})
	})
	mux.HandleFunc("GET "+DeleteSitePath("hello"), func(w http.ResponseWriter, r *http.Request) {
		p.show(w, r, func(v SiteView) templ.Component { return DeleteSite(DeleteSiteView{Shell: v.Shell, Name: v.Name}) })
	})
	mux.HandleFunc("GET "+PathNewSite, func(w http.ResponseWriter, r *http.Request) {
		p.show(w, r, func(v SiteView) templ.Component { return NewSite(NewSiteView{Shell: v.Shell}) })
	})
	none := func(v SiteView) SitesView { return SitesView{Shell: v.Shell} }
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		p.show(w, r, func(v SiteView) templ.Component { return Sites(none(v)) })
	})
	mux.HandleFunc("GET "+PathSitesLive, func(w http.ResponseWriter, r *http.Request) {
		p.show(w, r, func(v SiteView) templ.Component { return SitesLive(none(v)) })
	})
	mux.HandleFunc("GET "+SitePath("hello"), func(w http.ResponseWriter, r *http.Request) { p.show(w, r, Site) })
	mux.HandleFunc("GET "+SiteLivePath("hello"), func(w http.ResponseWriter, r *http.Request) { p.show(w, r, SiteLive) })
	mux.HandleFunc("POST "+UploadPath("hello"), p.upload)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(func() { server.CloseClientConnections() })
	return p, server
}

// stream writes what comes from the channel as it comes.
func stream(kind string, from <-chan string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(http.StatusOK)
		flush := http.NewResponseController(w).Flush
		_ = flush()
		for {
			select {
			case text := <-from:
				_, _ = io.WriteString(w, text)
				_ = flush()
			case <-r.Context().Done():
				return
			}
		}
	}
}

func (p *panel) show(w http.ResponseWriter, r *http.Request, component func(SiteView) templ.Component) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.Header().Set("Content-Security-Policy", PanelPolicy())
	templ.Handler(component(p.view)).ServeHTTP(w, r)
}

func (p *panel) change(fn func(*SiteView)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn(&p.view)
}

// upload takes a zip that begins as one and answers as the real panel does: a redirect, or the page with the fault.
func (p *panel) upload(w http.ResponseWriter, r *http.Request) {
	file, header, err := r.FormFile("file")
	if err != nil {
		http.Error(w, "no file", http.StatusBadRequest)
		return
	}
	content, _ := io.ReadAll(file)
	<-p.release
	if !strings.HasPrefix(string(content), "PK") {
		w.WriteHeader(http.StatusUnprocessableEntity)
		p.show(w, r, func(v SiteView) templ.Component {
			v.UploadFault = "The file is no zip."
			return Site(v)
		})
		return
	}
	p.change(func(v *SiteView) {
		p.uploaded = header.Filename
		v.Notices = []Notice{{NoticeSuccess, "Release 1 is uploaded."}}
		v.Releases = []ReleaseRow{{Number: 1, State: "preparing", CreatedAt: noon}}
	})
	http.Redirect(w, r, SitePath("hello"), http.StatusSeeOther)
}

func zipFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hello.zip")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// holds waits until the expression is true in the page.
func holds(expression string) chromedp.Action {
	return chromedp.Poll(expression, nil, chromedp.WithPollingTimeout(0))
}

// do runs the actions and names the step that failed. Chromium breaks off a navigation when a network of the machine
// comes or goes, as tests with containers make them do; the step is then taken again.
func do(ctx context.Context, t *testing.T, step string, actions ...chromedp.Action) {
	t.Helper()
	err := chromedp.Run(ctx, actions...)
	for err != nil && strings.Contains(err.Error(), "ERR_NETWORK_CHANGED") {
		err = chromedp.Run(ctx, actions...)
	}
	if err != nil {
		t.Fatalf("%s: %v", step, err)
	}
}

// choose uploads the file and returns once the server has all of it. An upload that Chromium breaks off, as in do, is
// begun again.
func choose(ctx context.Context, t *testing.T, file string) {
	t.Helper()
	for {
		var state string
		do(ctx, t, "choose "+filepath.Base(file), chromedp.SetUploadFiles("#file", []string{file}), chromedp.Poll(`(() => {
			if (document.getElementById("file-fault").textContent.includes("broke off")) return "broken";
			return document.querySelector("[data-progress-text]").textContent.includes("Unpacking") ? "sent" : "";
		})()`, &state, chromedp.WithPollingTimeout(0)))
		if state == "sent" {
			return
		}
	}
}

func TestScriptFollowsEvents(t *testing.T) {
	ctx := browser(t)
	p, server := startPanel(t)
	do(ctx, t, "open", chromedp.Navigate(server.URL+SitePath("hello")), holds(`document.querySelector("#site-head .pill").textContent === "Empty"`))
	p.change(func(v *SiteView) { v.State, v.Release = "running", 1 })
	p.events <- "event: site\ndata: another\n\n"
	p.events <- "event: site\ndata: hello\n\n"
	do(ctx, t, "state", holds(`document.querySelector("#site-head .pill").textContent === "Running"`))
	do(ctx, t, "announcement", holds(`document.getElementById("announcer").textContent.includes("release 1")`))
	do(ctx, t, "focus", chromedp.Evaluate(`document.querySelector('[aria-label="Stop hello"]').focus()`, nil))
	p.change(func(v *SiteView) { v.Release = 2 })
	p.events <- "event: site\ndata: hello\n\n"
	do(ctx, t, "focus kept", holds(`document.getElementById("announcer").textContent.includes("release 2")`),
		holds(`document.activeElement.getAttribute("aria-label") === "Stop hello"`))
	p.change(func(v *SiteView) { v.State = "stopped" })
	server.CloseClientConnections()
	do(ctx, t, "reconnection", holds(`document.querySelector("#site-head .pill").textContent === "Stopped"`))
}

func TestScriptUploads(t *testing.T) {
	ctx := browser(t)
	p, server := startPanel(t)
	do(ctx, t, "open", chromedp.Navigate(server.URL+SitePath("hello")), holds(`document.documentElement.classList.contains("js")`))
	choose(ctx, t, zipFile(t, "no zip"))
	p.release <- struct{}{}
	do(ctx, t, "refusal", holds(`document.querySelector("#file-fault:not([hidden])")?.textContent.includes("no zip")`))
	choose(ctx, t, zipFile(t, "PK"+strings.Repeat("x", 1<<20)))
	p.release <- struct{}{}
	do(ctx, t, "notice", holds(`document.querySelector(".notice-ok")?.textContent.includes("Release 1")`), holds(`document.querySelector(".release .pill-busy")`),
		holds(`location.pathname === "/sites/hello"`))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.uploaded != "hello.zip" {
		t.Errorf("uploaded %q", p.uploaded)
	}
}

func TestScriptTakesADroppedFile(t *testing.T) {
	ctx := browser(t)
	p, server := startPanel(t)
	drop := `{const data = new DataTransfer(); data.items.add(new File(["%s"], "%s"));
		document.querySelector("footer").dispatchEvent(new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: data}))}`
	do(ctx, t, "drop a text", chromedp.Navigate(server.URL+SitePath("hello")), chromedp.Evaluate(fmt.Sprintf(drop, "x", "a.txt"), nil),
		holds(`document.getElementById("file-fault").textContent.includes("not a zip")`))
	do(ctx, t, "drop two files", chromedp.Evaluate(strings.Replace(fmt.Sprintf(drop, "PK", "a.zip"), "document.", `data.items.add(new File(["PK"], "b.zip")); document.`, 1), nil),
		holds(`document.getElementById("file-fault").textContent.includes("several files")`))
	do(ctx, t, "drop a folder", chromedp.Evaluate(`{const drop = new Event("drop", {bubbles: true, cancelable: true});
		drop.dataTransfer = {types: ["Files"], files: [new File([], "site")], items: [{webkitGetAsEntry: () => ({isDirectory: true})}]};
		document.querySelector("footer").dispatchEvent(drop)}`, nil),
		holds(`document.getElementById("file-fault").textContent.includes("That is a folder")`))
	do(ctx, t, "drop a page", chromedp.Evaluate(fmt.Sprintf(drop, "PK", "Index.htm"), nil), holds(`!document.querySelector("[data-progress]").hidden`))
	p.release <- struct{}{}
	do(ctx, t, "its notice", holds(`document.querySelector(".notice-ok")`))
	p.change(func(v *SiteView) { v.Notices = nil })
	do(ctx, t, "the page anew", chromedp.Reload(), holds(`!document.querySelector(".notice-ok")`))
	do(ctx, t, "drop a zip", chromedp.Evaluate(fmt.Sprintf(drop, "PK", "a.ZIP"), nil), holds(`!document.querySelector("[data-progress]").hidden`))
	p.release <- struct{}{}
	do(ctx, t, "notice", holds(`document.querySelector(".notice-ok")`))
}

func TestScriptEnablesAndPreviews(t *testing.T) {
	ctx := browser(t)
	_, server := startPanel(t)
	do(ctx, t, "delete", chromedp.Navigate(server.URL+DeleteSitePath("hello")), holds(`document.querySelector("[data-confirm] [type=submit]").disabled`),
		chromedp.SendKeys("#confirm", "hello"), holds(`!document.querySelector("[data-confirm] [type=submit]").disabled`))
	do(ctx, t, "preview", chromedp.Navigate(server.URL+PathNewSite), chromedp.SendKeys("#name", "Shop"), holds(`document.querySelector(".preview strong").innerText === "https://shop.sites.example.org"`))
	do(ctx, t, "theme", chromedp.Click("[data-theme-toggle]"), holds(`document.documentElement.dataset.theme === (matchMedia("(prefers-color-scheme: dark)").matches ? "light" : "dark")`),
		chromedp.Reload(), holds(`document.documentElement.dataset.theme === localStorage.getItem("theme")`))
}

// TestScriptLeavesWhatDidNotChange types the name of the first site, which is in a part of the page that is fetched again.
func TestScriptLeavesWhatDidNotChange(t *testing.T) {
	ctx := browser(t)
	p, server := startPanel(t)
	fetched := func(n int) chromedp.Action {
		return holds(fmt.Sprintf(`performance.getEntriesByType("resource").filter(e => e.name.includes("/live/sites")).length >= %d`, n))
	}
	do(ctx, t, "type", chromedp.Navigate(server.URL), chromedp.Evaluate(`document.querySelector("#name").value = "shop"`, nil), fetched(1))
	p.events <- "event: site\ndata: hello\n\n"
	do(ctx, t, "what is typed stays", fetched(2), holds(`document.querySelector("#name").value === "shop"`))
}

func TestScriptFollowsTheLog(t *testing.T) {
	ctx := browser(t)
	p, server := startPanel(t)
	do(ctx, t, "follow", chromedp.Navigate(server.URL+LogsPath("hello")), chromedp.Click("[data-follow]"), holds(`document.getElementById("log").textContent === ""`))
	p.lines <- "new\n"
	p.lines <- "newer\n"
	do(ctx, t, "lines", holds(`document.getElementById("log").textContent === "new\nnewer\n"`))
	do(ctx, t, "end", chromedp.Click("[data-follow]"), holds(`document.querySelector("[data-follow]").getAttribute("aria-pressed") === "false"`))
}
