package templates

import (
	"bytes"
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/a-h/templ"
)

// page is a component with views to try it on.
type page struct {
	name     string
	visitor  bool // a visitor page
	fragment bool // not a whole document
	full     templ.Component
	zero     templ.Component
	hostile  templ.Component
}

func newPage[V any](name string, component func(V) templ.Component, full V) page {
	var zero, hostile V
	fill(reflect.ValueOf(&hostile).Elem())
	return page{name: name, full: component(full), zero: component(zero), hostile: component(hostile)}
}

// hostileText would do harm wherever it is not escaped.
const hostileText = `"><script>alert(1)</script><img src=x onerror=alert(1) style='color:red'> ' javascript:alert(1) ` +
	"\u202e\x00 averyveryveryveryverylongwordwithoutanyplacetobreakitaveryveryveryveryverylongword"

// fill sets every string to hostileText, every number to an odd one, and gives every slice two elements.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostileText)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(-1 << 40)
	case reflect.Float64:
		v.SetFloat(-1e300)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(Faults{"name": hostileText, "password": hostileText, "confirm": hostileText, "label": hostileText, "data": hostileText, "from": hostileText, "allow": hostileText, "down_page": hostileText, "canonical": hostileText}))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	default:
		panic("the views should hold nothing of kind " + v.Kind().String())
	}
}

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) time.Time { return noon.Add(-d) }

const day = 24 * time.Hour

func shell(title string, section Section, list ...Notice) Shell {
	return Shell{Title: title, Zone: "sites.example.org", Account: "alice", Admin: true, Section: section, Notices: list, Now: noon}
}

// owner is the shell of someone who is no admin.
func owner(title string, section Section, list ...Notice) Shell {
	s := shell(title, section)
	s.Admin, s.Account, s.Notices = false, "marie", list
	return s
}

func certificate(name, state string) Certificate {
	c := Certificate{Host: name + ".sites.example.org", State: state}
	switch state {
	case "valid":
		c.Issuer, c.Serial = "Let's Encrypt R11", "04a3f19c22bd7731e0a90c5518fe21c8d2aa"
		c.NotBefore, c.NotAfter, c.Renewal = before(12*day), noon.Add(78*day), noon.Add(48*day)
	case "pending", "wildcard":
		c.Issuer, c.NotAfter, c.Renewal = "Let's Encrypt R11", noon.Add(61*day), noon.Add(31*day)
	case "failed":
		c.Issuer, c.NotAfter = "Let's Encrypt R11", noon.Add(61*day)
		c.LastError = "The authority allows no more orders this week; the next try is on 17 March."
	}
	c.Sentence = "Connections are encrypted. The certificate renews by itself."
	return c
}

func siteRows() []SiteRow {
	row := func(name, ownerName, state string, release int, age time.Duration, cert, instance string) SiteRow {
		r := SiteRow{
			Name: name, URL: "https://" + name + ".sites.example.org", Owner: ownerName, State: state, Release: release,
			Certificate: certificate(name, cert),
		}
		if instance != "" {
			r.Instances = []InstanceRow{{Address: instance, Answers: true, StartedAt: before(age)}}
		}
		if release > 0 {
			r.ReleaseAt, r.Bytes = before(age), 3_400_000
		}
		return r
	}
	rows := []SiteRow{
		row("bakery", "marie", "running", 14, 2*time.Hour, "valid", "10.1.0.6:8080"),
		row("choir-spring-concert-2026", "marie", "starting", 1, time.Minute, "pending", ""),
		row("docs", "tom", "running", 132, 40*day, "valid", "10.1.0.9:8080"),
		row("hello", "marie", "empty", 0, 0, "pending", ""),
		row("old-shop", "marie", "stopped", 3, 200*day, "valid", ""),
		row("portfolio", "tom", "failed", 2, 3*day, "failed", ""),
		row("the-longest-name-that-somebody-could-think-of-for-one-site-here", "margarethe.von-hohenstein", "running", 1, day, "valid", "10.1.0.12:8080"),
	}
	rows[5].Reason = "The instance ended by itself right after its start."
	rows[6].Maintenance = true
	return rows
}

