package templates

import "testing"

func TestStateSentenceTellsWhoIsLetIn(t *testing.T) {
	for _, tc := range []struct {
		view SiteView
		want string
	}{
		{SiteView{State: "running", Release: 2}, "Visitors see release 2."},
		{SiteView{State: "running", Release: 2, Protected: true}, "Visitors with the password see release 2."},
		{SiteView{State: "running", Release: 2, Restricted: true}, "Visitors from the networks that are allowed see release 2."},
		{SiteView{State: "running", Release: 2, Protected: true, Maintenance: true}, "Visitors see a page that says the site is being worked on."},
		{SiteView{State: "failed", Maintenance: true}, "Visitors see a page that says the site is being worked on."},
	} {
		if got := stateSentence(tc.view); got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.view, got, tc.want)
		}
	}
}

func settingsPages() []page {
	plain := SettingsView{
		Shell: owner("Settings of hello", SectionSites), Name: "hello", Hosts: []string{"hello.sites.example.org"},
		Form: SettingsForm{RequestsPerSecond: "0", Connections: "0", BodyMB: "0", Instances: "1"}, Client: "203.0.113.17",
		Running: InstancesOffer{Most: 4, MemoryMB: 64, CPUs: 0.5, InProcess: true},
	}
	full := SettingsView{
		Shell: owner("Settings of bakery", SectionSites, Notice{NoticeSuccess, "The pages are saved."}), Name: "bakery", Protected: true,
		Hosts: []string{"bakery.sites.example.org", "www.bakery-around-the-corner.example", "bakery-around-the-corner.example"},
		Form: SettingsForm{
			Canonical: "www.bakery-around-the-corner.example", TrailingSlash: "remove", HSTS: "subdomains", User: "tasting",
			Allow: "203.0.113.0/24\n2001:db8:7::/48\n198.51.100.7", Maintenance: true, DownPage: "/errors/down.html",
			MaintenancePage: "/errors/maintenance.html", RequestsPerSecond: "200", Connections: "100", BodyMB: "25",
			Instances: "3", HealthPath: "/healthz",
		},
		Warnings: map[string]string{"allow": "Your own address is not among those that are saved: the site does not answer you.", "down_page": "Release 14 has no file /errors/down.html, so visitors get berth’s page."},
		Client:   "2001:db8:9:1::42",
		Running:  InstancesOffer{Most: 4, MemoryMB: 128, CPUs: 0.5},
	}
	faulty := plain
	faulty.Notices = []Notice{{NoticeError, "Nothing was saved: see what is marked below."}}
	faulty.Form.Allow, faulty.Form.BodyMB = "203.0.113.0/24\nour office", "lots"
	faulty.Form.Faults = Faults{"allow": "“our office” is not an address or network. Write addresses such as 192.0.2.7 or 2001:db8::7, and networks such as 192.0.2.0/24."}
	return []page{
		newPage("settings", Settings, plain),
		newPage("settings-all", Settings, full),
		newPage("settings-faulty", Settings, faulty),
	}
}
