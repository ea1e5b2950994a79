package panel

import (
	"bytes"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const zoneFile = `$ORIGIN example.org.
$TTL 3600
@ SOA ns1 hostmaster 1 2 3 4 5
@ MX 10 mail
mail A 192.0.2.25
www A 192.0.2.300
`

// sendZone sends the import's form for a preview.
func (b *browser) sendZone(file, text, mode string) {
	b.t.Helper()
	form := b.form("#import-form")
	b.sendImport(form.AttrOr("action", ""), file, url.Values{"text": {text}, "mode": {mode}})
}

// apply sends the import's form by the button below the preview.
func (b *browser) apply(changed url.Values) {
	b.t.Helper()
	b.sendImport(b.page.Find("#plan button[form=import-form]").AttrOr("formaction", ""), "", changed)
}

// sendImport sends the import's form as a browser does: with the ends of lines that forms have.
func (b *browser) sendImport(action, file string, changed url.Values) {
	b.t.Helper()
	values := formValues(b.form("#import-form"))
	maps.Copy(values, changed)
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for name := range values {
		if name != "file" {
			parts.WriteField(name, strings.ReplaceAll(values.Get(name), "\n", "\r\n"))
		}
	}
	if file != "" {
		part, err := parts.CreateFormFile("file", "example.org.zone")
		if err != nil {
			b.t.Fatal(err)
		}
		part.Write([]byte(file))
	}
	parts.Close()
	b.send(http.MethodPost, action, parts.FormDataContentType(), &body)
}

func TestAnImportIsShownBeforeItIsDone(t *testing.T) {
	w := newWorld(t)
	w.zone("example.org")
	w.record("root", "old.example.org", "TXT", "old")
	b := w.login("root")
	b.open("/zones/example.org/import")
	b.sendZone("", " ", "merge")
	b.faults(422, "text", "Choose a zone file")
	before := w.newest().ID
	b.sendZone(zoneFile, "", "replace")
	plan := b.page.Find("#plan")
	for _, want := range []string{
		"2 records would be added, 0 changed and 1 removed", "1 record cannot be imported",
		"Line 3", "Line 6", "192.0.2.300", "example.org. 3600 MX 10 mail.example.org.", "old.example.org.",
	} {
		contains(t, "plan", plan.Text(), want)
	}
	if plan.Find(".plan-added li").Length() != 2 || plan.Find(".plan-removed li").Length() != 1 {
		t.Error("the lists of the preview are not complete")
	}
	if w.newest().ID != before {
		t.Errorf("the preview has changed something: %+v", w.newest())
	}

	w.record("root", "late.example.org", "TXT", "late")
	b.apply(nil)
	if b.page.status != 409 || !strings.Contains(b.page.Find("#plan .notice").Text(), "changed since the preview") {
		t.Fatalf("applying what has changed answers %d: %s", b.page.status, b.page.Find("#plan").Text())
	}
	contains(t, "new plan", b.page.Find(".plan-removed").Text(), "late.example.org.")
	b.apply(url.Values{"mode": {"all"}})
	b.faults(422, "text", "merge or replace")
	if got := b.page.Find("#text").Text(); got != zoneFile {
		t.Errorf("the file that was refused is lost: %q", got)
	}
	b.sendZone("", zoneFile, "replace")
	b.apply(url.Values{"text": {zoneFile + "more A 192.0.2.26\n"}})
	if b.page.status != 409 {
		t.Errorf("a file that was changed after the preview is applied with %d", b.page.status)
	}
	b.sendZone("", zoneFile, "replace")
	b.apply(nil)
	b.says(200, "2 records added, 0 records changed, 2 records removed")
	if e := w.newest(); e.Action != "zone.import" || e.Actor != "root" {
		t.Errorf("the audit log ends with %+v", e)
	}
	if b.page.path != "/zones/example.org/records" || b.page.Find(".records tbody tr").Length() != 2 {
		t.Errorf("the import ends at %s", b.page.path)
	}
	b.open("/zones/example.org/import")
	b.sendZone("", zoneFile, "merge")
	contains(t, "second import", b.page.Find("#plan").Text(), "Nothing would change")
	if b.page.Find("button[formaction]").Length() != 0 {
		t.Error("nothing is offered to be applied")
	}
}

func TestExportComesBackAsItWas(t *testing.T) {
	w := newWorld(t)
	w.zone("example.org")
	w.record("root", "example.org", "TXT", `"a \"quoted\" text" "and another"`)
	w.record("root", "example.org", "MX", "10 mail.example.net")
	b := w.login("root")
	p := b.open("/zones/example.org/export")
	if p.status != 200 || p.header.Get("Content-Type") != "text/dns; charset=utf-8" || p.header.Get("Content-Disposition") != `attachment; filename="example.org.zone"` {
		t.Fatalf("%d %v", p.status, p.header)
	}
	file := p.body
	if a := w.call(w.token("root"), "GET", "/api/v1/zones/example.org/export", "", ""); a.body != file {
		t.Error("the API exports something else")
	}
	b.open("/zones/example.org/import")
	b.sendZone(file, "", "replace")
	contains(t, "import of the export", b.page.Find("#plan").Text(), "Nothing would change")
}

func TestZoneFilesAreBounded(t *testing.T) {
	w := newWorld(t)
	w.zone("example.org")
	b := w.login("root")
	b.open("/zones/example.org/import")
	huge := strings.Repeat("; a comment that takes room\n", maxZoneFile/28+1)
	b.sendZone(huge, "", "merge")
	b.faults(422, "text", "larger than 4 MB")
	token := w.token("root")
	w.call(token, "POST", "/api/v1/zones/example.org/import", "text/dns", huge).problem(t, 413, "larger than 4 MB")
}

func TestAZoneFileThatFitsCanBeApplied(t *testing.T) {
	w := newWorld(t)
	w.zone("example.org")
	b := w.login("root")
	b.open("/zones/example.org/import")
	b.sendZone("www 300 A 192.0.2.1\n"+strings.Repeat(";\n", maxZoneFile/2-20), "", "merge")
	contains(t, "plan", b.page.Find("#plan").Text(), "1 record would be added")
	b.apply(nil)
	b.says(200, "1 record added")
}

func TestAPIImports(t *testing.T) {
	w := newWorld(t)
	w.zone("example.org")
	token := w.token("root")
	ask := func(query, kind string) answer {
		return w.call(token, "POST", "/api/v1/zones/example.org/import"+query, kind, zoneFile)
	}
	ask("", "application/json").problem(t, 415, "text/dns")
	ask("?dry_run=2", "text/dns").problem(t, 422, "dry_run")
	ask("?mode=all", "text/dns").problem(t, 422, "merge or replace")
	plan := ask("?dry_run=1", "text/dns")
	added, _ := plan.json["added"].([]any)
	faults, _ := plan.json["faults"].([]any)
	if plan.status != 200 || plan.json["applied"] != false || len(added) != 2 || len(faults) != 2 {
		t.Fatalf("dry run: %d %s", plan.status, plan.body)
	}
	if fault, _ := faults[0].(map[string]any); fault["line"] != 3.0 || fault["note"] != true {
		t.Errorf("the first fault is %v", faults[0])
	}
	ask("?hash=other", "text/dns").problem(t, 409, "since the preview")
	if a := ask(fmt.Sprintf("?hash=%v", plan.json["hash"]), "text/dns"); a.status != 200 || a.json["applied"] != true {
		t.Errorf("applying: %d %s", a.status, a.body)
	}
	if a := ask("", "text/plain"); a.status != 200 || a.json["unchanged"] != 2.0 {
		t.Errorf("once more: %d %s", a.status, a.body)
	}
}
