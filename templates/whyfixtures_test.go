package templates

import (
	"strings"
	"testing"
)

func siteChecks() []Check {
	return []Check{
		{"ok", "name", "bakery.sites.example.org leads to this server.", ""},
		{"ok", "route", "Visitors of bakery.sites.example.org come to your site.", ""},
		{"ok", "certificate", "bakery.sites.example.org: connections are encrypted. The certificate renews by itself.", ""},
		{
			"fault", "domain", "www.bakery-around-the-corner.example is not in use yet. www.bakery-around-the-corner.example points at 198.51.100.4, which is not this server.",
			"Where bakery-around-the-corner.example is registered, set www.bakery-around-the-corner.example CNAME bakery.sites.example.org.",
		},
		{"fault", "site", "The site is stopped. Visitors see a page that says so.", "Start it on its page."},
		{"warning", "content", "Release 15 is not live: the zip has no index.html. Release 14 goes on.", "Mend what it says, and upload again."},
	}
}

func serverChecks() []Check {
	return []Check{
		{"ok", "servers", "DNS is up at 203.0.113.10:53 and [2001:db8::10]:53.", ""},
		{"warning", "zone", "example.org lacks the address 2001:db8::10 of ns1.sites.example.org.", "Enter it at the registrar, as glue or as the address of a host of the domain."},
		{"fault", "runtime", "The container engine does not answer.", "Start the engine (systemctl start docker). berth takes it up again by itself."},
		{"ok", "disk", "The disk has room: 73.3 GiB left.", ""},
	}
}

func whyPages() []page {
	server := WhyView{Shell: shell("What is wrong?", SectionStatus), Subject: "sites.example.org", Checks: serverChecks()}
	host, well, unknown := server, server, server
	host.Asked, host.Checks = "www.bakery-around-the-corner.example", siteChecks()
	well.Checks = serverChecks()[:1]
	unknown.Asked, unknown.Checks, unknown.Fault = "no name", nil, "There is no such name."
	return []page{
		newPage("why-site", SiteWhy, WhyView{Shell: owner("Something wrong?", SectionSites), Site: "bakery", Subject: "bakery.sites.example.org", Checks: siteChecks()}),
		newPage("why-server", Why, server), newPage("why-host", Why, host), newPage("why-well", Why, well), newPage("why-unknown", Why, unknown),
	}
}

func TestWhySaysHowBadItIs(t *testing.T) {
	for want, levels := range map[string]string{
		"Nothing is wrong": "ok", "It works, with 1 thing to know": "ok warning", "1 thing does not work": "fault warning ok", "2 things do not work": "fault fault",
	} {
		v := WhyView{Site: "hello"}
		for level := range strings.FieldsSeq(levels) {
			v.Checks = append(v.Checks, Check{Level: level, Topic: "site", Sentence: "So it is.", Remedy: strings.Trim(level, "ok")})
		}
		doc := parse(t, SiteWhy(v))
		if got := doc.Find(".verdict h2").Text(); got != want {
			t.Errorf("%s: %q, want %q", levels, got, want)
		}
		if rows, remedies := doc.Find(".check").Length(), doc.Find(".check .remark").Length(); rows != len(v.Checks) || remedies != strings.Count(levels, "warning")+strings.Count(levels, "fault") {
			t.Errorf("%s: %d rows and %d remedies", levels, rows, remedies)
		}
	}
}
