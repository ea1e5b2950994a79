package templates

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser starts a headless Chromium, or skips where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("BERTH_REQUIRE"), ","), "chromium") {
			t.Fatal("chromium is required and not installed")
		}
		t.Skip("chromium is not installed")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("hide-scrollbars", true))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(stop)
	if err := chromedp.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// serve offers every page under its name, with the policy that it must work under.
func serve(t *testing.T, list []page) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("GET "+PathAssets, Assets())
	mux.HandleFunc("GET "+PathEvents, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /live/", func(http.ResponseWriter, *http.Request) {})
	for _, p := range list {
		policy := PanelPolicy()
		if p.visitor {
			policy = VisitorPolicy()
		}
		mux.HandleFunc("GET /page/"+p.name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", policy)
			templ.Handler(p.full).ServeHTTP(w, r)
		})
		mux.HandleFunc("GET /hostile/"+p.name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", policy)
			templ.Handler(p.hostile).ServeHTTP(w, r)
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// complaints collects what the browser has to say about the pages: errors of scripts, policies and loading.
type complaints struct {
	mu   sync.Mutex
	list []string
}

func (c *complaints) listen(ctx context.Context) {
	chromedp.ListenTarget(ctx, func(event any) {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
				c.list = append(c.list, e.Entry.Text+" "+e.Entry.URL)
			}
		case *runtime.EventExceptionThrown:
			c.list = append(c.list, e.ExceptionDetails.Error())
		}
	})
}

func (c *complaints) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

func documents() []page {
	return slices.DeleteFunc(pages(), func(p page) bool { return p.fragment })
}

// TestGallery opens every page in a browser at the widths of a phone and of a desk. With BERTH_SCREENSHOTS it writes
// a picture of each into that directory, in light and dark.
func TestGallery(t *testing.T) {
	ctx := browser(t)
	list := documents()
	server := serve(t, list)
	var heard complaints
	heard.listen(ctx)
	for _, p := range list {
		for _, address := range []string{"/page/" + p.name, "/hostile/" + p.name} {
			checkWidths(ctx, t, server.URL+address)
			for _, complaint := range heard.take() {
				t.Errorf("%s: the browser complains: %s", address, complaint)
			}
		}
		if dir := os.Getenv("BERTH_SCREENSHOTS"); dir != "" {
			photograph(ctx, t, server.URL+"/page/"+p.name, filepath.Join(dir, p.name))
		}
	}
}

func checkWidths(ctx context.Context, t *testing.T, address string) {
	t.Helper()
	if err := chromedp.Run(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	for _, width := range []int64{360, 768, 1280} {
		var over, cut int
		var widest, small string
		err := chromedp.Run(ctx,
			chromedp.EmulateViewport(width, 800), holds(fmt.Sprintf("innerWidth === %d", width)),
			chromedp.Evaluate(`document.documentElement.scrollWidth - innerWidth`, &over),
			chromedp.Evaluate(`[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + "." + e.getAttribute("class")).slice(0, 3).join(" ")`, &widest),
			chromedp.Evaluate(smallTargets, &small),
			chromedp.Evaluate(`[...document.querySelectorAll(".table-frame")].filter(e => e.scrollWidth > e.clientWidth).length`, &cut),
		)
		if err != nil {
			t.Fatalf("%s at %d: %v", address, width, err)
		}
		if over > 0 {
			t.Errorf("%s at %d pixels is %d pixels too wide: %s", address, width, over, widest)
		}
		if width == 1280 && cut > 0 && strings.Contains(address, "/page/") {
			t.Errorf("%s has a table that does not fit a desk's width", address)
		}
		if width == 360 && small != "" {
			t.Errorf("%s has controls too small for a finger: %s", address, small)
		}
	}
}

// smallTargets lists buttons, inputs and menu entries under 44 pixels; links inside text may be smaller.
const smallTargets = `[...document.querySelectorAll("button, .button, select, input:not([type=hidden]):not([type=file]):not([type=checkbox]):not([type=radio]), .tick, .nav a, .menu summary, .back")]
	.filter(e => e.getClientRects().length > 0 && e.getBoundingClientRect().height < 43.5)
	.map(e => e.tagName + " " + e.textContent.trim() + " " + e.getBoundingClientRect().height).join(", ")`

func photograph(ctx context.Context, t *testing.T, address, path string) {
	t.Helper()
	for _, theme := range []string{"light", "dark"} {
		for _, size := range []struct {
			name          string
			width, height int64
			mobile        bool
		}{{"phone", 390, 844, true}, {"desk", 1280, 900, false}} {
			var picture []byte
			options := []chromedp.EmulateViewportOption{}
			if size.mobile {
				options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
			}
			err := chromedp.Run(ctx,
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}),
				chromedp.EmulateViewport(size.width, size.height, options...), chromedp.Navigate(address),
				chromedp.FullScreenshot(&picture, 100),
			)
			if err != nil {
				t.Fatalf("%s: %v", address, err)
			}
			if err := os.WriteFile(path+"-"+size.name+"-"+theme+".png", picture, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
