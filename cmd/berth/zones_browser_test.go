package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestZonesInABrowser goes the ways of records and zones as people do, and asks the DNS server what came of it.
func TestZonesInABrowser(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal", "--resolver", freePort(t))
	status, pem, err := get(p.client(nil), p.url("", "/root.crt"))
	if err != nil || status != http.StatusOK {
		t.Fatalf("root of the internal CA: status %d, %v", status, err)
	}
	b := openBrowser(t, []byte(pem))
	b.logIn(p)
	b.createSite(p, "hello")
	b.addsARecord(p)
	b.importsAZoneFile(p)
	b.checksTheDelegation(p)
	b.watchesQueries(p)
}

func click(selector string) chromedp.Action {
	return chromedp.Evaluate(fmt.Sprintf("document.querySelector(%q).click()", selector), nil)
}

func (b *browser) addsARecord(p *process) {
	b.t.Helper()
	const host = "hello." + testZone
	page := p.url("", "/sites/hello/records")
	b.step("choose a type", page, page, `.type-hint[data-type="MX"]`, chromedp.SetValue("#type", "MX", chromedp.ByQuery))
	b.step("add a record", page, page, `.records a[aria-label="Change MX of `+host+`"]`,
		chromedp.SetValue("#type", "MX", chromedp.ByQuery),
		chromedp.SendKeys("#data", "10 mail.example.net", chromedp.ByQuery),
		click(`.record-form button[type=submit]`))
	found, err := p.resolver().LookupMX(context.Background(), host)
	if err != nil || len(found) != 1 || found[0].Host != "mail.example.net." {
		b.t.Errorf("the DNS server answers %v, %v", found, err)
	}
}

func (b *browser) importsAZoneFile(p *process) {
	b.t.Helper()
	page, records := p.url("", "/zones/"+testZone+"/import"), p.url("", "/zones/"+testZone+"/records")
	preview := []chromedp.Action{
		chromedp.SetValue("#text", "imported 300 TXT \"from a file\"\nbroken 300 A nowhere\n", chromedp.ByQuery),
		click(`form[action$="/import"] button[type=submit]`),
	}
	b.step("see what would change", page, page, "#plan .plan-added li", preview...)
	if plan := b.text("#plan"); !strings.Contains(plan, "1 record would be added") || !strings.Contains(plan, "Line 2") {
		b.t.Errorf("the preview reads %q", plan)
	}
	const name = "imported." + testZone
	if found, err := p.resolver().LookupTXT(context.Background(), name); err == nil {
		b.t.Errorf("the preview has changed the zone: %v", found)
	}
	b.step("apply it", page, records, `.records a[aria-label="Change TXT of `+name+`"]`, append(preview,
		chromedp.WaitVisible(`button[formaction$="/apply"]`, chromedp.ByQuery),
		click(`button[formaction$="/apply"]`))...)
	var at string
	if err := chromedp.Run(b.ctx, chromedp.Location(&at)); err != nil || at != records {
		b.t.Errorf("the import ends at %s, %v", at, err)
	}
	if found, err := p.resolver().LookupTXT(context.Background(), name); err != nil || found[0] != "from a file" {
		b.t.Errorf("the DNS server answers %v, %v", found, err)
	}
}

// checksTheDelegation has no parent to ask: its resolver does not answer.
func (b *browser) checksTheDelegation(p *process) {
	b.t.Helper()
	page := p.url("", "/zones/"+testZone)
	b.step("check the delegation", page, page, "#delegation time", click(`form[action$="/check"] button[type=submit]`))
	if found := b.text("#delegation"); !strings.Contains(found, "Unknown") || !strings.Contains(found, "could not be asked") {
		b.t.Errorf("a parent that cannot be asked is told as %q", found)
	}
	if lines := b.text("#ds-lines"); !strings.HasPrefix(lines, testZone+". IN DS ") {
		b.t.Errorf("the DS line is %q", lines)
	}
}

func (b *browser) watchesQueries(p *process) {
	b.t.Helper()
	const name = "watched." + testZone
	b.open(p.url("", "/queries?name="+name))
	if err := chromedp.Run(b.ctx, chromedp.SendKeys("#watched", kb.Enter, chromedp.ByQuery)); err != nil {
		b.t.Fatalf("watch: %v%s", err, b.page())
	}
	eventually(b.t, 10*time.Second, "the log shows a query", func() error {
		_, _ = p.resolver().LookupTXT(context.Background(), name) // there is none; what counts is the question
		if text := b.text("#log"); !strings.Contains(text, "NXDOMAIN TXT  "+name) {
			return fmt.Errorf("the log has %q", text)
		}
		return nil
	})
}