func activity() []ActivityRow {
	row := func(age time.Duration, actor, action, subject, detail string) ActivityRow {
		e := ActivityRow{At: before(age), Actor: actor, Origin: "203.0.113.17", Action: action, Subject: subject, Detail: detail}
		if actor == "berth" {
			e.Origin = "berth"
		}
		return e
	}
	return []ActivityRow{
		row(2*time.Hour, "berth", "release.live", "bakery", "release 14"),
		row(2*time.Hour, "marie", "release.upload", "bakery", "release 14, 38 files, 3.2 MB"),
		row(26*time.Hour, "marie", "site.restart", "bakery", ""),
		row(3*day, "berth", "release.fail", "portfolio", "release 3: The instance ended by itself right after its start."),
		row(8*day, "alice", "record.add", "sites.example.org", `2026._domainkey.sites.example.org 3600 TXT "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu7oP4cDkQ0f0w1lHn4pVtZqMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu7oP4cDkQ0f0w1lHn4pVtZq"`),
		row(9*day, "alice", "account.create", "tom", "owner"),
	}
}

func siteView() SiteView {
	return SiteView{
		Shell: owner("bakery", SectionSites, Notice{NoticeSuccess, "Release 14 is uploaded and goes live by itself."}),
		Name:  "bakery", URL: "https://bakery.sites.example.org", State: "running", Owner: "marie", Release: 14,
		Releases: []ReleaseRow{
			{Number: 15, State: "preparing", Files: 40, Bytes: 3_500_000, CreatedBy: "marie", CreatedAt: before(20 * time.Second)},
			{
				Number: 14, State: "ready", Active: true, Files: 38, Bytes: 3_400_000, CreatedBy: "marie", CreatedAt: before(2 * time.Hour),
				Warning: "There is no index.html at the top, so visitors of the bare address see the page for missing files.",
				Remarks: []Remark{
					{File: "_redirects", Line: 4, Sentence: "A rule with status 200 answers with a file of this site. Another site's pages are not fetched; a redirect, such as 302, can lead there."},
					{File: "_headers", Line: 12, Sentence: "Passwords are not kept in a release. Set one for the site in the panel, under Settings → password."},
				},
			},
			{Number: 13, State: "failed", CreatedBy: "marie", CreatedAt: before(3 * time.Hour), Reason: "The entry “../../etc/passwd” leads out of the site's folder."},
			{Number: 12, State: "ready", Files: 36, Bytes: 3_300_000, CreatedBy: "tom", CreatedAt: before(9 * day), ActivatedAt: before(9 * day), Remarks: manyRemarks()},
			{Number: 11, State: "ready", Files: 1, Bytes: 812, CreatedBy: "marie", CreatedAt: before(70 * day), ActivatedAt: before(70 * day)},
		},
		Certificates: []Certificate{certificate("bakery", "valid")},
		Instances:    []InstanceRow{{Address: "10.1.0.6:8080", Answers: true, StartedAt: before(2 * time.Hour)}}, Wanted: 1, MemoryMB: 128, CPUs: 0.5, CreatedAt: before(200 * day),
		Activity: activity()[:3], MaxBytes: 200 << 20, MaxUnpacked: 500 << 20, MaxFiles: 20000,
	}
}

func manyRemarks() []Remark {
	list := []Remark{{File: "_headers", Sentence: "The file is stored as UTF-16, so none of it has an effect. Save it as UTF-8."}}
	for line := range 7 {
		list = append(list, Remark{File: "_redirects", Line: line + 1, Sentence: "The line has no target, which begins with /, https:// or http://."})
	}
	return list
}

