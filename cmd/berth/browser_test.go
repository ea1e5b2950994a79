package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// browser is a headless Chromium that finds every name of the zone on loopback and trusts one more root.
type browser struct {
	ctx context.Context
	t   testing.TB
}

func openBrowser(t testing.TB, rootPEM []byte) *browser {
	t.Helper()
	chromium, chromiumErr := exec.LookPath("chromium")
	certutil, certutilErr := exec.LookPath("certutil")
	need(t, "chromium", errors.Join(chromiumErr, certutilErr))
	home := t.TempDir()
	trust(t, certutil, home, rootPEM)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium),
		chromedp.NoSandbox,
		chromedp.Env("HOME="+home),
		chromedp.UserDataDir(filepath.Join(home, "profile")),
		chromedp.Flag("host-resolver-rules", "MAP * 127.0.0.1"),
		chromedp.WindowSize(1280, 900),
	)
	ctx, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancelBrowser := chromedp.NewContext(ctx)
	ctx, cancelTimeout := context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits until the process is gone
		cancelTimeout()
		cancelBrowser()
		cancelAllocator()
	})
	if err := chromedp.Run(ctx); err != nil { // the browser lives as long as the context that it was first used with
		t.Fatalf("start chromium: %v", err)
	}
	return &browser{ctx, t}
}

// trust puts a root into the certificate store that Chromium reads on Linux.
func trust(t testing.TB, certutil, home string, rootPEM []byte) {
	t.Helper()
	dir := filepath.Join(home, ".pki", "nssdb")
	pem := filepath.Join(home, "root.pem")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(pem, rootPEM, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-N", "--empty-password"},
		{"-A", "-n", "test root", "-t", "C,,", "-i", pem},
	} {
		if out, err := exec.Command(certutil, append(args, "-d", "sql:"+dir)...).CombinedOutput(); err != nil {
			t.Fatalf("certutil %v: %v: %s", args, err, out)
		}
	}
}

// interruptions is how often a step is taken up again.
const interruptions = 5

// step goes to a page, acts there and waits until an element shows. A container that comes or goes changes the machine's network,
// at which Chromium drops what is under way: the step then looks at the page where it leads to, and is taken again where that
// does not show the element either.
func (b *browser) step(what, from, to, goal string, actions ...chromedp.Action) {
	b.t.Helper()
	err := b.attempt(from, goal, actions...)
	for range interruptions {
		if err == nil || !b.interrupted() {
			break
		}
		if err = b.attempt(to, goal); err != nil {
			err = b.attempt(from, goal, actions...)
		}
	}
	if err != nil {
		b.t.Fatalf("browser: %s: %v%s", what, err, b.page())
	}
}

func (b *browser) attempt(url, goal string, actions ...chromedp.Action) error {
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Run(ctx, append([]chromedp.Action{chromedp.Navigate(url)}, actions...)...); err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var shows bool
		shown := fmt.Sprintf("document.querySelector(%q)?.offsetParent != null", goal)
		if err := chromedp.Run(ctx, chromedp.Evaluate(shown, &shows)); err == nil && shows {
			return nil
		}
		if b.interrupted() {
			return errors.New("interrupted")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s does not show: %w", goal, ctx.Err())
		}
	}
}

// interrupted reports whether the browser shows an error of its own instead of a page.
func (b *browser) interrupted() bool {
	var at string
	return chromedp.Run(b.ctx, chromedp.Location(&at)) == nil && strings.HasPrefix(at, "chrome-error:")
}

// page describes what the browser shows, for a failure's message.
func (b *browser) page() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	var url, text string
	if chromedp.Run(ctx, chromedp.Location(&url), chromedp.Text("body", &text, chromedp.ByQuery)) != nil {
		return ""
	}
	return fmt.Sprintf("\nat %s:\n%s", url, text)
}

// open navigates and returns the answer with what the browser found out about its certificate.
func (b *browser) open(url string) *network.Response {
	b.t.Helper()
	resp, err := chromedp.RunResponse(b.ctx, chromedp.Navigate(url))
	for range interruptions {
		if err == nil || !strings.Contains(err.Error(), "ERR_NETWORK_CHANGED") {
			break
		}
		resp, err = chromedp.RunResponse(b.ctx, chromedp.Navigate(url))
	}
	if err != nil {
		b.t.Fatalf("browser: open %s: %v", url, err)
	}
	return resp
}

func (b *browser) text(selector string) (text string) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, chromedp.Text(selector, &text, chromedp.ByQuery)); err != nil {
		b.t.Fatalf("browser: read %s: %v%s", selector, err, b.page())
	}
	return text
}

// logIn uses the form as a person would.
func (b *browser) logIn(p *process) {
	b.t.Helper()
	b.step("log in", p.url("", "/"), p.url("", "/"), `form[action="/logout"]`,
		chromedp.SendKeys(`input[name=account]`, "admin", chromedp.ByQuery),
		chromedp.SendKeys(`input[name=password]`, testPassword, chromedp.ByQuery),
		chromedp.Click(`form[action="/login"] button[type=submit]`, chromedp.ByQuery),
	)
}

// createSite goes through the panel's form and ends on the site's page.
func (b *browser) createSite(p *process, name string) {
	b.t.Helper()
	b.step("create "+name, p.url("", "/new"), p.url("", "/sites/"+name), `form[data-upload]`,
		chromedp.SendKeys(`input[name=name]`, name, chromedp.ByQuery),
		chromedp.Click(`form[action="/new"] button[type=submit]`, chromedp.ByQuery),
	)
}

// upload chooses a zip; the page's script sends it and shows how far the release has come.
func (b *browser) upload(p *process, name string, zip []byte) {
	b.t.Helper()
	path := filepath.Join(b.t.(interface{ TempDir() string }).TempDir(), "site.zip")
	if err := os.WriteFile(path, zip, 0o600); err != nil {
		b.t.Fatal(err)
	}
	page := p.url("", "/sites/"+name)
	b.step("upload", page, page, `.release-active`, chromedp.SetUploadFiles(`input[name=file]`, []string{path}, chromedp.ByQuery))
}

// press uses a site's button and waits for the one that takes its place. The click is one step inside the page, which renders
// the buttons anew whenever the site changes.
func (b *browser) press(p *process, name, action, next string) {
	b.t.Helper()
	button := func(action string) string { return fmt.Sprintf(`form[action="/sites/%s/%s"] button`, name, action) }
	page := p.url("", "/sites/"+name)
	b.step(action, page, page, button(next),
		chromedp.WaitVisible(button(action), chromedp.ByQuery),
		chromedp.Evaluate(fmt.Sprintf("document.querySelector(%q)?.click()", button(action)), nil),
	)
}