func emptySite() SiteView {
	v := siteView()
	v.Shell = owner("hello", SectionSites, Notice{NoticeSuccess, "hello.sites.example.org is yours. Upload a zip to fill it."})
	v.Name, v.URL, v.State, v.Release, v.Releases = "hello", "https://hello.sites.example.org", "empty", 0, nil
	v.Certificates, v.Instances, v.CreatedAt = []Certificate{certificate("hello", "pending")}, nil, before(time.Second)
	v.Activity = []ActivityRow{{At: before(time.Second), Actor: "marie", Action: "site.create", Subject: "hello"}}
	return v
}

// severalInstances is a site one of whose instances fails, as an admin sees it.
func severalInstances() SiteView {
	v := siteView()
	v.Shell, v.Wanted = shell("bakery", SectionSites), 4
	v.Reason = "The site's program ended while it started, with exit code 1."
	v.Instances = []InstanceRow{
		{Address: "10.1.0.6:8080", Answers: true, StartedAt: before(2 * time.Hour)},
		{Address: "10.1.0.7:8080", StartedAt: before(2 * time.Hour)},
		{Address: "10.1.0.31:8080", Answers: true, StartedAt: before(time.Minute)},
	}
	return v
}

func siteInMaintenance() SiteView {
	v := siteView()
	v.Shell, v.Maintenance, v.Protected, v.Restricted = owner("bakery", SectionSites), true, true, true
	return v
}

func failedSite() SiteView {
	v := siteView()
	v.Shell = shell("portfolio", SectionSites)
	v.Name, v.URL, v.State, v.Release = "portfolio", "https://portfolio.sites.example.org", "failed", 14
	v.Reason = "The instance ended by itself right after its start. The next try is in 40 seconds."
	v.UploadFault = "The entry “a.lnk” is a link, and links are not allowed."
	v.Certificates = []Certificate{certificate("portfolio", "failed")}
	return v
}

func siteWithAnUpload() SiteView {
	v := emptySite()
	v.Notices = []Notice{{NoticeSuccess, "The upload has arrived and is being unpacked. Below you see what becomes of it."}}
	v.Unsettled, v.Unpacking, v.Lost = true, true, "The server’s disk is full, so nothing was changed."
	return v
}

func statusView() StatusView {
	return StatusView{
		Shell: shell("Status", SectionStatus), Version: "0.1.0", StartedAt: before(9 * day), Revision: 18233, Ready: true,
		Host: HostMeters{
			Name: "host1", System: "Debian 12, Linux 6.1", CPUs: 4, CPUPercent: 17.3, Load: 0.62, MemoryUsed: 2_900_000_000,
			MemoryTotal: 8_200_000_000, DiskUsed: 61_000_000_000, DiskTotal: 80_000_000_000, DiskPath: "/var/lib/berth", OwnMemory: 48_000_000, UpSince: before(80 * day),
		},
		Servers: []Server{
			{Name: "Web", Addresses: []string{"0.0.0.0:80", "0.0.0.0:443", "[::]:80", "[::]:443"}, Counters: []Counter{{"Requests", 1834221}, {"In flight", 3}, {"Errors", 12}}},
			{Name: "DNS", Addresses: []string{"198.51.100.7:53", "[2001:db8::7]:53"}, Counters: []Counter{{"Queries", 90233}, {"Refused", 1200}}, Groups: []CounterGroup{
				{"By type", []Counter{{"A", 51200}, {"AAAA", 24022}, {"HTTPS", 9120}, {"MX", 411}, {"TXT", 390}, {"NS", 203}, {"DNSKEY", 88}, {"other", 12}}},
				{"By answer", []Counter{{"NOERROR", 88001}, {"NXDOMAIN", 1032}, {"REFUSED", 1200}}},
				{"By transport", []Counter{{"UDP", 89001}, {"TCP", 1201}, {"TLS", 31}}},
			}},
			{Name: "Certificates", Counters: []Counter{{"Managed", 131}, {"Orders waiting", 1}, {"Orders failed", 1}}},
		},
		Runtime: Runtime{Name: "docker", Version: "28.5.2", Why: "docker, because the engine answers", Instances: 2},
		Sites:   SiteCounts{Total: 6, Running: 2, Starting: 1, Stopped: 1, Failed: 1, Empty: 1}, Authority: "Let's Encrypt",
		RootURL:      "/ca.pem",
		Certificates: []Certificate{{Host: "*.sites.example.org", State: "valid", Issuer: "Let's Encrypt R11", NotAfter: noon.Add(61 * day), Renewal: noon.Add(31 * day)}, certificate("bakery", "valid"), certificate("hello", "pending"), certificate("portfolio", "failed")},
	}
}

func certificatesView() CertificatesView {
	wildcard := Certificate{
		Host: "*.sites.example.org", State: "valid", Authority: "Let's Encrypt", Issuer: "E7", Names: []string{"*.sites.example.org"},
		NotBefore: before(86 * day), NotAfter: noon.Add(4 * day), Renewal: before(26 * day), Expiring: true,
		LastError: "The certificate authority has trouble of its own.",
	}
	custom := Certificate{
		Host: "www.a-rather-long-name-of-a-bakery.example.com", State: "failed", Authority: "Let's Encrypt",
		LastError: "The certificate authority did not reach this server at www.a-rather-long-name-of-a-bakery.example.com; does the domain lead here, and can ports 80 and 443 be reached from everywhere?",
	}
	own, waiting := certificate("bakery", "valid"), certificate("hello", "pending")
	own.Authority, own.Names, waiting.Names = "acme.second-authority.example", []string{own.Host}, []string{"*.sites.example.org"}
	list := []Certificate{custom, wildcard, waiting, own}
	return CertificatesView{
		Shell: shell("Certificates", SectionStatus, Notice{NoticeSuccess, "A new certificate for bakery.sites.example.org is being ordered."}), Certificates: list,
		Budgets: []CertificateBudget{{"Let's Encrypt", "example.org", 47, 50, true}, {"Let's Encrypt", "example.com", 1, 50, false}, {"acme.second-authority.example", "example.org", 3, 0, false}},
		Paging:  Paging{Page: 1, Pages: 2, Found: 131, All: 131},
	}
}

func certificatesFound() CertificatesView {
	v := CertificatesView{Shell: shell("Certificates", SectionStatus), Paging: Paging{Query: "zebra", Page: 1, Pages: 1, All: 131}, RootURL: "/root.crt"}
	return v
}

func healthy() StatusView {
	v := statusView()
	v.Servers[1].Groups = nil
	v.Certificates, v.Sites = v.Certificates[:3], SiteCounts{Total: 6, Running: 4, Stopped: 1, Empty: 1}
	return v
}

func accountRows() []AccountRow {
	return []AccountRow{
		{Name: "alice", Role: "admin", Quota: QuotaUse{Sites: 0}, CreatedAt: before(400 * day)},
		{Name: "marie", Role: "owner", Quota: QuotaUse{Sites: 4, MaxSites: 10, Bytes: 130 << 20, MaxBytes: 2 << 30}, CreatedAt: before(200 * day)},
		{Name: "tom", Role: "owner", Quota: QuotaUse{Sites: 2, MaxSites: 10, Bytes: 1900 << 20, MaxBytes: 2 << 30}, CreatedAt: before(9 * day)},
	}
}

var quotaOfMarie = QuotaUse{Sites: 4, MaxSites: 10, Bytes: 130 << 20, MaxBytes: 2 << 30}

const logLines = `2026-03-14T11:58:01Z GET / 200 5120 B 1.2 ms
2026-03-14T11:58:01Z GET /style.css 200 2301 B 0.3 ms
2026-03-14T11:59:40Z GET /menu 304 0 B 0.2 ms
2026-03-14T11:59:44Z GET /a-rather-long-address/that-goes-on/and-on/until-it-is-wider-than-any-phone.html?with=a&query=too 404 912 B 0.4 ms
`

// pages is every component on realistic, zero and hostile views.
func pages() []page {
	list := slices.Concat(ownerPages(), settingsPages(), adminPages(), zonePages(), domainPages(), trafficPages(), whyPages())
	for name, component := range map[string]func(string) templ.Component{
		"visitor-unknown": VisitorUnknownHost, "visitor-stopped": VisitorStopped, "visitor-placeholder": VisitorPlaceholder,
		"visitor-starting": VisitorStarting, "visitor-down": VisitorDown,
		"visitor-maintenance": VisitorMaintenance, "visitor-unauthorized": VisitorUnauthorized, "visitor-forbidden": VisitorForbidden,
		"visitor-too-many":  VisitorTooMany,
		"visitor-too-large": func(host string) templ.Component { return VisitorTooLarge(host, 25) },
	} {
		p := newPage(name, component, "hello.sites.example.org")
		p.visitor = true
		list = append(list, p)
	}
	return list
}

func ownerPages() []page {
	rows := siteRows()
	mine := SitesView{Shell: owner("My sites", SectionSites, Notice{NoticeSuccess, "old-shop is stopped."}), Sites: []SiteRow{rows[0], rows[1], rows[3], rows[4], rows[5]}, Quota: quotaOfMarie, Paging: Paging{Page: 1, Pages: 1, Found: 5, All: 5}}
	many := mine
	many.Paging = Paging{Query: "o", Page: 2, Pages: 4, Found: 320, All: 10_000}
	list := []page{
		newPage("login", Login, LoginView{Shell: Shell{Title: "Log in", Zone: "sites.example.org"}}),
		newPage("login-failed", Login, LoginView{Shell: Shell{Title: "Log in", Zone: "sites.example.org"}, AccountName: "marie", Next: "/sites/bakery", Fault: "Name or password is wrong."}),
		newPage("sites", Sites, mine),
		newPage("sites-many", Sites, many),
		newPage("sites-not-found", Sites, SitesView{Shell: owner("My sites", SectionSites), Quota: quotaOfMarie, Paging: Paging{Query: "zebra", Page: 1, Pages: 1, All: 4}}),
		newPage("sites-none", Sites, SitesView{Shell: owner("My sites", SectionSites), Quota: QuotaUse{MaxSites: 10, MaxBytes: 2 << 30}}),
		newPage("new", NewSite, NewSiteView{Shell: owner("New site", SectionSites), Quota: quotaOfMarie}),
		newPage("new-refused", NewSite, NewSiteView{Shell: owner("New site", SectionSites), Name: "bakery", Faults: Faults{"name": "The name “bakery” is taken. Choose another one."}, Quota: quotaOfMarie}),
		newPage("site", Site, siteView()),
		newPage("site-empty", Site, emptySite()),
		newPage("site-unpacking", Site, siteWithAnUpload()),
		newPage("site-failed", Site, failedSite()),
		newPage("site-several", Site, severalInstances()),
		newPage("site-maintenance", Site, siteInMaintenance()),
		newPage("logs", Logs, LogsView{Shell: owner("Logs of bakery", SectionSites), Name: "bakery", Text: logLines, Tail: 100}),
		newPage("logs-none", Logs, LogsView{Shell: owner("Logs of hello", SectionSites), Name: "hello", Tail: 100, Reason: "hello is not running, so there is no output to show."}),
		newPage("delete", DeleteSite, DeleteSiteView{Shell: owner("Delete bakery", SectionSites), Name: "bakery", Host: "bakery.sites.example.org", Releases: 14}),
		newPage("account", Account, AccountView{
			Shell: owner("Account", SectionAccount), Role: "owner", Quota: quotaOfMarie, NewToken: "berth_5fQ2mXo1y7tVwZ0nKc3LrJd8HsUeGaBp",
			Tokens: []TokenRow{{1, "build server", before(90 * day), before(3 * time.Hour)}, {2, "laptop", before(time.Minute), time.Time{}}},
		}),
		newPage("login-code", LoginCode, LoginCodeView{Shell: Shell{Title: "Log in", Zone: "sites.example.org"}, Next: "/sites/bakery", Fault: "This code is wrong, or was used before. Wait for the app's next one."}),
		newPage("two-step-off", TwoStep, TwoStepView{
			Shell: owner("Two-step login", SectionAccount), Key: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP", URI: "//totp/sites.example.org:marie?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=sites.example.org", QR: QR{Size: 29, Path: "M4 4h7v7h-7zM18 4h7v7h-7zM4 18h7v7h-7zM12 12h1v1h-1z"},
			Faults: Faults{"code": "This is not the code that the app shows now. Is the clock of the phone right?"},
		}),
		newPage("two-step-on", TwoStep, TwoStepView{Shell: owner("Two-step login", SectionAccount, Notice{NoticeSuccess, "Two-step login is on."}), Since: before(time.Hour), Left: 10, Codes: "river-otte-rlam-p62x\nabcd-efgh-jkmn-pqrs", FaultyOff: true, Faults: Faults{"current": "This is not your current password."}}),
		newPage("help", Help, HelpView{
			Shell: owner("Help", SectionHelp), Example: "my-site.sites.example.org", APIURL: "https://sites.example.org/api/v1", RootURL: "/root.crt",
			MaxBytes: 200 << 20, MaxUnpacked: 500 << 20, MaxFiles: 20000,
			Certificates: []Certificate{certificate("my-site", "pending"), certificate("my-site", "valid")},
		}),
		newPage("error", Error, ErrorView{Shell: owner("Not found", SectionNone), Code: 404}),
	}
	for _, p := range []page{newPage("sites-live", SitesLive, mine), newPage("site-live", SiteLive, siteView())} {
		p.fragment = true
		list = append(list, p)
	}
	return list
}

func adminPages() []page {
	all := AllSitesView{Shell: shell("All sites", SectionAllSites), Sites: siteRows(), Paging: Paging{Page: 1, Pages: 1, Found: 7, All: 7}}
	many := all
	many.Paging = Paging{Page: 1, Pages: 100, Found: 10_000, All: 10_000}
	form := AccountForm{Sites: "10", StorageMB: "2048"}
	refused := AccountForm{Name: "Tom!", Role: "owner", Sites: "10", StorageMB: "lots", Faults: Faults{"name": "Use small letters, digits and hyphens.", "storage_mb": "This must be a whole number."}}
	tokens := []TokenRow{{1, "build server", before(90 * day), before(3 * time.Hour)}, {2, "laptop", before(time.Minute), time.Time{}}}
	list := []page{
		newPage("status", Status, statusView()),
		newPage("status-well", Status, healthy()),
		newPage("certificates", Certificates, certificatesView()),
		newPage("certificates-found", Certificates, certificatesFound()),
		newPage("all-sites", AllSites, all),
		newPage("all-sites-many", AllSites, many),
		newPage("accounts", Accounts, AccountsView{Shell: shell("Accounts", SectionAccounts), Accounts: accountRows(), Form: form, Secret: Secret{"tom", "river-otter-lamp-62"}}),
		newPage("accounts-refused", Accounts, AccountsView{Shell: shell("Accounts", SectionAccounts), Accounts: accountRows(), Form: refused}),
		newPage("edit-account", EditAccount, EditAccountView{Shell: shell("tom", SectionAccounts), Name: "tom", Quota: accountRows()[2].Quota, CreatedAt: before(9 * day), Form: AccountForm{Role: "owner", Sites: "10", StorageMB: "2048"}, Sites: siteRows()[2:3], Tokens: tokens, TwoStepSince: before(3 * day)}),
		newPage("activity", Activity, ActivityView{Shell: shell("Activity", SectionActivity), Events: activity(), Limit: 50, More: true}),
		newPage("activity-none", Activity, ActivityView{Shell: shell("Activity", SectionActivity), Subject: "hello", Limit: 50}),
	}
	for _, p := range []page{newPage("status-live", StatusLive, statusView()), newPage("all-sites-live", AllSitesLive, all)} {
		p.fragment = true
		list = append(list, p)
	}
	return list
}

func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func parse(t *testing.T, c templ.Component) *goquery.Document {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(render(t, c)))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
